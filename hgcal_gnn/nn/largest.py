"""The largest of what comes from the neighbours, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from numba import njit, prange

from hgcal_gnn.nn.threads import array, is_compiled_for, use_torch_threads

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import I32, I64, Array
    from hgcal_gnn.nn.adjacency import Adjacency

NOBODY = -1


def relu_of_largest(own: Tensor, other: Tensor, adjacency: Adjacency) -> Tensor:
    """Return max_j relu(own_i + other_j) over the neighbours j of i and i itself, float [n_nodes, n_columns].

    Parameters
    ----------
    own, other : float [n_nodes, n_columns]
    adjacency
        Edges, every one there both ways, which the gradient relies on.
    """
    if is_compiled_for(own, other):
        result: Tensor = _ReluOfLargest.apply(own, other, adjacency)  # type: ignore[no-untyped-call]
        return result
    largest = largest_of_edges(other.index_select(0, adjacency.col), adjacency)
    return torch.relu(own + other.maximum(largest))


def largest_of_edges(of_edges: Tensor, adjacency: Adjacency) -> Tensor:
    """Return the largest entry of each column among the edges of each node, -inf for nodes without edges.

    Parameters
    ----------
    of_edges : float [n_edges, n_columns]

    Returns
    -------
    float [n_nodes, n_columns]
    """
    row = adjacency.row[:, None].expand_as(of_edges)
    nothing = of_edges.new_full((adjacency.n_nodes, of_edges.shape[1]), -torch.inf)
    return nothing.scatter_reduce(0, row, of_edges, "amax")


class _ReluOfLargest(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, other: Tensor, adjacency: Adjacency) -> Tensor:
        out = torch.empty_like(own, memory_format=torch.contiguous_format)
        winner = torch.empty(own.shape, dtype=torch.int32)
        use_torch_threads()
        edges = array(adjacency.rowptr), array(adjacency.col)
        _choose(*edges, array(own), array(other), out.numpy(), winner.numpy())
        ctx.adjacency = adjacency
        ctx.save_for_backward(winner)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        (winner,) = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_own, to_other = torch.empty_like(gradient), torch.empty_like(gradient)
        use_torch_threads()
        edges = array(ctx.adjacency.rowptr), array(ctx.adjacency.col)
        _give_back(*edges, winner.numpy(), gradient.numpy(), to_own.numpy(), to_other.numpy())
        return to_own, to_other, None


@njit(cache=True, parallel=True)
def _choose(rowptr: I64, col: I64, own: Array, other: Array, out: Array, winner: I32) -> None:
    """Fill `out` and whom it came from [n_nodes, n_columns]; nobody where ReLU gives 0."""
    n_columns = own.shape[1]
    for i in prange(len(own)):
        for f in range(n_columns):
            out[i, f] = other[i, f]
            winner[i, f] = i
        for edge in range(rowptr[i], rowptr[i + 1]):
            j = col[edge]
            for f in range(n_columns):
                is_larger = other[j, f] > out[i, f]
                out[i, f] = other[j, f] if is_larger else out[i, f]
                winner[i, f] = j if is_larger else winner[i, f]
        for f in range(n_columns):
            value = out[i, f] + own[i, f]
            out[i, f] = max(value, 0)
            winner[i, f] = winner[i, f] if value > 0 else NOBODY


@njit(cache=True, parallel=True)
def _give_back(rowptr: I64, col: I64, winner: I32, gradient: Array, to_own: Array, to_other: Array) -> None:
    """Give the gradient back to i and to whom i took its value from, who asks all of its neighbours i."""
    n_columns = gradient.shape[1]
    for j in prange(len(gradient)):
        for f in range(n_columns):
            to_own[j, f] = gradient[j, f] if winner[j, f] != NOBODY else 0
            to_other[j, f] = gradient[j, f] if winner[j, f] == j else 0
        for edge in range(rowptr[j], rowptr[j + 1]):
            i = col[edge]
            for f in range(n_columns):
                to_other[j, f] += gradient[i, f] if winner[i, f] == j else 0
