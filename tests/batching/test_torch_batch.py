from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCNConv, RGCNConv, global_mean_pool

from hgcal_gnn.batching.hit_graphs import HitGraphs
from hgcal_gnn.batching.regions import RegionGraphs
from tests.batching.made import random_graph, random_showers


@pytest.fixture
def graph():
    return random_graph(60, 0.15)


@pytest.fixture
def showers(graph):
    showers = random_showers(graph, 7, 9)
    assert 0 in random_showers(graph, 7, 1).n_hits
    return showers


def from_list(batch):
    """The same batch, collated by PyTorch Geometric from single graphs."""
    return Batch.from_data_list(batch.to_data_list())


def assert_same(ours, theirs):
    assert sorted(ours.keys()) == sorted(theirs.keys())
    for name in ours.keys():  # noqa: SIM118 (iterating over a batch gives its graphs)
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("mean_hits", [0.0, 1.0, 9.0])
def test_hit_graphs_are_what_pyg_would_collate(graph, mean_hits):
    arrays = HitGraphs(graph, edge_features=True)(random_showers(graph, 7, mean_hits))
    batch = arrays.to_torch()
    assert isinstance(batch, Batch)
    assert isinstance(batch, Data)
    assert batch.num_graphs == len(batch) == 7
    assert batch.num_nodes == len(arrays.x)
    assert batch.validate()
    assert_same(batch, from_list(batch))


def test_single_showers_come_back(graph, showers):
    batch = HitGraphs(graph)(showers).to_torch()
    for k, data in enumerate(batch.to_data_list()):
        expected = graph.subgraph(showers[k].cell)
        np.testing.assert_array_equal(data.edge_index, np.stack(expected.edge_list()))
        np.testing.assert_array_equal(data.cell, np.unique(showers[k].cell))
        assert data.incident_energy.tolist() == showers.incident_energy[k : k + 1].tolist()
        assert data.pdg_id.dtype == torch.int64
        assert data.direction.shape == data.vertex.shape == (1, 3)
        assert data.f_em == showers.f_em[k]
    assert batch[3].edge_index.shape == batch.to_data_list()[3].edge_index.shape


def test_layers_of_pyg_run(graph, showers):
    batch = HitGraphs(graph)(showers).to_torch()
    hidden = GCNConv(4, 8)(batch.x, batch.edge_index)
    assert RGCNConv(8, 8, num_relations=5)(hidden, batch.edge_index, batch.edge_type).shape == (batch.num_nodes, 8)
    assert global_mean_pool(hidden, batch.batch, batch.num_graphs).shape == (7, 8)


def test_arrays_of_a_file_may_be_read_only(graph, showers):
    locked = showers.copy()
    for values in locked.columns().values():
        values.flags.writeable = False
    HitGraphs(graph)(locked).to_torch()  # torch would warn of read-only arrays


def test_region_as_static_graph_and_as_batch(graph, showers):
    make = RegionGraphs(graph.subgraph(np.arange(5, 40)), cell_features=("x",))
    region = make(showers)
    static, batch = region.to_torch(), region.to_batch()
    assert static.num_nodes == 35
    assert static.x.shape == (7, 35, 2)
    assert batch.num_graphs == 7
    assert_same(batch, from_list(batch))
    torch.manual_seed(1)
    layer = GCNConv(2, 3)
    one = layer(static.x, static.edge_index)
    torch.testing.assert_close(one.reshape(-1, 3), layer(batch.x, batch.edge_index))
    torch.testing.assert_close(static.outside_energy, batch.outside_energy)
