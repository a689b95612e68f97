"""The published network against plain PyTorch Geometric: `pytest tests/benchmarks --benchmark-only`.

In one process for each allocator, on two threads; cases take turns. PyG gets its graphs from a list in memory, made
beforehand; ours come from the store, the time for edges and features counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hgcal_gnn.cli.allocator import SETTINGS
from tests.benchmarks import gcn_peers


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("gcn") / "photons.arrow"
    gcn_peers.make_store(path)
    return path


@pytest.mark.parametrize("allocator", ["tuned", "default"])
def test_training(benchmark, store, allocator):
    benchmark.group = "64 photons of 50-100 GeV a step"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    environment = clean | (SETTINGS if allocator == "tuned" else {})
    command = [sys.executable, "-m", "tests.benchmarks.gcn_peers", str(store)]
    root = Path(__file__).parents[2]

    def run():
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=root, env=environment).stdout

    benchmark.extra_info.update(json.loads(benchmark.pedantic(run, rounds=1)))
