"""Every file of settings runs as it stands, on few showers and for one epoch."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hgcal_gnn.config.read import read_config
from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.training.run import run_training

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RUNS = sorted((CONFIGS / "regression").glob("*.yaml"))
PIECE = ["data.window={side: 1, eta: [1.9, 2.1], phi: [1.5, 1.64], layers: [1, 28]}"]
BEAM = {"eta": 2.0, "phi": 1.57, "energy": "2..5", "pt": None}


def few_showers(path):
    """Return what makes a run of the settings take a second or two."""
    content = yaml.safe_load(path.read_text())
    changes = ["train.epochs=1", "train.device=cpu"]
    for sample in ("train", "test"):
        if sample in content["data"]:
            changes.append(f"data.{sample}.simulate.number=40")
            if content["data"]["detector"] == "hgcal":
                changes += [
                    f"data.{sample}.simulate.{key}={yaml.safe_dump(value).split()[0]}" for key, value in BEAM.items()
                ]
    return changes + (PIECE if content["data"]["detector"] == "hgcal" else [])


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_settings_run(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path / "cache"))
    folder = run_training(read_config(RunConfig, path, few_showers(path)), tmp_path / "run")
    assert folder.is_finished


def test_there_are_settings():
    assert RUNS
