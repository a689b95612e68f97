"""study, as a user types it: trained, interrupted, continued, compared."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from hgcal_gnn.cli import app, study, study_generators
from hgcal_gnn.cli.errors import run_app
from hgcal_gnn.cli.study_generators import compare_generators
from hgcal_gnn.config.any_run import check_run
from hgcal_gnn.config.study import StudyRun
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample

STUDY = {
    "title": "Photons",
    "data": {"graph": "piece.safetensors", "train": {"showers": "photons.arrow"}, "test_fraction": 0.5},
    "methods": {
        "sum": {"model": {"kind": "sum"}, "seeds": [0, 1]},
        "layers": {"model": {"kind": "layer_linear"}},
    },
}
BROKEN = {"model": {"kind": "layer_linear", "variables": ["colour"]}}


@pytest.fixture
def here(run, made, photons, tmp_path):
    """A folder with a study, its graph and showers; `run` works in it."""
    (tmp_path / "piece.safetensors").symlink_to(made / "piece.safetensors")
    (tmp_path / "photons.arrow").symlink_to(photons)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    return run


@pytest.fixture
def called(monkeypatch):
    """What a study started, run in this process: a new one needs seconds to load its libraries."""
    calls = []

    def call(arguments, _=None):
        calls.append(arguments)
        return run_app(app, arguments)

    monkeypatch.setattr(study, "_call", call)
    return calls


def trained(called):
    """Folders of the trainings, and whether they were resumed."""
    return [(call[3], "--resume" in call) for call in called if call[0] == "train"]


def test_a_study_is_trained_compared_and_continued(here, called, tmp_path):
    done = here("study", "study.yaml", "-o", "out/photons")
    assert done.code == 0, done.err
    assert "Photons: 3 trainings" in done.out
    assert trained(called) == [(f"out/photons/{name}", False) for name in ("sum-0", "sum-1", "layers-0")]
    table = (tmp_path / "out/photons/comparison/comparison.md").read_text()
    assert "| sum    |     2 |" in table

    called.clear()
    (tmp_path / "out/photons/sum-1/metrics.json").unlink()  # as if killed before its end
    assert here("study", "study.yaml", "-o", "out/photons").code == 0
    assert trained(called) == [("out/photons/sum-1", True)]

    called.clear()
    assert here("study", "study.yaml", "-o", "out/photons", "--only", "sum").code == 0
    assert [call[:3] for call in called] == [["compare", "out/photons/sum-0", "out/photons/sum-1"]]

    other = here("study", "study.yaml", "-o", "out/photons", "--set", "data.split_seed=3")
    assert other.code == 2
    assert "out/photons/sum-0: was trained with other settings; remove it" in other.err


@pytest.mark.usefixtures("called")
def test_one_method_that_fails_does_not_stop_the_others(here, tmp_path):
    methods = {"broken": BROKEN, "sum": {"model": {"kind": "sum"}}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({**STUDY, "methods": methods}, sort_keys=False))
    failed = here("study", "study.yaml", "-o", "out")
    assert failed.code == 1
    assert "no shower variables colour" in failed.err
    assert "1 of 2 trainings failed: broken-0; see above" in failed.err
    assert (tmp_path / "out/sum-0/metrics.json").exists()
    assert not (tmp_path / "out/comparison").exists()
    assert here("study", "study.yaml", "-o", "out", "--only", "sum").code == 0


@pytest.mark.parametrize("how", ["raised", "returned"])  # Ctrl-C reaches the command, its training, or both
def test_an_interrupted_study_says_how_to_go_on(here, monkeypatch, how):
    started = []

    def interrupted(arguments, _=None):
        started.append(arguments)
        if how == "raised":
            raise KeyboardInterrupt
        return 130

    monkeypatch.setattr(study, "_call", interrupted)
    stopped = here("study", "study.yaml", "-o", "out")
    assert stopped.code == 130
    assert "Go on with the same command" in stopped.err
    assert len(started) == 1


def test_several_trainings_at_a_time_write_logs(here, monkeypatch):
    logs = []
    monkeypatch.setattr(study, "_call", lambda _, log=None: logs.append(log) or 1)
    failed = here("study", "study.yaml", "-o", "out", "--jobs", 2)
    assert "see out/NAME.log" in failed.err
    assert {str(log) for log in logs} == {f"out/{name}.log" for name in ("sum-0", "sum-1", "layers-0")}


def test_a_process_writes_to_its_log(tmp_path):
    log = tmp_path / "x.log"
    assert study._call(["train", "none.yaml"], log) == 1
    assert "none.yaml: no such file" in log.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["study.yaml", "-o", "out", "--only", "gcn"], 2, "--only gcn: the study has the methods sum, layers"),
        (["none.yaml", "-o", "out"], 1, "none.yaml: no such file"),
        (["study.yaml", "-o", "study.yaml"], 1, "study.yaml: cannot be made a folder"),
        (["study.yaml", "-o", "out", "--set", "train.loss=mse"], 2, "study.yaml, method sum: train.loss: 'mse'"),
        (["study.yaml", "-o", "out", "--set", "data.train.showers=x.arrow"], 1, "x.arrow: no such file"),
    ],
)
def test_what_cannot_be_studied(here, called, arguments, code, message):
    failed = here("study", *arguments)
    assert message in failed.err
    assert failed.code == code
    assert not called


GENERATORS = {
    "title": "Dense networks",
    "data": {"detector": "calochallenge-1-photons", "train": {"showers": "dense.arrow"}, "empty": "drop"},
    "train": {"iterations": 2, "check_every": 2, "batch_size": 16, "pictures": 0},
    "methods": {
        "small": {"model": {"kind": "calo_shower_gan", "generator": [8], "critic": [8]}, "seeds": [0, 1]},
        "wide": {"model": {"kind": "calo_shower_gan", "generator": [16], "critic": [16]}},
    },
}


def test_generators_are_compared_by_their_showers(run, called, tmp_path):
    """Each makes showers like the test sample, and one report holds them all."""
    cells = make_detector("calochallenge-1-photons")
    beam = Beam("photon", parse_spectrum("1..4"), direction=(0.0, 0.0, 1.0))
    write_sample(cells, beam, 1200, tmp_path / "dense.arrow", seed=1)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(GENERATORS, sort_keys=False))
    done = run("study", "study.yaml", "-o", "out", "--quick", "--threads", 1)
    assert done.code == 0, done.err
    assert [call[0] for call in called] == ["train"] * 3 + ["generate", "benchmark"] * 3 + ["evaluate"]
    assert "--quick" in called[-1]
    reference = open_store(tmp_path / "out" / "reference.arrow").column("incident_energy")
    for name in ("small-0", "small-1", "wide-0"):
        ours = open_store(tmp_path / "out" / f"{name}.arrow").column("incident_energy")
        np.testing.assert_array_equal(ours, reference)
    made = tmp_path / "out" / "comparison"
    pictures = ("plots/showers.png", "trainings.png", "pareto.png")
    assert all((made / name).exists() for name in ("report.html", "study.json", *pictures))
    assert "| wide-0 " in (made / "study.md").read_text()
    found = json.loads((made / "study.json").read_text())
    assert found["reference"]["ms_per_shower"] is None  # its showers are of a file
    for one in found["samples"].values():
        assert one["ms_per_shower"]["value"] > 0
        assert one["peak_memory_mib"] > 50
        assert one["occupancy"] is not None

    called.clear()
    (tmp_path / "out" / "small-1.timing.json").unlink()
    about = tmp_path / "out" / "wide-0.generation.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"weights": "others"}))
    assert run("study", "study.yaml", "-o", "out", "--quick", "--threads", 1).code == 0
    again = [call[:2] for call in called if call[0] != "evaluate"]
    assert again == [["benchmark", "out/small-1"], ["generate", "out/wide-0"], ["benchmark", "out/wide-0"]]


def test_a_generator_is_sampled_with_several_steps(monkeypatch, tmp_path):
    """One sample, and one time, for each number of steps; seeds of one number of steps belong together."""
    data = GENERATORS["data"] | {"material": "mine.yaml"}
    config = check_run({"seed": 3, "data": data, "model": GENERATORS["methods"]["wide"]["model"]}, "x")
    runs = [StudyRun("cells", "cells-3", config, (1, 4)), StudyRun("cells", "cells-5", config, (1, 4)),
            StudyRun("gan", "gan-3", config)]  # fmt: skip
    monkeypatch.setattr(study_generators, "_write_reference", lambda *_: tmp_path / "graph.safetensors")
    calls = []
    code = compare_generators(runs, tmp_path, lambda call, _: calls.append(call) or (call[0] == "evaluate"), threads=2,
                              evaluation=["--regressor", "sum-0"])  # fmt: skip
    assert code == 1  # of evaluate, whose end is not of interest here
    made = [(call[call.index("-o") + 1], call[call.index("--steps") + 1] if "--steps" in call else None)
            for call in calls if call[0] == "generate"]  # fmt: skip
    names = {"cells-3-steps1": "1", "cells-3-steps4": "4", "cells-5-steps1": "1", "cells-5-steps4": "4", "gan-3": None}
    assert made == [(str(tmp_path / f"{name}.arrow"), steps) for name, steps in names.items()]
    timed = [call for call in calls if call[0] == "benchmark"]
    assert [call[1] for call in timed[:2]] == [str(tmp_path / "cells-3")] * 2
    assert ["--steps" in call for call in timed] == [True] * 4 + [False]
    assert calls[-1][calls[-1].index("--same-model") + 1 :][:2] == [
        "cells-steps1=cells-3-steps1,cells-5-steps1", "cells-steps4=cells-3-steps4,cells-5-steps4"
    ]  # fmt: skip
    assert calls[-1][-4:] == ["--material", "mine.yaml", "--regressor", "sum-0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--skip", "classifier", "--quick"], "--quick, --skip: for studies of generators; this one is of regressors"),
        (["--regressor", "sum-0"], "--regressor: for studies of generators"),
    ],
)
def test_regressors_are_not_evaluated_as_generators(here, called, arguments, message):
    done = here("study", "study.yaml", "-o", "out", *arguments)
    assert done.code == 2
    assert message in done.err
    assert not called


def test_a_regressor_that_is_not_there_is_told_before_the_trainings(run, called, tmp_path):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(GENERATORS | {"regressor": "nowhere"}, sort_keys=False))
    done = run("study", "study.yaml", "-o", "out")
    assert done.code == 1
    assert "nowhere: is no folder of a run" in done.err
    assert not called


def test_hits_and_voxels_are_compared(run, called, tmp_path):
    """A graph model beside a voxel model that has a window of its own; both are judged by whole showers."""
    window = {"eta": (1.9, 2.1), "phi": (1.49, 1.65), "layers": (1, 6), "side": 1}
    beam = Beam("photon", parse_spectrum("5..20"), eta=2.0, phi=1.57)
    write_sample(make_detector("hgcal", **window), beam, 300, tmp_path / "dense.arrow", seed=1)
    tree = {
        "kind": "tree",
        "branches": [4, 30],
        "widths": [8, 8, 4],
        "hidden": 8,
        "critic": {"kind": "gcn", "hidden": 4},
    }
    dense = {"kind": "calo_shower_gan", "generator": [8], "critic": [8]}
    grid = {"eta": 2.0, "phi": 1.57, "shape": [2, 2]}
    content = GENERATORS | {
        "data": {**GENERATORS["data"], "detector": "hgcal", "window": window},
        "methods": {"tree": {"model": tree}, "dense": {"model": dense, "data": {"grid": grid}}},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False))
    done = run("study", "study.yaml", "-o", "out", "--quick", "--threads", 1)
    assert done.code == 0, done.err
    assert [call[0] for call in called] == ["train"] * 2 + ["generate", "benchmark"] * 2 + ["evaluate"]
    reference, hits, voxels = (
        open_store(tmp_path / "out" / f"{name}.arrow").read(slice(None)) for name in ("reference", "tree-0", "dense-0")
    )
    assert len(hits) == len(voxels) == len(reference)
    assert len(np.unique(voxels.cell)) <= 6 * 4 < len(np.unique(reference.cell))
    assert "| tree-0 " in (tmp_path / "out" / "comparison" / "study.md").read_text()


def test_tasks_are_not_mixed(here, tmp_path):
    mixed = STUDY | {"methods": {**STUDY["methods"], "gan": GENERATORS["methods"]["wide"]}}
    (tmp_path / "mixed.yaml").write_text(yaml.safe_dump(mixed, sort_keys=False))
    done = here("study", "mixed.yaml", "-o", "out")
    assert done.code == 2
    assert "one is a generator and one a regressor" in done.err
