from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from hgcal_gnn.batching import loader as loader_module
from hgcal_gnn.batching.hit_graphs import HitGraphs
from hgcal_gnn.batching.loader import BatchLoader
from hgcal_gnn.batching.order import split_rows
from hgcal_gnn.batching.regions import RegionGraphs
from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.showers.store import open_store, write_showers
from tests.batching.made import random_graph, random_showers

N_SHOWERS = 9000  # two record batches


@pytest.fixture(scope="module")
def graph():
    return random_graph(50, 0.1)


@pytest.fixture(scope="module")
def store(graph, tmp_path_factory):
    path = tmp_path_factory.mktemp("loader") / "showers.arrow"
    write_showers(random_showers(graph, N_SHOWERS, 4), path)
    return open_store(path)


def ids(batches):
    return [batch.event_id.tolist() for batch in batches]


def loader(store, graph, **options):
    return BatchLoader(store, HitGraphs(graph), **{"batch_size": 256, "seed": 3, **options})


def test_an_epoch_is_the_store_in_another_order(store, graph):
    batches = list(loader(store, graph))
    assert len(batches) == len(loader(store, graph)) == 36
    numbers = np.concatenate(ids(batches))
    assert sorted(numbers) == list(range(N_SHOWERS))
    assert (numbers != np.arange(N_SHOWERS)).mean() > 0.99
    energy = sum(float(batch.x[:, 0].double().sum()) for batch in batches)
    assert energy == pytest.approx(store.read(slice(None)).visible.sum(), rel=1e-6)
    first = store.read(np.array(ids(batches)[0]))
    np.testing.assert_array_equal(batches[0].incident_energy, first.incident_energy)


def test_each_iteration_is_an_epoch_of_its_own(store, graph):
    one = loader(store, graph)
    epochs = [ids(one), ids(one)]
    assert epochs[0] != epochs[1]
    again = loader(store, graph, epoch=1)
    assert ids(again) == epochs[1]
    again.set_epoch(0)
    assert ids(again) == epochs[0]


def test_prefetching_changes_nothing(store, graph):
    assert ids(loader(store, graph, prefetch=3)) == ids(loader(store, graph))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_goes_on_where_it_was(store, graph, prefetch):
    whole = loader(store, graph)
    expected = [ids(whole), ids(whole)]
    started = loader(store, graph, prefetch=prefetch)
    list(started)
    batches = iter(started)
    for _ in range(5):
        next(batches)
    state = started.state_dict()
    assert (state["epoch"], state["batch"]) == (1, 5)
    resumed = loader(store, graph, prefetch=prefetch)
    resumed.load_state_dict(state)
    resumed.set_epoch(1)  # what a training loop does at the start of each epoch must not lose the place
    assert ids(resumed) == expected[1][5:]
    assert ids(resumed) == ids(loader(store, graph, epoch=2))


def test_state_at_the_end_of_an_epoch_starts_the_next(store, graph):
    one, other = loader(store, graph), loader(store, graph)
    list(one)
    other.load_state_dict(one.state_dict())
    assert ids(other) == ids(one)


def test_an_abandoned_iteration_is_forgotten(store, graph):
    one = loader(store, graph, shuffle=False)
    next(iter(one))
    assert len(list(one)) == len(one)


def test_other_settings_cannot_go_on(store, graph):
    state = loader(store, graph).state_dict()
    with pytest.raises(UsageError, match="seed 4 instead of 3"):
        loader(store, graph, seed=4).load_state_dict(state)


def test_parts_have_nothing_in_common(store, graph):
    parts = split_rows(len(store), seed=1)
    seen = [np.concatenate(ids(loader(store, graph, rows=rows))) for rows in parts]
    assert [len(part) for part in seen] == [7200, 900, 900]
    assert len(np.unique(np.concatenate(seen))) == N_SHOWERS


def test_showers_in_memory_and_arrays(store, graph):
    showers = store.read(slice(None))
    in_memory = loader(showers, graph, as_torch=False)
    for ours, theirs in zip(in_memory, loader(store, graph), strict=True):
        np.testing.assert_array_equal(ours.edge_index, theirs.edge_index)
        assert isinstance(ours.edge_index, np.ndarray)


def test_other_makers(store, graph):
    batch = next(iter(BatchLoader(store, RegionGraphs(graph), batch_size=8)))
    assert batch.x.shape == (8, 50, 1)
    assert isinstance(batch.x, torch.Tensor)


def test_geometry_is_checked_before_the_first_batch(store):
    with pytest.raises(GeometryMismatchError, match=r"showers.arrow: made with another geometry"):
        loader(store, random_graph(50, 0.1, seed=9))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_errors_reach_the_caller_and_leave_no_thread(store, graph, prefetch):
    class Broken(HitGraphs):
        def __call__(self, _showers):
            msg = "a bad batch"
            raise InputError(msg)

    before = threading.active_count()
    with pytest.raises(InputError, match="a bad batch"):
        list(BatchLoader(store, Broken(graph), prefetch=prefetch))
    assert threading.active_count() <= before


def test_leaving_early_leaves_no_thread(store, graph):
    make = HitGraphs(graph, n_threads=1)
    before = threading.active_count()
    batches = iter(BatchLoader(store, make, prefetch=4))
    next(batches)
    batches.close()
    assert threading.active_count() <= before


def test_pages_are_given_back(store, graph, monkeypatch):
    released = []
    monkeypatch.setattr(loader_module, "RELEASE_HITS", 10_000)
    monkeypatch.setattr(type(store), "release", lambda _store, number=None: released.append(number))
    list(loader(store, graph))
    # 36 batches of about 1,024 hits: every 10
    assert len(released) == 3
