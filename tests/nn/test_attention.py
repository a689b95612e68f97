from __future__ import annotations

import pytest
import torch

from hgcal_gnn.nn import attention
from hgcal_gnn.nn.adjacency import Adjacency
from hgcal_gnn.nn.attention import GraphAttention
from tests.nn.graphs import assert_same, gradients, neighbours, random_graphs


@pytest.fixture(params=["kernel", "torch"])
def way(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(attention, "is_compiled_for", lambda *_: False)


def one_by_one(layer, x, position, adjacency):
    """The definition, a node and a head at a time."""
    n_heads, width = layer.score.shape
    rows = []
    for i in range(len(x)):
        columns = []
        for head in range(n_heads):
            mine = slice(head * width, (head + 1) * width)
            scores, values = [], []
            for j, kind in [(i, None), *neighbours(adjacency, i)]:
                seen = layer.own(x[i]) + layer.other(x[j]) + layer.displacement(position[j] - position[i])
                seen = seen if kind is None else seen + layer.edge_type[kind]
                scores.append((torch.nn.functional.leaky_relu(seen[mine], 0.2) * layer.score[head]).sum())
                values.append(layer.other(x[j])[mine])
            columns.append(torch.softmax(torch.stack(scores), dim=0) @ torch.stack(values))
        rows.append(torch.cat(columns))
    return torch.stack(rows)


@pytest.mark.usefixtures("way")
def test_equals_the_definition():
    torch.manual_seed(3)
    adjacency, ptr = random_graphs()
    layer = GraphAttention(5, 6, n_heads=2).double()
    x = torch.randn(adjacency.n_nodes, 5, dtype=torch.float64, requires_grad=True)
    position = torch.randn(adjacency.n_nodes, 3, dtype=torch.float64, requires_grad=True)
    inputs = (x, position, *layer.parameters())
    out, expected = layer(x, position, adjacency, ptr), one_by_one(layer, x, position, adjacency)
    assert_same([out], [expected])
    assert_same(gradients(out, inputs), gradients(expected, inputs))


@pytest.mark.usefixtures("way")
def test_pair_by_hand():
    # the score is the value itself, ln 3 and 0: weights 3/4 and 1/4; the third node is alone
    adjacency = Adjacency(torch.tensor([0, 1, 2, 2]), torch.tensor([1, 0]), torch.zeros(2, dtype=torch.uint8))
    layer = GraphAttention(1, 1, n_heads=1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.other.weight.fill_(1.0)
        layer.score.fill_(1.0)
    x = torch.tensor([[3.0], [1.0], [2.0]]).log()
    out = layer(x, torch.zeros(3, 3), adjacency, torch.tensor([0, 2, 3]))
    torch.testing.assert_close(out, torch.stack([0.75 * x[0], 0.75 * x[0], x[2]]))


@pytest.mark.usefixtures("way")
def test_huge_scores_do_not_overflow():
    torch.manual_seed(0)
    adjacency, ptr = random_graphs()
    layer = GraphAttention(4, 4, n_heads=2)
    x = (1e4 * torch.randn(adjacency.n_nodes, 4)).requires_grad_()
    out = layer(x, torch.zeros(len(x), 3), adjacency, ptr)
    assert torch.isfinite(out).all()
    assert torch.isfinite(gradients(out, [x])[0]).all()


def test_average_of_equal_values_is_that_value():
    torch.manual_seed(0)
    adjacency, ptr = random_graphs()
    layer = GraphAttention(4, 8, n_heads=4)
    x = torch.ones(adjacency.n_nodes, 4)
    out = layer(x, torch.randn(len(x), 3), adjacency, ptr)
    torch.testing.assert_close(out, layer.other(x))


def test_heads_must_share_the_columns():
    with pytest.raises(ValueError, match="3 heads cannot share 8 columns"):
        GraphAttention(4, 8, n_heads=3)


@pytest.mark.usefixtures("way")
def test_no_nodes():
    adjacency, ptr = random_graphs((0, 0))
    assert GraphAttention(4, 8)(torch.zeros(0, 4), torch.zeros(0, 3), adjacency, ptr).shape == (0, 8)
