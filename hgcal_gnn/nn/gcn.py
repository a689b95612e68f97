"""Graph convolutions of Kipf and Welling, alone and with what follows them in a network, as one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.nn.norm_relu import count_batch, norm_relu, running_line
from hgcal_gnn.nn.propagate import propagate, propagate_present
from hgcal_gnn.nn.relu_pool import propagate_relu_pool

if TYPE_CHECKING:
    from hgcal_gnn.nn.adjacency import Adjacency


class GraphConvolution(nn.Module):
    """x' = D^-1/2 (A + 1) D^-1/2 x W^T + bias: `GCNConv` of PyTorch Geometric with its defaults.

    Sums over neighbours on the side with fewer columns.

    Parameters
    ----------
    n_in, n_out
        Columns.
    bias
        Add one.
    """

    def __init__(self, n_in: int, n_out: int, *, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out, bias=False)
        nn.init.xavier_uniform_(self.linear.weight)  # as the authors do
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None

    def forward(self, x: Tensor, adjacency: Adjacency, presence: Tensor | None = None) -> Tensor:
        """Return [n_nodes, n_out] of [n_nodes, n_in]; `presence` [n_nodes]: how far nodes are there."""
        if presence is not None:
            return functional.linear(propagate_present(x, presence, adjacency), self.linear.weight, self.bias)
        n_out, n_in = self.linear.weight.shape
        if n_in <= n_out:
            return functional.linear(propagate(x, adjacency), self.linear.weight, self.bias)
        changed = propagate(self.linear(x), adjacency)
        return changed if self.bias is None else changed + self.bias


class NormConvolution(nn.Module):
    """Graph convolution, batch norm and ReLU.

    The convolution has no bias: batch norm would take it away again.

    Parameters
    ----------
    n_in, n_out
        Columns.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.convolution = GraphConvolution(n_in, n_out, bias=False)
        self.norm = nn.BatchNorm1d(n_out)

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Return [n_nodes, n_out] of [n_nodes, n_in]."""
        weight = self.convolution.linear.weight
        n_out, n_in = weight.shape
        if not self.norm.training or len(x) < 2:  # one row has no variance
            return self._with_running_statistics(x, adjacency)
        if 2 * n_in <= n_out:
            return linear_norm_relu(propagate(x, adjacency), weight, self.norm)
        return norm_relu(self.convolution(x, adjacency), self.norm)

    def _with_running_statistics(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Batch norm is a factor and a constant then, which go into the linear map."""
        scale, shift = running_line(self.norm)
        weight = self.convolution.linear.weight * scale[:, None]
        return functional.linear(propagate(x, adjacency), weight, shift).relu_()


def linear_norm_relu(x: Tensor, weight: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    """Return ``norm(x @ weight.T).relu()`` in training mode, for x with few columns.

    Mean and variance of x W^T follow from mean and covariance of x, a small matrix, so that batch norm goes into the
    weights before the product is made, and the gradient needs the few columns of x instead of the many of the product.

    Parameters
    ----------
    x : float [n_rows, n_in]
    weight : float [n_out, n_in]
    norm
    """
    exact = x.to(torch.float32 if x.device.type == "mps" else torch.float64)  # Apple's GPUs have no double precision
    centre = exact.mean(dim=0)
    centred = exact - centre
    covariance = centred.T @ centred / len(x)
    wide = weight.to(exact.dtype)
    mean, variance = wide @ centre, ((wide @ covariance) * wide).sum(dim=1)
    count_batch(norm, mean, variance, len(x))
    scale = norm.weight * (variance + norm.eps).rsqrt()
    shift = norm.bias - mean * scale
    folded = (wide * scale[:, None]).to(weight.dtype)
    return functional.linear(x, folded, shift.to(weight.dtype)).relu_()


class PooledConvolution(nn.Module):
    """Graph convolution, ReLU and mean over each graph.

    Parameters
    ----------
    n_in, n_out
        Columns.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.convolution = GraphConvolution(n_in, n_out, bias=False)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x: Tensor, adjacency: Adjacency, ptr: Tensor) -> Tensor:
        """Return [n_graphs, n_out] of [n_nodes, n_in]; `ptr` int64 [n_graphs + 1] is the first node of each graph."""
        return propagate_relu_pool(self.convolution.linear(x), self.bias, adjacency, ptr)
