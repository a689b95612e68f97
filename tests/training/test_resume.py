"""Trainings that are killed, interrupted or shared among processes come out as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from hgcal_gnn.config.read import write_config
from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.training.run import run_training
from hgcal_gnn.training.run_folder import RunFolder
from hgcal_gnn.training_log import read_rows

pytestmark = pytest.mark.slow  # processes of their own
EPOCHS = 5
LONGEST = 120  # s to wait for a process


@pytest.fixture(scope="module")
def whole(piece, tmp_path_factory):
    """The same training without any trouble, and its settings as a file."""
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole")
    config = piece.config(train={"epochs": EPOCHS, "schedule": "cosine", "warmup": 5, "patience": 50})
    write_config(config, folder / "run.yaml")
    return folder / "run.yaml", run_training(config, folder / "run")


def start(*arguments):
    """Start the command line in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, "-m", "hgcal_gnn", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_epochs(folder, number, process):
    """Wait until so many epochs are in the log."""
    begun = time.monotonic()
    while len(read_rows(folder.log)) < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - begun < LONGEST
        time.sleep(0.01)


def assert_same(folder, other):
    mine, theirs = load_file(folder.weights), load_file(other.weights)
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)
    measured = [
        [(row["epoch"], row["train_loss"], row["val_loss"], row["lr"]) for row in read_rows(run.log)]
        for run in (folder, other)
    ]
    assert measured[0] == measured[1]


def test_a_killed_training_goes_on(whole, tmp_path):
    config, expected = whole
    folder = RunFolder(tmp_path / "run")
    process = start("train", config, "-o", folder.path, "--threads", 1)
    wait_for_epochs(folder, 2, process)
    time.sleep(0.05)  # into an epoch
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not folder.is_finished
    n_done = len(read_rows(folder.log))
    assert 2 <= n_done < EPOCHS
    run_training(folder.read_config(RunConfig), folder.path, resume=True)
    assert_same(folder, expected)


def test_an_interrupted_training_goes_on(whole, tmp_path):
    config, expected = whole
    folder = RunFolder(tmp_path / "run")
    process = start("train", config, "-o", folder.path, "--threads", 1)
    wait_for_epochs(folder, 1, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert f"Go on with: hgcal-gnn train {folder.path} --resume" in said
    assert "Traceback" not in said
    run_training(folder.read_config(RunConfig), folder.path, resume=True)
    assert_same(folder, expected)


def test_two_processes_train_as_one(whole, tmp_path):
    """Every batch is shared, so that losses are those of one process but for rounding."""
    config, expected = whole
    folder = RunFolder(tmp_path / "run")
    process = start("train", config, "-o", folder.path, "--threads", 1, "--set", "train.devices=2")
    said, errors = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, errors
    assert said.count("run folder") == 1
    mine, theirs = (np.array([[row["train_loss"], row["val_loss"]] for row in read_rows(run.log)])
                    for run in (folder, expected))  # fmt: skip
    np.testing.assert_allclose(mine, theirs, rtol=2e-3)
    np.testing.assert_allclose(mine[0], theirs[0], rtol=2e-5)
