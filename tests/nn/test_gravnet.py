from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from hgcal_gnn.nn import gravnet, nearest_nodes
from hgcal_gnn.nn.gravnet import GravNet
from hgcal_gnn.nn.nearest_nodes import nearest_of_padded
from tests.nn.graphs import assert_same, gradients

PTR = torch.tensor([0, 12, 12, 13, 16, 40])  # an empty graph, a single node, one smaller than k


@pytest.fixture(params=["kernel", "torch"])
def way(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(gravnet, "is_compiled_for", lambda *_: False)
        monkeypatch.setattr(nearest_nodes, "is_compiled_for", lambda *_: False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("k", [1, 5, 30])
@pytest.mark.usefixtures("way")
def test_nearest_are_those_of_scipy(k, dtype):
    torch.manual_seed(0)
    place = torch.randn(40, 4, dtype=torch.float64).to(dtype)
    found = nearest_nodes.nearest_nodes(place, PTR, k)
    assert found.shape == (40, k)
    for first, last in pairwise(PTR.tolist()):
        points = place[first:last].double().numpy()
        wanted = min(k, len(points) - 1)
        assert (found[first:last, max(wanted, 0) :] == -1).all()
        if wanted > 0:
            distance, nearest = cKDTree(points).query(points, k=wanted + 1)
            if dtype == torch.bfloat16:  # equal distances may come in any order
                chosen = points[found[first:last, :wanted].numpy() - first]
                np.testing.assert_allclose(np.linalg.norm(chosen - points[:, None], axis=2), distance[:, 1:], rtol=1e-5)
            else:
                np.testing.assert_array_equal(found[first:last, :wanted] - first, nearest[:, 1:])


def test_padded_search_in_pieces(monkeypatch):
    torch.manual_seed(0)
    place = torch.randn(40, 3)
    whole = nearest_of_padded(place, PTR, 6)
    monkeypatch.setattr(nearest_nodes, "MOST_DISTANCES", 1)  # one graph at a time
    assert torch.equal(nearest_of_padded(place, PTR, 6), whole)
    assert torch.equal(nearest_nodes.nearest_nodes(place, PTR, 6), whole)


def one_by_one(layer, x, ptr):
    """The definition, a node at a time, over all nodes of its graph."""
    place, sent = layer.space(x), layer.sent(x)
    rows = []
    for first, last in pairwise(ptr.tolist()):
        for i in range(first, last):
            others = [j for j in range(first, last) if j != i]
            square = {j: (place[j] - place[i]).square().sum() for j in others}
            nearest = sorted(others, key=lambda j, square=square: square[j].item())[: layer.k]
            messages = [torch.exp(-10 * square[j]) * sent[j] for j in nearest] or [torch.zeros_like(sent[i])]
            stacked = torch.stack(messages)
            rows.append(torch.tanh(layer.leave(torch.cat([x[i], stacked.mean(dim=0), stacked.amax(dim=0)]))))
    return torch.stack(rows)


@pytest.mark.parametrize("k", [3, 30])
@pytest.mark.usefixtures("way")
def test_equals_the_definition(k):
    torch.manual_seed(3)
    layer = GravNet(5, 6, n_space=3, n_sent=7, k=k).double()
    x = torch.randn(40, 5, dtype=torch.float64, requires_grad=True)
    inputs = (x, *(parameter for name, parameter in layer.named_parameters() if name != "space.bias"))
    out, expected = layer(x, PTR), one_by_one(layer, x, PTR)
    assert_same([out], [expected])
    assert_same(gradients(out, inputs), gradients(expected, inputs), tolerance=1e-10)


@pytest.mark.usefixtures("way")
def test_two_nodes_by_hand():
    layer = GravNet(1, 2, n_space=1, n_sent=1, k=4)
    with torch.no_grad():
        layer.space.weight.fill_(1.0)
        layer.sent.weight.fill_(2.0)
        layer.sent.bias.zero_()
        layer.leave.weight.copy_(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
        layer.leave.bias.zero_()
    x = torch.tensor([[0.0], [0.1], [3.0]])
    out = layer(x, torch.tensor([0, 2, 3]))
    # what the first one gets: exp(-10 x 0.01) x 2 x 0.1; the second one 0; the third one has nobody
    expected = np.tanh(np.exp(-0.1) * 0.2)
    torch.testing.assert_close(out, torch.tensor([[expected, expected], [0, 0], [0, 0]], dtype=torch.float32))


@pytest.mark.usefixtures("way")
def test_no_nodes():
    out = GravNet(3, 4)(torch.zeros(0, 3), torch.tensor([0, 0, 0]))
    assert out.shape == (0, 4)
