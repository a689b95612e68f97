"""Hit sets: edges, places, merging, unions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.batching.hit_graphs import HitGraphs
from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.critics.axis_frame import from_axis
from hgcal_gnn.generation.critics.cells import Cells
from hgcal_gnn.nn.adjacency import Adjacency
from tests.batching.made import random_graph, random_showers
from tests.generation.critics.made import N_CELLS, dense_showers, lit_hits, made_cells, particles

close = torch.testing.assert_close


def test_frame_by_hand():
    """In the x-z plane at 45 degrees: larger theta is outwards and down, larger phi is y."""
    half = 0.5**0.5
    direction = torch.tensor([[half, 0, half], [0, 0, 1]], dtype=torch.float64)
    vertex = torch.tensor([[0.0, 0, 1], [0, 0, 0]], dtype=torch.float64)
    position = torch.tensor([[2.0, 3, 1], [4, 5, 6]], dtype=torch.float64)
    close(from_axis(position, vertex, direction), torch.tensor([[2 * half, 3, 2 * half], [4, 5, 6]]).double())


def test_turning_everything_changes_no_place():
    condition, position = particles(6), made_cells().position[:6]
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, -1.1, 0], [1.1, 0, 0], [0, 0, 0]], dtype=torch.float64))
    parts = (position, condition.vertex, condition.direction)
    close(from_axis(*parts), from_axis(*(part @ turn.T for part in parts)))


@settings(deadline=None, max_examples=30)
@given(share=st.sampled_from([0.0, 0.1, 0.6]), mean_hits=st.sampled_from([0.0, 1.0, 12.0]), seed=st.integers(0, 999))
def test_edges_are_those_of_hit_graphs(share, mean_hits, seed):
    graph = random_graph(30, share, seed)
    showers = random_showers(graph, 4, mean_hits, seed)
    edges = Adjacency(*(torch.from_numpy(np.array(part)) for part in (graph.rowptr, graph.col, graph.edge_type)))
    cells = Cells(edges, torch.from_numpy(graph.cells.positions).float(), torch.ones(30), torch.zeros(30, 1))
    made = cells.showers(showers, particles(4))
    wanted = HitGraphs(graph, cell_features=())(showers)
    assert made.cell.tolist() == wanted.showers.cell.tolist()
    assert made.ptr.tolist() == wanted.showers.offsets.tolist()
    close(made.energy, torch.from_numpy(np.array(wanted.showers.energy)))
    assert made.adjacency.row.tolist() == wanted.edge_index[0].tolist()
    assert made.adjacency.col.tolist() == wanted.edge_index[1].tolist()
    assert made.adjacency.edge_type.tolist() == wanted.edge_type.tolist()


def test_region_is_all_cells_as_hits():
    cells, condition = made_cells(), particles(3)
    energy = dense_showers(3, share=1.0)
    region, hits = cells.region(energy, condition), lit_hits(cells, energy, condition)
    for name in ("energy", "cell", "unit", "place", "features", "ptr"):
        close(getattr(region, name), getattr(hits, name))
    for name in ("rowptr", "col", "edge_type"):
        assert torch.equal(getattr(region.adjacency, name), getattr(hits.adjacency, name))


def test_union_by_hand():
    cells, condition = made_cells(), particles(2)
    real = cells.hits(torch.tensor([1.0, 2, 4]).double(), torch.tensor([5, 1, 3]), torch.tensor([0, 2, 3]), condition)
    fake = cells.hits(torch.tensor([8.0, 16, 32]).double(), torch.tensor([1, 1, 0]), torch.tensor([0, 2, 3]), condition)
    joint, other = cells.union(real, fake, condition)
    assert joint.cell.tolist() == [1, 5, 0, 3]
    assert joint.ptr.tolist() == [0, 2, 4]
    assert joint.energy.tolist() == [2, 1, 0, 4]
    assert other.tolist() == [24, 0, 32, 0]


def test_refuses_other_numbers():
    cells = made_cells()
    with pytest.raises(UsageError, match=f"{N_CELLS} cells"):
        cells.region(torch.zeros(2, N_CELLS + 1), particles(2))
    with pytest.raises(UsageError, match="2 showers"):
        cells.region(torch.zeros(2, N_CELLS), particles(3))
    with pytest.raises(UsageError, match="1 showers"):
        cells.hits(torch.zeros(1), torch.zeros(1, dtype=torch.long), torch.tensor([0, 1]), particles(2))
