"""ROOT to store beside uproot's own reading and Python loops: `pytest tests/benchmarks --benchmark-only`.

Cases of one test take turns, so that load on the machine hits all of them; ratios (medians over the turns) stand
in the extra info of the benchmark (`--benchmark-json`, or `--benchmark-verbose` to see them).
"""

from __future__ import annotations

import os
from time import perf_counter, process_time

import numpy as np
import pytest

from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.showers.cell_lookup import CellLookup, rows_by_search
from hgcal_gnn.showers.convert import convert
from hgcal_gnn.showers.root.hits import CellRows
from hgcal_gnn.showers.store import open_store
from tests.benchmarks import root_peers

N_EVENTS = 20_000  # 10 million hits
LOOPED_EVENTS = 1000
SLOW_EVENTS = 200
THREADS = min(os.cpu_count() or 1, 4)


@pytest.fixture(scope="module")
def cells():
    """All six million cells."""
    return make_detector("hgcal")


@pytest.fixture(scope="module")
def row_of(cells):
    """The dict of the Python loops; building it (seconds) is not counted."""
    return dict(zip(cells.cell_id.tolist(), range(cells.n_cells), strict=True))


def turns(cases, rounds, clean):
    """Seconds by the clock and of all cores, [rounds, 2] for every case, taking turns; `clean` does not count."""
    seconds = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            clean()
            start = perf_counter(), process_time()
            case()
            seconds[name].append((perf_counter() - start[0], process_time() - start[1]))
    return {name: np.array(values) for name, values in seconds.items()}


@pytest.mark.parametrize("compression", root_peers.COMPRESSIONS)
def test_root_to_store(benchmark, cells, row_of, tmp_path, monkeypatch, compression):
    index = CellRows.of(cells)
    # indexing the geometry (`test_lookup_building`) is not counted, as building the dict is not
    monkeypatch.setattr(CellRows, "of", classmethod(lambda _cls, _cells: index))
    benchmark.group = "ROOT to store"
    path = root_peers.write_file(tmp_path / "in.root", cells, N_EVENTS, compression)
    short = root_peers.write_file(tmp_path / "short.root", cells, LOOPED_EVENTS, compression)
    n_hits = root_peers.read_only(path, THREADS)
    output = tmp_path / "out.arrow"

    def ours():
        convert([path], output, cells)

    cases = {
        "ours": ours,
        "reading": lambda: root_peers.read_only(path, THREADS),
        "lists": lambda: root_peers.loop_over_lists(short, row_of),
        "events": lambda: root_peers.loop_over_events(short, row_of, SLOW_EVENTS),
    }
    ours()
    seconds = turns(cases, 3 if compression == "lzma" else 9, lambda: output.unlink(missing_ok=True))
    per_hit = {
        "ours": seconds["ours"] / n_hits,
        "reading": seconds["reading"] / n_hits,
        "lists": seconds["lists"] / (n_hits * LOOPED_EVENTS / N_EVENTS),
        "events": seconds["events"] / (n_hits * SLOW_EVENTS / N_EVENTS),
    }
    per_hit = {name: values * 1e9 for name, values in per_hit.items()}
    compared = {f"{name} [ns/hit]": values for name, values in per_hit.items()}
    compared |= {
        "ours / reading": per_hit["ours"] / per_hit["reading"],
        "ours - reading [ns/hit]": per_hit["ours"] - per_hit["reading"],
        "lists / ours": per_hit["lists"] / per_hit["ours"],
        "events / ours": per_hit["events"] / per_hit["ours"],
    }
    for name, values in compared.items():
        by_clock, of_cores = np.median(values, axis=0).tolist()
        benchmark.extra_info[name] = f"{by_clock:.3g} by the clock, {of_cores:.3g} in processor time"
    benchmark.pedantic(ours, setup=lambda: output.unlink(missing_ok=True), rounds=3)
    convert([short], tmp_path / "short.arrow", cells)
    expected = root_peers.loop_over_lists(short, row_of)
    store = open_store(tmp_path / "short.arrow")[:]
    assert np.array_equal(store.cell, np.concatenate([rows for rows, _ in expected]))
    assert np.array_equal(store.energy, np.concatenate([energies for _, energies in expected]))


@pytest.mark.parametrize("pattern", ["any cell", "showers everywhere", "one beam spot"])
def test_lookup(benchmark, cells, pattern):
    benchmark.group = "cell look-up"
    random = np.random.default_rng(2)
    n_hits = 2_000_000
    if pattern == "any cell":
        rows = random.integers(0, cells.n_cells, n_hits)
    else:
        spots = n_hits // root_peers.HITS if pattern == "showers everywhere" else 1
        places = random.integers(0, cells.n_cells - root_peers.SPREAD, (spots, root_peers.LAYERS))
        shower = np.arange(n_hits) * spots // n_hits
        away = np.abs(random.normal(0, root_peers.SPREAD / 6, n_hits)).astype(int) % root_peers.SPREAD
        rows = places[shower, random.integers(0, root_peers.LAYERS, n_hits)] + away
    lookup, ids = CellLookup(cells.cell_id), cells.cell_id[rows].astype(np.uint32)
    assert np.array_equal(lookup.rows(ids), rows)
    benchmark.pedantic(lookup.rows, (ids,), rounds=9, warmup_rounds=1)
    benchmark.extra_info["Mhits/s"] = round(n_hits / benchmark.stats["median"] / 1e6)


def test_lookup_by_binary_search(benchmark, cells):
    benchmark.group = "cell look-up"
    ids = cells.cell_id[np.random.default_rng(2).integers(0, cells.n_cells, 100_000)]
    benchmark.pedantic(rows_by_search, (cells.cell_id, ids), rounds=2)


def test_lookup_building(benchmark, cells):
    benchmark.group = "cell look-up, building"
    benchmark.pedantic(CellLookup, (cells.cell_id,), rounds=5, warmup_rounds=1)
