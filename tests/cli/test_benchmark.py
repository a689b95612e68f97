"""benchmark as a user types it."""

from __future__ import annotations

import json

import pytest
import yaml

from hgcal_gnn.cli.variadic import _repeated
from tests.cli.test_train import SETTINGS

FEW = ("--calls", 3, "--warm-up", 1, "--seconds", 0, "--threads", 1)


@pytest.fixture
def here(run, made, photons, tmp_path):
    """A folder with graph and showers; `run` works in it."""
    (tmp_path / "piece.safetensors").symlink_to(made / "piece.safetensors")
    (tmp_path / "photons.arrow").symlink_to(photons)
    return run


def test_the_simulation_is_timed(here, tmp_path):
    done = here("benchmark", "--graph", "piece.safetensors", "--batch-sizes", 1, 20, *FEW, "--json", "-o", "t.json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found == json.loads((tmp_path / "t.json").read_text())
    assert [(one["stage"], one["batch_size"], one["calls"]) for one in found["timings"]] == [
        ("generation", 1, 3), ("writing", 1, 3), ("generation", 20, 3), ("writing", 20, 3)
    ]  # fmt: skip
    assert {one["name"] for one in found["timings"]} == {"parametrised simulation"}
    assert found["about"] == "photon of 50 GeV in hgcal"
    assert found["timings"][0]["speed_up"] is None
    again = here("benchmark", "--graph", "piece.safetensors", "-o", "t.json")
    assert again.code == 1
    assert "exists already" in again.err


def test_a_regressor_is_timed_beside_it(here, tmp_path):
    settings = SETTINGS | {"model": {"kind": "sum"}, "train": {"calibrate": False}}
    (tmp_path / "sum.yaml").write_text(yaml.safe_dump(settings))
    trained = here("train", "sum.yaml", "-o", "runs/sum", "--threads", 1)
    assert trained.code == 0, trained.err
    reference = ("--reference-ms", 100, "--reference-source", "Geant4 on my machine")
    done = here("benchmark", "--batch-sizes", 2, 5, "runs/sum", *FEW, *reference, "-o", "t.md")
    assert done.code == 0, done.err
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert sum(line.startswith("| parametrised simulation") for line in lines) == 4
    assert sum(line.startswith("| regressor sum") for line in lines) == 2
    assert any("inference" in line for line in lines)
    assert "100 ms per shower: Geant4 on my machine" in done.out


def test_a_generator_is_timed_stage_by_stage(run, untrained_generator):
    """For the particles of its training, unless others are asked for."""
    done = run("benchmark", untrained_generator, "--batch-sizes", 2, 5, *FEW, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    stages = ["generation", "post-processing", "generation + post-processing", "writing"]
    ours = [one for one in found["timings"] if one["name"] == "generator run"]
    assert [(one["batch_size"], one["stage"]) for one in ours] == [(n, stage) for n in (2, 5) for stage in stages]
    assert len(found["timings"]) == len(ours) + 4
    assert found["about"] == "photon of 1, 4, 16, 64 GeV in calochallenge-1-photons"
    assert found["published"]
    far = run("benchmark", untrained_generator, "--energy", "500", *FEW)
    assert far.code == 2
    assert "trained on 1 to 64 GeV and is asked for 500 GeV" in far.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "which geometry?"),
        (["."], 1, "is no folder of a run"),
        (["--reference-ms", "100"], 2, "whose it is"),
        (["--reference-ms", "100", "--reference-source", " "], 2, "whose it is"),
        (["-o", "t.csv"], 2, "is written as .json or .md"),
        (["--batch-sizes", "0"], 2, "batch-sizes"),
        (["--graph", "piece.safetensors", "--energy", "much"], 2, "'much' is none of"),
    ],
)
def test_what_cannot_be_timed(here, arguments, code, message):
    done = here("benchmark", *arguments)
    assert message in done.err
    assert done.code == code
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("run --n 1 2 --x", "run --n 1 --n 2 --x"),
        ("--n 1 2 run", "--n 1 --n 2 run"),
        ("--n 1 --n 2 run", "--n 1 --n 2 run"),
        ("--g a.arrow b.arrow -o out c", "--g a.arrow --g b.arrow -o out c"),
        ("--x 1 2", "--x 1 2"),
        ("--n -1 -2", "--n -1 --n -2"),
    ],
)
def test_options_of_several_values(given, meant):
    assert list(_repeated(given.split(), {"--n", "--g"})) == meant.split()
