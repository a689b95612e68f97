"""Memory of a conversion does not grow with the number of events."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from hgcal_gnn.showers.ragged import offsets_of
from tests.showers.made_root import toy_cells

EVENTS = 30_000  # with 30 hits each: 900,000 hits, several steps and record batches
GROWTH = 25  # MiB allowed for ten times the events, whose hits alone take 70 MiB
CONVERT = """
import resource, sys
from hgcal_gnn.showers.convert import convert
from hgcal_gnn.showers.root import RootOptions
from tests.showers.made_root import toy_cells
convert([sys.argv[1]], sys.argv[2], toy_cells(), options=RootOptions(step="2 MB", threads=1))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def write(path, n_events):
    cells, random = toy_cells(), np.random.default_rng(1)
    with uproot.recreate(path, compression=uproot.ZSTD(1)) as file:
        tree = None
        for start in range(0, n_events, 3000):
            n = min(3000, n_events - start)
            counts = random.poisson(30, n)
            rows = random.integers(0, 40, counts.sum())
            hits = {"detId": cells.cell_id[rows].astype(np.uint32), "E": random.exponential(1e-3, len(rows))}
            records = ak.contents.RecordArray([ak.contents.NumpyArray(values) for values in hits.values()], list(hits))
            lists = ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets_of(counts)), records))
            events = {"simHit": lists, "genPart_E": ak.Array(np.full(n, 50.0, np.float32))}
            tree = tree or file.mktree("tree", {name: array.type.content for name, array in events.items()})
            tree.extend(events)
    return path


def peak_memory(path):
    """MiB of a process that converts one file."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", CONVERT, str(path), str(path.with_suffix(".arrow"))]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.slow
def test_ten_times_the_events_take_no_more_memory(tmp_path):
    few = peak_memory(write(tmp_path / "few.root", EVENTS))
    many = peak_memory(write(tmp_path / "many.root", 10 * EVENTS))
    assert (tmp_path / "many.arrow").stat().st_size > 70 * 2**20
    assert many < few + GROWTH, f"{few} MiB for {EVENTS} events, {many} MiB for ten times as many"
