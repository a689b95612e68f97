"""From the nodes of each graph of a batch to one row per graph, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit, prange

from hgcal_gnn.nn.segments import segment_of
from hgcal_gnn.nn.threads import array, is_compiled_for, is_traced, use_torch_threads

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import Array


def pool_sum(values: Tensor, ptr: Tensor) -> Tensor:
    """Sum the rows of each graph.

    Parameters
    ----------
    values : float [n_nodes, n_columns]
    ptr : int64 [n_graphs + 1]
        First node of each graph.

    Returns
    -------
    float [n_graphs, n_columns]
        0 for graphs without nodes.
    """
    total: Tensor = _PoolSum.apply(values, ptr)  # type: ignore[no-untyped-call]
    return total


def pool_mean(values: Tensor, ptr: Tensor) -> Tensor:
    """Return the mean of the rows of each graph, 0 for graphs without nodes; see `pool_sum`."""
    n_nodes = ptr.diff().clamp(min=1)
    return pool_sum(values, ptr) / n_nodes[:, None]


def pool_max(values: Tensor, ptr: Tensor) -> Tensor:
    """Return the largest entry of each column in each graph, 0 for graphs without nodes; see `pool_sum`."""
    largest = torch.segment_reduce(values, "max", offsets=ptr, axis=0)
    return torch.where((ptr.diff() > 0)[:, None], largest, 0.0)


def spread(of_graphs: Tensor, ptr: Tensor, n_nodes: int | None = None) -> Tensor:
    """Give every node the row of its graph: [n_graphs, n_columns] to [n_nodes, n_columns].

    `n_nodes` need not be told but where a network is exported.
    """
    if n_nodes is not None:
        return of_graphs.index_select(0, segment_of(ptr, n_nodes))
    return torch.repeat_interleave(of_graphs, ptr.diff(), dim=0)


class _PoolSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, ptr: Tensor) -> Tensor:
        ctx.ptr = ptr
        if not is_compiled_for(values):  # the gradient below can be differentiated again, that of torch cannot
            return _plain_sum(values, ptr)
        total = values.new_empty((len(ptr) - 1, values.shape[1]))
        use_torch_threads()
        _sum_rows(array(values), array(ptr), array(total))
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return spread(gradient, ctx.ptr), None


def _plain_sum(values: Tensor, ptr: Tensor) -> Tensor:
    if not is_traced():
        return torch.segment_reduce(values, "sum", offsets=ptr, axis=0, initial=0)
    total = values.new_zeros((ptr.shape[0] - 1, values.shape[1]), dtype=torch.float64)  # as exact as the kernel
    return total.index_add(0, segment_of(ptr, values.shape[0]), values.double()).to(values.dtype)


@njit(cache=True, parallel=True)
def _sum_rows(values: Array, ptr: Array, total: Array) -> None:
    for graph in prange(len(ptr) - 1):
        found = np.zeros(values.shape[1])  # float64: showers have thousands of hits
        for i in range(ptr[graph], ptr[graph + 1]):
            for f in range(values.shape[1]):
                found[f] += values[i, f]
        for f in range(values.shape[1]):
            total[graph, f] = found[f]
