from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.batching import workers
from hgcal_gnn.batching.hit_graphs import NEAREST, HitGraphs
from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.neighbours.csr import BORDER, INTRA
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import Showers
from tests.batching.made import random_graph, random_showers
from tests.geometry.tables import grid_table


def piece(batch, shower):
    """Edges of one shower, numbered from its first hit, and their types."""
    edges = slice(batch.edge_offsets[shower], batch.edge_offsets[shower + 1])
    return batch.edge_index[:, edges] - batch.showers.offsets[shower], batch.edge_type[edges]


@pytest.fixture
def several_threads(monkeypatch):
    """Let even the smallest batch be shared out."""
    monkeypatch.setattr(workers, "MIN_HITS", 1)


@settings(deadline=None, max_examples=60)
@given(
    n_cells=st.integers(1, 60),
    share=st.sampled_from([0.0, 0.05, 0.4]),
    n_showers=st.integers(0, 9),
    mean_hits=st.sampled_from([0.0, 1.0, 12.0]),
    seed=st.integers(0, 10**6),
    n_threads=st.integers(1, 4),
)
def test_every_graph_is_the_induced_one(n_cells, share, n_showers, mean_hits, seed, n_threads):
    graph = random_graph(n_cells, share, seed)
    showers = random_showers(graph, n_showers, mean_hits, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "MIN_HITS", 1)
        batch = HitGraphs(graph, n_threads=n_threads, edge_features=True)(showers)
    assert len(batch) == n_showers
    assert batch.edge_offsets[-1] == batch.edge_index.shape[1]
    for k in range(n_showers):
        expected = graph.subgraph(showers[k].cell)
        index, kind = piece(batch, k)
        np.testing.assert_array_equal(index, np.stack(expected.edge_list()))
        np.testing.assert_array_equal(kind, expected.edge_type)
        hits = slice(*batch.showers.offsets[k : k + 2])
        assert (batch.batch[hits] == k).all()
        np.testing.assert_array_equal(batch.positions[hits], expected.cells.positions)
        edges = slice(*batch.edge_offsets[k : k + 2])
        measured = expected.edge_features(one_hot=False)
        np.testing.assert_allclose(batch.edge_attr[edges], measured, rtol=1e-6, atol=1e-5)


