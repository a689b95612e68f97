"""Every file of settings runs as it stands, on few showers of low energy and for one epoch."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hgcal_gnn.config.read import check_config, read_config
from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.config.study import read_study
from hgcal_gnn.training.run import run_training

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RUNS = sorted((CONFIGS / "regression").glob("*.yaml"))
STUDIES = sorted((CONFIGS / "studies").glob("*.yaml"))
METHODS = {
    f"{path.stem}-{run.method}": run.config
    for path in STUDIES
    for run in read_study(path)[1]
    if run.name == f"{run.method}-0" and isinstance(run.config, RunConfig)
}
# pieces of the detectors, small enough to be built in a test
PIECES = {
    "hgcal": {
        "detector": "hgcal",
        "window": {"side": 1, "eta": [1.9, 2.1], "phi": [1.5, 1.64], "layers": [1, 28]},
    },
    "toy": {"detector": "lcd25"},
}
AIMS = {"hgcal": {"eta": 2.0, "phi": 1.57}, "toy": {"direction": [1.0, 0.0, 0.0]}}


@pytest.fixture(autouse=True)
def _shared_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path_factory.getbasetemp() / "configs_cache"))


def made_small(config):
    """Return the same settings for few showers of low energy in a piece of the detector, and one epoch."""
    content = config.model_dump(mode="json")
    detector = content["data"]["detector"]
    content["data"] |= PIECES[detector]
    for name, number in (("train", 50), ("test", 30)):
        sample = content["data"][name]["simulate"]
        made = {"particle": sample["particle"], "energy": "2..5", "number": number, "seed": sample["seed"]}
        content["data"][name]["simulate"] = made | AIMS[detector]
    content["train"] |= {"epochs": 1, "device": "cpu"}
    return check_config(RunConfig, content, "made small")


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_settings_run(path, tmp_path):
    assert run_training(made_small(read_config(RunConfig, path)), tmp_path / "run").is_finished


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_a_study_runs(name, tmp_path):
    assert run_training(made_small(METHODS[name]), tmp_path / "run").is_finished


def test_there_are_settings():
    assert RUNS
    assert len(STUDIES) == 8  # four of them of generators: test_generation_configs


def test_settings_say_what_they_are_for():
    for path in (*RUNS, *STUDIES):
        assert path.read_text(encoding="utf-8").startswith("# "), path
        assert "data" in yaml.safe_load(path.read_text(encoding="utf-8"))
