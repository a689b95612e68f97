"""The end of a graph convolution: sum over neighbours, ReLU and mean over each graph, all in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit, prange
from torch.autograd.function import once_differentiable

from hgcal_gnn.nn.pooling import pool_mean
from hgcal_gnn.nn.propagate import propagate
from hgcal_gnn.nn.threads import array, is_compiled_for, relu, use_torch_threads

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import Array
    from hgcal_gnn.nn.adjacency import Adjacency


def propagate_relu_pool(x: Tensor, bias: Tensor, adjacency: Adjacency, ptr: Tensor) -> Tensor:
    """Return ``pool_mean(relu(propagate(x, adjacency) + bias), ptr)``.

    Parameters
    ----------
    x : float [n_nodes, n_columns]
    bias : float [n_columns]
    adjacency
        Edges, every one there both ways, none between graphs.
    ptr : int64 [n_graphs + 1]
        First node of each graph.

    Returns
    -------
    float [n_graphs, n_columns]
    """
    if not is_compiled_for(x, bias):
        return pool_mean(torch.relu(propagate(x, adjacency) + bias), ptr)
    result: Tensor = _PropagateReluPool.apply(x, bias, adjacency, ptr)  # type: ignore[no-untyped-call]
    return result


class _PropagateReluPool(torch.autograd.Function):
    """Keeps for the gradient which entries were positive, a byte each, instead of the entries."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, adjacency: Adjacency, ptr: Tensor) -> Tensor:
        use_torch_threads()
        keep = any(ctx.needs_input_grad)
        positive = np.empty(x.shape if keep else (0, x.shape[1]), dtype=np.uint8)
        pooled = x.new_zeros((len(ptr) - 1, x.shape[1]))
        rowptr, col, norm = array(adjacency.rowptr), array(adjacency.col), array(adjacency.norm(x.dtype))
        _forward(rowptr, col, norm, array(ptr), array(x), array(bias), positive, array(pooled))
        ctx.positive, ctx.edges, ctx.ptr = positive, (rowptr, col, norm), ptr
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        use_torch_threads()
        share = array(gradient / ctx.ptr.diff().clamp(min=1)[:, None])
        of_x = gradient.new_empty(ctx.positive.shape)
        of_bias = np.zeros_like(share)
        rowptr, col, norm = ctx.edges
        _backward(rowptr, col, norm, array(ctx.ptr), ctx.positive, share, array(of_x), of_bias)
        return of_x, torch.from_numpy(of_bias).sum(dim=0), None, None


@njit(cache=True, parallel=True, fastmath={"contract"})
def _forward(
    rowptr: Array,
    col: Array,
    norm: Array,
    ptr: Array,
    x: Array,
    bias: Array,
    positive: Array,
    pooled: Array,
) -> None:
    n_columns = x.shape[1]
    keep, zero = len(positive) == len(x), x.dtype.type(0)
    for graph in prange(len(ptr) - 1):
        total = np.zeros(n_columns, dtype=np.float64)
        row = np.empty(n_columns, dtype=x.dtype)
        for i in range(ptr[graph], ptr[graph + 1]):
            for f in range(n_columns):
                row[f] = norm[i] * x[i, f]
            for edge in range(rowptr[i], rowptr[i + 1]):
                j = col[edge]
                for f in range(n_columns):
                    row[f] += norm[j] * x[j, f]
            for f in range(n_columns):
                row[f] = relu(norm[i] * row[f] + bias[f], zero)
            for f in range(n_columns):
                total[f] += row[f]
            if keep:
                for f in range(n_columns):
                    positive[i, f] = row[f] != zero
        for f in range(n_columns):
            pooled[graph, f] = total[f] / max(ptr[graph + 1] - ptr[graph], 1)


@njit(cache=True, parallel=True, fastmath={"contract"})
def _backward(
    rowptr: Array,
    col: Array,
    norm: Array,
    ptr: Array,
    positive: Array,
    share: Array,
    of_x: Array,
    of_bias: Array,
) -> None:
    """All nodes of a graph get the same gradient: what is summed over neighbours are the bytes alone."""
    n_columns = share.shape[1]
    for graph in prange(len(ptr) - 1):
        for i in range(ptr[graph], ptr[graph + 1]):
            for f in range(n_columns):
                of_x[i, f] = norm[i] * positive[i, f]
                of_bias[graph, f] += positive[i, f]
            for edge in range(rowptr[i], rowptr[i + 1]):
                j = col[edge]
                for f in range(n_columns):
                    of_x[i, f] += norm[j] * positive[j, f]
            for f in range(n_columns):
                of_x[i, f] *= norm[i] * share[graph, f]
        for f in range(n_columns):
            of_bias[graph, f] *= share[graph, f]
