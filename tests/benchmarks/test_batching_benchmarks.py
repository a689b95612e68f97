"""Hit graphs in the six million cells of the HGCAL: `pytest tests/benchmarks --benchmark-only`.

Cases take turns, so that load on the machine hits all of them; showers per second (median and best of the turns)
and ratios (medians) stand in the extra info of the benchmark. Ratios of processor time do not count waiting for a core.
"""

from __future__ import annotations

from time import perf_counter, process_time

import numpy as np
import pytest

from hgcal_gnn.batching.hit_graphs import HitGraphs
from hgcal_gnn.batching.loader import BatchLoader
from hgcal_gnn.geometry.detector_graph import detector_graph
from hgcal_gnn.showers.store import open_store, write_showers
from tests.benchmarks import batching_peers

BATCH = 64
N_SHOWERS = 6400
TURNS = 40
LOOPED = 8  # showers of a turn that the dict gets


@pytest.fixture(scope="module")
def graph():
    """The whole detector, from the cache or built now."""
    return detector_graph("hgcal")[0]


@pytest.fixture(scope="module")
def store(graph, tmp_path_factory):
    """6,400 showers of 500 hits."""
    path = tmp_path_factory.mktemp("batching") / "cones.arrow"
    write_showers(batching_peers.cone_showers(graph.cells, N_SHOWERS), path)
    return open_store(path)


def test_hit_graphs(benchmark, graph, store):
    benchmark.group = "hit graphs"
    make, on_one_thread = HitGraphs(graph), HitGraphs(graph, n_threads=1)
    linked = HitGraphs(graph, edge_features=True, link_isolated=True)
    place = np.full(graph.n_cells, -1, dtype=np.int64)
    cases = {
        "ours": (make, BATCH),
        "ours, as Batch": (lambda showers: make(showers).to_torch(), BATCH),
        "ours, one thread": (on_one_thread, BATCH),
        "ours, linked and measured": (linked, BATCH),
        "table": (lambda showers: batching_peers.table_per_shower(graph, showers, place), LOOPED),
        "dict": (lambda showers: batching_peers.dict_per_shower(graph, showers), LOOPED),
    }
    elapsed, worked = take_turns(cases, store)
    for name, seconds in elapsed.items():
        benchmark.extra_info[f"{name} [1/s]"] = f"{1 / np.median(seconds):.0f}, best {1 / seconds.min():.0f}"
    for peer in ("table", "dict"):
        benchmark.extra_info[f"{peer} / ours"] = round(float(np.median(elapsed[peer] / elapsed["ours"])), 1)
        ratio = np.median(worked[peer] / worked["ours, one thread"])
        benchmark.extra_info[f"{peer} / ours, one thread, processor time"] = round(float(ratio), 1)
    showers = store.read(slice(0, BATCH))
    benchmark.pedantic(make, (showers,), rounds=20, warmup_rounds=1)
    assert_equal(make(showers), batching_peers.dict_per_shower(graph, showers))
    assert_equal(make(showers), batching_peers.table_per_shower(graph, showers, place))


def take_turns(cases, store):
    """Seconds per shower of every case, [TURNS] each, and of the processor; the first turn compiles."""
    random = np.random.default_rng(1)
    elapsed, worked = ({name: [] for name in cases} for _ in range(2))
    for _ in range(TURNS + 1):
        for name, (case, n_showers) in cases.items():
            showers = store.read(random.integers(0, N_SHOWERS, n_showers))  # other cells for everybody
            start = perf_counter(), process_time()
            case(showers)
            elapsed[name].append((perf_counter() - start[0]) / n_showers)
            worked[name].append((process_time() - start[1]) / n_showers)
    return tuple({name: np.array(values[1:]) for name, values in seconds.items()} for seconds in (elapsed, worked))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_loader(benchmark, graph, store, prefetch):
    benchmark.group = "an epoch of PyG batches"
    loader = BatchLoader(store, HitGraphs(graph), batch_size=BATCH, prefetch=prefetch)
    benchmark.pedantic(lambda: sum(batch.num_nodes for batch in loader), rounds=5, warmup_rounds=1)
    benchmark.extra_info["showers/s"] = round(N_SHOWERS / benchmark.stats["median"])


def assert_equal(batch, graphs):
    """All do the same work."""
    for shower, (index, kind) in enumerate(graphs):
        edges = slice(batch.edge_offsets[shower], batch.edge_offsets[shower + 1])
        assert np.array_equal(batch.edge_index[:, edges] - batch.showers.offsets[shower], index)
        assert np.array_equal(batch.edge_type[edges], kind)
