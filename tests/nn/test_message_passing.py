"""Messages in compiled kernels against the formula written out in torch, in double precision."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings

from hgcal_gnn.nn import messages
from hgcal_gnn.nn.adjacency import Adjacency
from hgcal_gnn.nn.message_passing import MessagePassing
from hgcal_gnn.nn.messages import N_EDGE_TYPES, sum_messages
from tests.nn.batches import BATCHES, numbers, random_graphs

EXACT = {"rtol": 1e-10, "atol": 1e-10}
close = torch.testing.assert_close


def in_torch(own, other, of_type, adjacency):
    """The fallback, as it runs on a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(messages, "is_compiled_for", lambda *_: False)
        return sum_messages(own, other, of_type, adjacency)


@pytest.mark.parametrize("way", [sum_messages, in_torch])
def test_by_hand(way):
    """0 has 1 in the next layer, so 1 has 0 in the previous one; 2 is alone."""
    adjacency = Adjacency(torch.tensor([0, 1, 2, 2]), torch.tensor([1, 0]), torch.tensor([2, 3], dtype=torch.uint8))
    own, other = torch.tensor([[1.0, 0], [10, 0], [100, 0]]), torch.tensor([[0.5, -9], [0.25, 1], [7, 7]])
    of_type = torch.tensor([[0.0, 0], [0, 0], [2, 0], [-3, 0], [0, 0]])
    assert way(own, other, of_type, adjacency).tolist() == [[3.25, 1], [7.5, 0], [0, 0]]


@settings(deadline=None, max_examples=60)
@given(batch=BATCHES)
def test_kernels_equal_the_formula(batch):
    adjacency, _ = random_graphs(*batch)
    n, seed = adjacency.n_nodes, batch[2]
    given_ = numbers(n, 3, seed=seed), numbers(n, 3, seed=seed + 1), numbers(N_EDGE_TYPES, 3, seed=seed + 2)
    here, there = sum_messages(*given_, adjacency), in_torch(*given_, adjacency)
    close(here, there, **EXACT)
    weights = numbers(n, 3, seed=seed + 3, grad=False)
    mine, peers = (torch.autograd.grad((out * weights).sum(), given_) for out in (here, there))
    close(mine, peers, **EXACT)


def test_more_rows_than_a_block():
    """Types are summed by blocks of rows."""
    adjacency, _ = random_graphs([400, 300], 0.02)
    given_ = numbers(700, 4), numbers(700, 4, seed=1), numbers(N_EDGE_TYPES, 4, seed=2)
    mine, peers = (torch.autograd.grad(way(*given_, adjacency).sum(), given_) for way in (sum_messages, in_torch))
    close(mine, peers, **EXACT)


@pytest.mark.parametrize("way", [sum_messages, in_torch])
def test_gradients_by_differences(way):
    adjacency, _ = random_graphs([4, 0, 5], 0.6)
    given_ = numbers(9, 2), numbers(9, 2, seed=1), numbers(N_EDGE_TYPES, 2, seed=2)
    assert torch.autograd.gradcheck(lambda *args: way(*args, adjacency), given_)


def test_nan_is_not_hidden_by_relu():
    adjacency, _ = random_graphs([3], 1.0)
    own = torch.zeros(3, 2)
    own[1, 0] = torch.nan
    found = sum_messages(own, torch.ones(3, 2), torch.zeros(N_EDGE_TYPES, 2), adjacency)
    assert found.isnan().tolist() == [[False, False], [True, False], [False, False]]


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_layer_is_the_formula_of_its_docstring(reduce):
    adjacency, _ = random_graphs([12, 1, 8], 0.3)
    layer = MessagePassing(6, 4, reduce=reduce).double()
    x, position = numbers(21, 6), numbers(21, 3, seed=1, grad=False)
    row, col = adjacency.row, adjacency.col
    apart = position[col] - position[row]
    at_edges = layer.own(x)[row] + layer.other(x)[col] + layer.displacement(apart)
    at_edges = (at_edges + layer.edge_type[adjacency.edge_type.long()]).relu()
    message = torch.zeros(21, 4, dtype=torch.float64).index_add(0, row, at_edges)
    if reduce == "mean":
        message = message / adjacency.degree.clamp(min=1)[:, None]
    expected = x + layer.change((layer.keep(x) + layer.receive(message)).relu())
    here = layer(x, position, adjacency)
    close(here, expected, **EXACT)
    known = (x, *layer.parameters())
    mine, peers = (torch.autograd.grad(out.square().sum(), known) for out in (here, expected))
    close(mine, peers, **EXACT)


def test_moving_all_nodes_changes_nothing():
    adjacency, _ = random_graphs([10], 0.4)
    layer, x, position = MessagePassing(5, 3).double(), numbers(10, 5), numbers(10, 3, grad=False)
    close(layer(x, position + 7.0, adjacency), layer(x, position, adjacency), **EXACT)


def test_half_precision():
    adjacency, _ = random_graphs([20], 0.3)
    layer, x, position = MessagePassing(5, 3), numbers(20, 5, dtype=torch.float32), torch.zeros(20, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = layer(x, position, adjacency)
    close(half.float(), layer(x, position, adjacency), rtol=0.1, atol=0.1)
