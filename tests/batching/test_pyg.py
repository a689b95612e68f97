from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.nn import GCNConv

from hgcal_gnn.batching.pyg import save_tensors, to_data
from tests.batching.made import random_graph


def test_data_hold_the_graph():
    graph = random_graph(30, 0.2)
    data = to_data(graph, edge_features=True, columns=("cell_type",))
    np.testing.assert_array_equal(data.edge_index, np.stack(graph.edge_list()))
    np.testing.assert_array_equal(data.edge_attr, graph.edge_features())
    np.testing.assert_array_equal(data.layer, graph.cells.layer)
    assert data.validate()
    assert data.cells_sha256 == graph.cells_sha256
    assert GCNConv(3, 2)(data.pos, data.edge_index).shape == (30, 2)
    assert Batch.from_data_list([data, data]).num_nodes == 60


def test_names_that_pyg_would_shift():
    with pytest.raises(ValueError, match="wafer_index"):
        to_data(random_graph(5, 0.5), columns=("wafer_index",))


def test_tensors_need_no_pickle(tmp_path):
    graph = random_graph(30, 0.2)
    save_tensors(graph, tmp_path / "graph.pt")
    tensors = torch.load(tmp_path / "graph.pt", weights_only=True)
    np.testing.assert_array_equal(tensors["col"], graph.col)
    np.testing.assert_array_equal(tensors["cell_id"].numpy().view(np.uint64), graph.cells.cell_id)