def test_edges_of_a_row_of_three_and_a_hit_apart():
    # a 3 x 3 grid of cells, numbered by columns: 0 3 6 in the lowest row
    from hgcal_gnn.geometry.build import build_graph

    graph, _ = build_graph(grid_table(3))
    showers = Showers.from_columns(
        {"offsets": [0, 4, 4, 5], "cell": [8, 0, 1, 2, 4], "energy": [1, 2, 3, 4, 5], "incident_energy": [9, 9, 9]},
        metadata=ShowerMetadata(cells_sha256=graph.cells_sha256),
    )
    batch = HitGraphs(graph)(showers)
    np.testing.assert_array_equal(batch.edge_index, [[0, 1, 1, 2], [1, 0, 2, 1]])
    np.testing.assert_array_equal(batch.edge_type, INTRA)
    np.testing.assert_array_equal(batch.edge_offsets, [0, 4, 4, 4])
    np.testing.assert_array_equal(batch.x[:, 0], [2, 3, 4, 1, 5])
    np.testing.assert_array_equal(batch.x[3, 1:], [2, 2, 10])
    assert batch.edge_attr is None

    linked = HitGraphs(graph, link_isolated=True)(showers)
    # cell 8 is 2 cm from cell 2 and further from 0 and 1; the single hit of the last shower has nobody
    np.testing.assert_array_equal(linked.edge_index, [[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    np.testing.assert_array_equal(linked.edge_type, [INTRA, INTRA, INTRA, INTRA, NEAREST, NEAREST])
    np.testing.assert_array_equal(linked.edge_offsets, [0, 6, 6, 6])

    # from cell 8 to 1 and to 3 it is equally far: the first hit is taken
    columns = {"offsets": [0, 4], "cell": [0, 1, 3, 8], "energy": [1, 1, 1, 1], "incident_energy": [9]}
    tied = HitGraphs(graph, link_isolated=True)(Showers.from_columns(columns))
    np.testing.assert_array_equal(tied.edge_index, [[0, 0, 1, 1, 2, 3], [1, 2, 0, 3, 0, 1]])


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), mean_hits=st.sampled_from([1.0, 2.0, 20.0]), n_threads=st.integers(1, 3))
def test_links_of_isolated_hits(seed, mean_hits, n_threads):
    graph = random_graph(50, 0.03, seed)
    showers = random_showers(graph, 6, mean_hits, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "MIN_HITS", 1)
        plain = HitGraphs(graph, n_threads=n_threads)(showers)
        batch = HitGraphs(graph, link_isolated=True, n_threads=n_threads)(showers)
    own = batch.edge_type != NEAREST
    np.testing.assert_array_equal(batch.edge_index[:, own], plain.edge_index)
    for k in range(6):
        index, kind = piece(batch, k)
        position = batch.positions[slice(*batch.showers.offsets[k : k + 2])].astype(np.float64)
        before, _ = piece(plain, k)
        distance = np.linalg.norm(position[:, None] - position[None], axis=2)
        np.fill_diagonal(distance, np.inf)
        expected = set()
        for hit in np.setdiff1d(np.arange(len(position)), before[0]) if len(position) > 1 else ():
            nearest = int(distance[hit].argmin())
            expected |= {(int(hit), nearest), (nearest, int(hit))}
        assert set(map(tuple, index[:, kind == NEAREST].T.tolist())) == expected
        pairs = list(map(tuple, index.T.tolist()))
        assert pairs == sorted(set(pairs))


def test_features_stand_where_the_names_say():
    graph = random_graph(30, 0.2)
    showers = random_showers(graph, 5, 10, time=True)
    make = HitGraphs(graph, hit_features=("time", "energy"), cell_features=("layer", "y", "subdetector"))
    assert make.names == ("time", "energy", "layer", "y", "subdetector")
    batch = make(showers)
    hits, cells = batch.showers, graph.cells
    assert hits.equals(showers.merged())
    expected = [hits.time, hits.energy, cells.layer[hits.cell], cells.y[hits.cell], cells.subdetector[hits.cell]]
    np.testing.assert_array_equal(batch.x, np.column_stack(expected).astype(np.float32))
    np.testing.assert_array_equal(batch.positions[:, 0], cells.x[hits.cell].astype(np.float32))


def test_deposits_of_one_cell_are_one_node():
    graph = random_graph(10, 0.5)
    showers = Showers.from_columns(
        {"offsets": [0, 3], "cell": [7, 2, 7], "energy": [1.0, 2.0, 4.0], "incident_energy": [10.0]}
    )
    batch = HitGraphs(graph)(showers)
    np.testing.assert_array_equal(batch.showers.cell, [2, 7])
    np.testing.assert_array_equal(batch.x[:, 0], [2, 5])


def test_features_that_do_not_exist():
    graph = random_graph(5, 0.5)
    with pytest.raises(UsageError, match="no cell features eta; there are layer, x, y, z"):
        HitGraphs(graph, cell_features=("x", "eta"))
    with pytest.raises(UsageError, match="no cell features cell_id"):
        HitGraphs(graph, cell_features=("cell_id",))
    with pytest.raises(UsageError, match="no hit features mip; there are energy, time"):
        HitGraphs(graph, hit_features=("mip",))
    with pytest.raises(InputError, match="made for tests: the hits have no time"):
        HitGraphs(graph, hit_features=("time",))(random_showers(graph, 2, 3))


@pytest.mark.usefixtures("several_threads")
def test_callers_in_several_threads_do_not_disturb_each_other():
    # one table of places for two callers would mix up their showers
    graph = random_graph(2000, 0.02)
    make = HitGraphs(graph, n_threads=2)
    showers = [random_showers(graph, 20, 200, seed) for seed in range(12)]
    alone = [make(some) for some in showers]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(make, showers))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a.edge_index, b.edge_index)


def _edges_in_child(make, showers, answer):
    answer.put(make(showers).edge_index.shape[1])


@pytest.mark.usefixtures("several_threads")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_works_in_other_processes(method):
    # as a worker of torch's DataLoader; a pool of threads that was copied by fork would wait for ever
    graph = random_graph(60, 0.2)
    make = HitGraphs(graph, n_threads=2)
    showers = random_showers(graph, 8, 20)
    expected = make(showers).edge_index.shape[1]
    context = multiprocessing.get_context(method)
    answer = context.Queue()
    process = context.Process(target=_edges_in_child, args=(make, showers, answer), daemon=True)
    process.start()
    assert answer.get(timeout=120) == expected
    process.join(timeout=60)


def test_survives_pickling_and_many_edges_per_hit():
    graph = random_graph(300, 1.0)  # everybody linked to everybody
    assert (graph.edge_type == BORDER).any()
    showers = random_showers(graph, 3, 100)
    make = pickle.loads(pickle.dumps(HitGraphs(graph)))  # noqa: S301 (our own bytes)
    n_nodes = np.diff(make(showers).showers.offsets)
    np.testing.assert_array_equal(np.diff(make(showers).edge_offsets), n_nodes * (n_nodes - 1))
