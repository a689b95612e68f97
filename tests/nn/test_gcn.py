"""Graph convolutions against those of PyTorch Geometric, in double precision: outputs and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch_geometric.nn import GCNConv, global_mean_pool

from hgcal_gnn.nn import norm_relu as norm_relu_module
from hgcal_gnn.nn import propagate as propagate_module
from hgcal_gnn.nn import relu_pool as relu_pool_module
from hgcal_gnn.nn.adjacency import Adjacency
from hgcal_gnn.nn.gcn import GraphConvolution, NormConvolution, PooledConvolution, linear_norm_relu
from hgcal_gnn.nn.norm_relu import norm_relu, running_line
from hgcal_gnn.nn.propagate import propagate
from hgcal_gnn.nn.relu_pool import propagate_relu_pool
from tests.nn.batches import BATCHES, edge_index, numbers, random_graphs

EXACT = {"rtol": 1e-10, "atol": 1e-10}
close = torch.testing.assert_close


@pytest.fixture(params=["compiled", "torch"])
def path(request, monkeypatch):
    """Both ways through the code, the kernels and what runs on a GPU."""
    if request.param == "torch":
        for module in (propagate_module, norm_relu_module, relu_pool_module):
            monkeypatch.setattr(module, "is_compiled_for", lambda *_: False)
    return request.param


def gradients(out, *inputs):
    """Of a sum of all outputs with weights, so that none can hide behind another."""
    weights = torch.linspace(0.5, 2, out.numel(), dtype=out.dtype).reshape(out.shape)
    return torch.autograd.grad((out * weights).sum(), inputs)


def test_two_nodes_by_hand():
    """0 - 1 and 2 alone: degrees with the loop 2, 2, 1; weights 1/2 everywhere among the two, 1 at the third."""
    adjacency = Adjacency(torch.tensor([0, 1, 2, 2]), torch.tensor([1, 0]), torch.zeros(2, dtype=torch.uint8))
    close(propagate(torch.tensor([[2.0], [4.0], [5.0]]), adjacency), torch.tensor([[3.0], [3.0], [5.0]]))


@settings(deadline=None, max_examples=40)
@given(batch=BATCHES)
def test_propagate_is_a_product_with_the_normalised_matrix(batch):
    adjacency, _ = random_graphs(*batch)
    matrix = torch.eye(adjacency.n_nodes, dtype=torch.float64)
    matrix[adjacency.row, adjacency.col] = 1
    root = matrix.sum(1).rsqrt()
    matrix = root[:, None] * matrix * root
    x = numbers(adjacency.n_nodes, 3)
    out = propagate(x, adjacency)
    close(out, matrix @ x, **EXACT)
    close(gradients(out, x), gradients(matrix @ x, x), **EXACT)


@pytest.mark.parametrize(("n_in", "n_out"), [(3, 7), (7, 3), (5, 5)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.usefixtures("path")
def test_convolution_equals_pyg(n_in, n_out, bias):
    adjacency, _ = random_graphs([20, 0, 1, 15], 0.2)
    ours, theirs = GraphConvolution(n_in, n_out, bias=bias).double(), GCNConv(n_in, n_out, bias=bias).double()
    ours.linear.weight.data.copy_(theirs.lin.weight)
    pairs = [(ours.linear.weight, theirs.lin.weight)]
    if bias:
        theirs.bias.data.normal_()
        ours.bias.data.copy_(theirs.bias)
        pairs.append((ours.bias, theirs.bias))
    x = numbers(36, n_in)
    here, there = ours(x, adjacency), theirs(x, edge_index(adjacency))
    close(here, there, **EXACT)
    mine, peers = zip(*pairs, strict=True)
    close(gradients(here, x, *mine), gradients(there, x, *peers), **EXACT)


@pytest.mark.parametrize(("n_in", "n_out"), [(3, 8), (8, 8), (8, 3)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.usefixtures("path")
def test_convolution_with_batch_norm_equals_pyg(n_in, n_out, training):
    """All three orders of the sums: folded into the few columns that enter, before the linear map, after it."""
    adjacency, _ = random_graphs([30, 1, 0, 25], 0.1)
    convolution, norm = GCNConv(n_in, n_out).double(), nn.BatchNorm1d(n_out).double()
    ours = NormConvolution(n_in, n_out).double()
    for values in (convolution.bias, norm.weight, norm.bias):
        values.data.normal_()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    ours.norm.load_state_dict(norm.state_dict())
    ours.norm.running_mean -= convolution.bias.detach()  # the bias that batch norm takes away
    ours.convolution.linear.weight.data.copy_(convolution.lin.weight)
    ours.train(training), norm.train(training)
    x = numbers(56, n_in)
    here, there = ours(x, adjacency), norm(convolution(x, edge_index(adjacency))).relu()
    close(here, there, **EXACT)
    mine = ours.convolution.linear.weight, ours.norm.weight, ours.norm.bias
    peers = convolution.lin.weight, norm.weight, norm.bias
    close(gradients(here, x, *mine), gradients(there, x, *peers), **EXACT)
    close(ours.norm.running_mean + convolution.bias, norm.running_mean, **EXACT)
    close(ours.norm.running_var, norm.running_var, **EXACT)
    assert ours.norm.num_batches_tracked == norm.num_batches_tracked


@pytest.mark.parametrize("sizes", [[600, 300], [2], [3, 0]])
def test_batch_norm_with_relu_equals_torch(sizes):
    """More rows than a block, not a multiple of it; columns far from 0, where squares lose digits."""
    ours, theirs = (nn.BatchNorm1d(5, momentum=0.3).double() for _ in range(2))
    for norm in (ours, theirs):
        norm.weight.data.copy_(torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]))
        norm.bias.data.copy_(torch.tensor([0.3, -0.1, 0.0, 1.0, -1.0]))
    x = numbers(sum(sizes), 5, grad=False)
    x += torch.tensor([0.0, 10.0, -100.0, 1.0, 0.0])
    x.requires_grad_()
    here, there = norm_relu(x, ours), theirs(x).relu()
    close(here, there, rtol=1e-9, atol=1e-9)
    close(gradients(here, x, *ours.parameters()), gradients(there, x, *theirs.parameters()), rtol=1e-8, atol=1e-8)
    close(dict(ours.named_buffers()), dict(theirs.named_buffers()), **EXACT)


def test_batch_norm_folded_into_a_linear_map():
    """Columns that go together or do not vary at all have a singular covariance."""
    x = numbers(200, 3, grad=False)
    x[:, 1], x[:, 2] = 2 * x[:, 0], 7.0
    weight = numbers(6, 3, seed=1)
    ours, theirs = (nn.BatchNorm1d(6).double() for _ in range(2))
    here, there = linear_norm_relu(x, weight, ours), theirs(x @ weight.T).relu()
    close(here, there, **EXACT)
    close(gradients(here, weight, *ours.parameters()), gradients(there, weight, *theirs.parameters()), **EXACT)
    close(dict(ours.named_buffers()), dict(theirs.named_buffers()), **EXACT)


@pytest.mark.parametrize("n_nodes", [0, 1])
def test_a_batch_of_hardly_any_hits_leaves_batch_norm_alone(n_nodes):
    adjacency, _ = random_graphs([n_nodes], 0.0)
    layer = NormConvolution(3, 8).train()
    before = layer.norm.running_var.clone()
    assert layer(torch.ones(n_nodes, 3), adjacency).isfinite().all()
    assert torch.equal(layer.norm.running_var, before)


def test_running_line_is_batch_norm_outside_training():
    norm = nn.BatchNorm1d(4).double().eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    scale, shift = running_line(norm)
    x = numbers(9, 4)
    close(x * scale + shift, norm(x), **EXACT)


@settings(deadline=None, max_examples=40)
@given(batch=BATCHES)
def test_pooled_convolution_equals_pyg(batch):
    adjacency, ptr = random_graphs(*batch)
    n_graphs = len(ptr) - 1
    ours, theirs = PooledConvolution(4, 6).double(), GCNConv(4, 6).double()
    ours.convolution.linear.weight.data.copy_(theirs.lin.weight)
    theirs.bias.data.normal_()
    ours.bias.data.copy_(theirs.bias)
    x = numbers(adjacency.n_nodes, 4)
    graph = torch.repeat_interleave(torch.arange(n_graphs), ptr.diff())
    here = ours(x, adjacency, ptr)
    there = global_mean_pool(theirs(x, edge_index(adjacency)).relu(), graph, n_graphs)
    close(here, there, **EXACT)
    mine, peers = (ours.convolution.linear.weight, ours.bias), (theirs.lin.weight, theirs.bias)
    close(gradients(here, x, *mine), gradients(there, x, *peers), **EXACT)


@pytest.mark.usefixtures("path")
def test_gradients_by_differences():
    adjacency, ptr = random_graphs([5, 0, 4], 0.5)
    x, bias, norm = numbers(9, 3), numbers(3, seed=2), nn.BatchNorm1d(3).double()
    assert torch.autograd.gradcheck(lambda x: propagate(x, adjacency), (x,))
    assert torch.autograd.gradcheck(lambda x, bias: propagate_relu_pool(x, bias, adjacency, ptr), (x, bias))
    norm.momentum = 0.0  # the check calls many times
    assert torch.autograd.gradcheck(lambda x: norm_relu(x, norm), (x,))


def test_nothing_is_kept_where_no_gradient_is_wanted():
    adjacency, ptr = random_graphs([5, 4], 0.5)
    with torch.inference_mode():
        pooled = propagate_relu_pool(numbers(9, 3, grad=False), torch.zeros(3).double(), adjacency, ptr)
    close(pooled, propagate_relu_pool(numbers(9, 3), torch.zeros(3).double(), adjacency, ptr))


def test_nan_is_not_hidden_by_relu():
    """A loss that is NaN stops the training; a kernel that turned NaN to 0 would let it go on with nonsense."""
    adjacency, ptr = random_graphs([4], 1.0)
    x = torch.ones(4, 2)
    x[1, 0] = torch.nan
    pooled = propagate_relu_pool(x, torch.zeros(2), adjacency, ptr)
    assert pooled.isnan().tolist() == [[True, False]]
    assert norm_relu(x, nn.BatchNorm1d(2)).isnan()[:, 0].all()


def test_rows_need_not_lie_side_by_side():
    adjacency, ptr = random_graphs([6], 0.5)
    wide = numbers(6, 8, grad=False)
    part = wide[:, 2:5]
    close(propagate(part, adjacency), propagate(part.clone(), adjacency))
    bias = torch.zeros(3).double()
    close(propagate_relu_pool(part, bias, adjacency, ptr), propagate_relu_pool(part.clone(), bias, adjacency, ptr))
    close(norm_relu(part, nn.BatchNorm1d(3).double()), norm_relu(part.clone(), nn.BatchNorm1d(3).double()))


def test_half_precision():
    adjacency, ptr = random_graphs([30, 20], 0.2)
    x, layer, last = numbers(50, 4, dtype=torch.float32), NormConvolution(4, 8), PooledConvolution(8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = last(layer(x, adjacency), adjacency, ptr)
    layer.norm.reset_running_stats()
    close(half.float(), last(layer(x, adjacency), adjacency, ptr), rtol=0.1, atol=0.05)
    half.float().sum().backward()
    assert layer.convolution.linear.weight.grad.isfinite().all()
