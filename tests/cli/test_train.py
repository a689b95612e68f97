"""train and predict as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import yaml

from hgcal_gnn.regression.models import MODELS

SETTINGS = {
    "data": {"graph": "piece.safetensors", "train": {"showers": "photons.arrow"}, "test_fraction": 0.3},
    "model": {"kind": "message_passing", "hidden": 4, "n_layers": 1},
    "train": {"epochs": 1, "batch_size": 16, "device": "cpu"},
}


@pytest.fixture
def here(run, made, photons, tmp_path):
    """A folder with settings, graph and showers; `run` works in it."""
    (tmp_path / "piece.safetensors").symlink_to(made / "piece.safetensors")
    (tmp_path / "photons.arrow").symlink_to(photons)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SETTINGS))
    return run


def test_from_settings_to_predictions(here, tmp_path, caplog):
    trained = here("train", "small.yaml", "--set", "seed=3", "--threads", 1)
    assert trained.code == 0, trained.err
    assert "message_passing: " in trained.out
    assert "run folder: runs/small-3" in trained.out
    assert "epoch 1 of 1: training loss" in caplog.text
    config = yaml.safe_load((tmp_path / "runs/small-3/config.yaml").read_text())
    assert config["seed"] == 3
    found = here("predict", "runs/small-3", "--showers", "photons.arrow", "-o", "found.parquet")
    assert found.code == 0, found.err
    table = pq.read_table(tmp_path / "found.parquet")
    assert table.column_names == ["row", "incident_energy", "energy", "reconstructed"]
    assert table["row"].to_pylist() == list(range(40))
    again = here("predict", "runs/small-3", "--showers", "photons.arrow", "-o", "found.parquet")
    assert again.code == 1
    assert "exists already" in again.err

    repeated = here("train", "small.yaml", "--set", "seed=3")
    assert repeated.code == 1
    assert "holds a finished run; go on with --resume" in repeated.err
    done = here("train", "runs/small-3", "--resume")
    assert done.code == 0
    assert "the run is finished" in caplog.text

    other = here(
        "predict", "runs/small-3", "--showers", "photons.arrow", "-o", "b.parquet", "--graph", made_toy(tmp_path)
    )
    assert other.code == 1
    assert "trained in another geometry" in other.err


def made_toy(folder):
    """A graph of another geometry."""
    from hgcal_gnn.geometry.build import build_graph
    from hgcal_gnn.geometry.graph_file import save_graph
    from tests.showers.made_root import toy_cells

    save_graph(build_graph(toy_cells())[0], folder / "toy.safetensors")
    return folder / "toy.safetensors"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["small.yaml", "--set", "model.hiden=3"], 2, "small.yaml: model.hiden: unknown key (did you mean hidden?)"),
        (["small.yaml", "--set", "train.schedule=step"], 2, "'step' is none of 'constant', 'cosine' or 'plateau'"),
        (["small.yaml", "--device", "tpu"], 2, "train.device: 'tpu' is none of 'auto', 'cpu', 'cuda' or 'mps'"),
        (["small.yaml", "--resume", "--overwrite"], 2, "not both"),
        (["none.yaml"], 1, "none.yaml: no such file"),
        (["piece.safetensors"], 2, "settings are a file that ends in .yaml"),
        (["."], 1, "is no folder of a run"),
        (["small.yaml", "--set", "data.train.showers=x.arrow"], 1, "x.arrow: no such file"),
        (["small.yaml", "--set", "data.graph=null", "--set", "data.detector=calogan"], 1, "made with another geometry"),
    ],
)
def test_what_cannot_be_trained(here, arguments, code, message):
    done = here("train", *arguments)
    assert message in done.err
    assert done.code == code
    assert "Traceback" not in done.err


def test_predicting_without_a_finished_run(here, tmp_path):
    (tmp_path / "empty").mkdir()
    done = here("predict", "empty", "--showers", "photons.arrow", "-o", "x.parquet")
    assert done.code == 1
    assert "is no folder of a run" in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
@pytest.mark.parametrize(
    ("before", "tuned"), [({}, True), ({"HGCAL_GNN_ALLOCATOR": "system"}, False), ({"MALLOC_TOP_PAD_": "0"}, False)]
)
def test_the_command_starts_itself_with_a_tuned_allocator(before, tuned):
    """Once, with the same arguments, and not against the user's will."""
    lines = (
        "import json, os, sys",
        "from hgcal_gnn.cli.allocator import tune_allocator",
        "sys.argv[1:] = ['train', 'x.yaml']",
        "tune_allocator()",
        "print(json.dumps(dict(os.environ)))",
    )
    environment = {
        name: value for name, value in os.environ.items() if "MALLOC" not in name and "ALLOCATOR" not in name
    }
    done = subprocess.run(
        [sys.executable, "-c", "; ".join(lines)], env=environment | before, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert ("MALLOC_TRIM_THRESHOLD_" in found) == tuned
    assert done.stdout.count("\n") == 1


def test_other_commands_start_once(monkeypatch):
    from hgcal_gnn.cli import allocator

    monkeypatch.setattr(sys, "argv", ["hgcal-gnn", "doctor"])
    monkeypatch.setattr(os, "execve", None)
    allocator.tune_allocator()


def test_the_schema_tells_of_every_setting(run):
    printed = json.loads(run("schema").out)
    kinds = {part["properties"]["kind"]["const"] for part in printed["$defs"].values() if "kind" in part["properties"]}
    assert kinds == set(MODELS)
    for group in ("TrainConfig", "DataConfig", "SimulateConfig"):
        assert all("description" in setting for setting in printed["$defs"][group]["properties"].values())
    assert "methods" in json.loads(run("schema", "study").out)["properties"]
    generator = json.loads(run("schema", "generator").out)["$defs"]
    kinds = {part.get("properties", {}).get("kind", {}).get("const") for part in generator.values()}
    assert kinds >= {"gan", "gan3d", "wgan_gp", "bib_ae", "calogan", "calo_shower_gan"}
    bare = [
        f"{name}.{key}"
        for name, part in generator.items()
        for key, setting in part.get("properties", {}).items()
        if not {"description", "const", "$ref"} & setting.keys()  # what is referred to describes itself
    ]
    assert bare == []
    assert all("description" in part for part in generator.values())
