from __future__ import annotations

import pytest
import torch

from hgcal_gnn.nn import largest
from hgcal_gnn.nn.adjacency import Adjacency
from hgcal_gnn.nn.edge_conv import EdgeConv
from tests.nn.graphs import assert_same, gradients, neighbours, random_graphs


@pytest.fixture(params=["kernel", "torch"])
def way(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(largest, "is_compiled_for", lambda *_: False)


def one_by_one(layer, x, position, adjacency):
    """The definition: an edge at a time, its input written out."""
    first = torch.cat([layer.own.weight, layer.step.weight, layer.displacement.weight], dim=1)
    rows = []
    for i in range(len(x)):
        messages = []
        for j in [i, *(j for j, _ in neighbours(adjacency, i))]:
            seen = torch.cat([x[i], x[j] - x[i], position[j] - position[i]])
            message = torch.relu(first @ seen + layer.own.bias)
            messages.append(message if layer.second is None else torch.relu(layer.second(message)))
        rows.append(torch.stack(messages).amax(dim=0))
    return torch.stack(rows)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.usefixtures("way")
def test_equals_the_definition(deep):
    torch.manual_seed(3)
    adjacency, _ = random_graphs()
    layer = EdgeConv(5, 6, deep=deep).double()
    x = torch.randn(adjacency.n_nodes, 5, dtype=torch.float64, requires_grad=True)
    position = torch.randn(adjacency.n_nodes, 3, dtype=torch.float64, requires_grad=True)
    inputs = (x, position, *layer.parameters())
    out, expected = layer(x, position, adjacency), one_by_one(layer, x, position, adjacency)
    assert_same([out], [expected])
    assert_same(gradients(out, inputs), gradients(expected, inputs))


@pytest.mark.usefixtures("way")
def test_chain_by_hand():
    # 0 - 1 - 2, node 3 alone; one column, the message is relu(x_j - x_i + p_j - p_i)
    adjacency = Adjacency(torch.tensor([0, 1, 3, 4, 4]), torch.tensor([1, 0, 2, 1]), torch.zeros(4, dtype=torch.uint8))
    layer = EdgeConv(1, 1)
    with torch.no_grad():
        for linear in (layer.own, layer.step, layer.displacement):
            linear.weight.zero_()
        layer.own.bias.zero_()
        layer.step.weight.fill_(1.0)
        layer.displacement.weight[0, 2] = 1.0
    position = torch.zeros(4, 3)
    position[2, 2] = -3.0
    out = layer(torch.tensor([[1.0], [2.0], [7.0], [5.0]]), position, adjacency)
    # 0: 2 - 1; 1: 7 - 2 - 3; 2: its neighbour 1 is smaller by 5 - 3, so itself; 3: itself
    assert out.flatten().tolist() == [1, 2, 0, 0]


def test_single_precision_and_threads_do_not_matter():
    torch.manual_seed(1)
    adjacency, _ = random_graphs((40, 30), share=0.2)
    layer, x, position = EdgeConv(8, 8), torch.randn(70, 8), torch.randn(70, 3)
    out = layer(x, position, adjacency)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert torch.equal(layer(x, position, adjacency), out)
    finally:
        torch.set_num_threads(before)
    double = layer.double()(x.double(), position.double(), adjacency)
    torch.testing.assert_close(out.double(), double, rtol=1e-5, atol=1e-5)


def test_half_precision_under_autocast():
    torch.manual_seed(1)
    adjacency, _ = random_graphs()
    layer, x, position = EdgeConv(8, 8), torch.randn(22, 8), torch.randn(22, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x, position, adjacency)
    torch.testing.assert_close(out.float(), layer(x, position, adjacency), rtol=0.1, atol=0.1)


@pytest.mark.usefixtures("way")
def test_no_nodes():
    adjacency, _ = random_graphs((0, 0))
    assert EdgeConv(4, 8)(torch.zeros(0, 4), torch.zeros(0, 3), adjacency).shape == (0, 8)
