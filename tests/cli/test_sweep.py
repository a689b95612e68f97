"""train --sweep: all combinations, each in a folder, continued and told in a table."""

from __future__ import annotations

import json

import pytest
import yaml

from hgcal_gnn.cli import sweep
from hgcal_gnn.errors import UsageError
from tests.cli.test_train import SETTINGS


@pytest.fixture
def here(run, made, photons, tmp_path):
    """A folder with graph, showers and settings; `run` works in it."""
    (tmp_path / "piece.safetensors").symlink_to(made / "piece.safetensors")
    (tmp_path / "photons.arrow").symlink_to(photons)
    settings = SETTINGS | {"model": {"kind": "message_passing", "hidden": 4, "n_layers": 1}}
    settings["train"] = {"epochs": 1, "batch_size": 16, "device": "cpu"}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings))
    return run


def test_combinations():
    found = sweep.sweep_runs(["model.hidden=[8, 8],[16]", "train.batch_size=64,256"])
    assert [one.changes for one in found] == [
        ["model.hidden=[8, 8]", "train.batch_size=64"],
        ["model.hidden=[8, 8]", "train.batch_size=256"],
        ["model.hidden=[16]", "train.batch_size=64"],
        ["model.hidden=[16]", "train.batch_size=256"],
    ]
    assert found[0].name == "model.hidden=[8,8],train.batch_size=64"


@pytest.mark.parametrize("wrong", [["model.hidden"], ["a=1,1"], ["a=1,"], ["a=1", "a=2"]])
def test_what_is_no_sweep(wrong):
    with pytest.raises(UsageError):
        sweep.sweep_runs(wrong)


def test_a_sweep_is_trained_and_continued(here, tmp_path):
    command = ("train", "run.yaml", "--sweep", "model.hidden=2,4", "-o", "runs/s", "--threads", 1)
    done = here(*command)
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "runs/s/sweep.json").read_text())
    assert [row["run"] for row in rows] == ["model.hidden=2", "model.hidden=4"]
    assert {"seconds", "validation_loss"} <= set(rows[0])
    assert "model.hidden=4" in done.out
    metrics = tmp_path / "runs/s/model.hidden=2/metrics.json"
    before = metrics.stat().st_mtime_ns
    again = here(*command)
    assert again.code == 0, again.err
    assert metrics.stat().st_mtime_ns == before
    assert again.out == done.out


def test_settings_are_checked_before_anything_is_trained(here, tmp_path):
    done = here("train", "run.yaml", "--sweep", "model.hidden=2,many", "-o", "runs/s")
    assert done.code == 2
    assert "model.hidden" in done.err
    assert not (tmp_path / "runs").exists()


def test_the_table_of_a_sweep():
    """Columns of all runs, empty where a run lacks one."""
    rows = [{"run": "a=1", "seconds": 1.5}, {"run": "a=10", "seconds": 2.0, "response": 0.98765}]
    lines = sweep.sweep_table(rows).splitlines()
    assert lines[0].split() == ["run", "seconds", "response"]
    assert lines[1].split() == ["a=1", "1.5"]
    assert lines[2].split() == ["a=10", "2", "0.9877"]
    test = {"response": 1.0, "response_width": 0.9, "occupancy": 1.1, "separation": 0.2}
    assert sweep._measures({"task": "generation", "test": test}) == test
