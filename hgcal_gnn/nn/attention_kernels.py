"""Attention over neighbours in one pass over the edges, and its gradient: no array per edge but the weights.

Graphs are shared out to threads: what goes from a node to its neighbours stays inside a graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit, prange

from hgcal_gnn.nn.threads import array, use_torch_threads

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import I64, U8, Array
    from hgcal_gnn.nn.adjacency import Adjacency


def attend_compiled(
    own: Tensor,
    other: Tensor,
    value: Tensor,
    of_type: Tensor,
    score: Tensor,
    adjacency: Adjacency,
    ptr: Tensor,
    slope: float,
) -> Tensor:
    """Do what `attention.attend` does, on the CPU.

    Parameters
    ----------
    ptr : int64 [n_graphs + 1]
        First node of each graph.
    slope
        Of the leaky ReLU.
    """
    result: Tensor = _Attend.apply(own, other, value, of_type, score, adjacency, ptr, slope)  # type: ignore[no-untyped-call]
    return result


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        own: Tensor,
        other: Tensor,
        value: Tensor,
        of_type: Tensor,
        score: Tensor,
        adjacency: Adjacency,
        ptr: Tensor,
        slope: float,
    ) -> Tensor:
        weight = own.new_empty((adjacency.n_edges + adjacency.n_nodes, len(score)))
        out = torch.empty_like(value, memory_format=torch.contiguous_format)
        use_torch_threads()
        numbers = [array(tensor) for tensor in (own, other, value, of_type, score)]
        arguments: tuple[Any, ...] = (_edges(adjacency), array(ptr), *numbers, slope, weight.numpy(), out.numpy())
        _average(*arguments)
        ctx.save_for_backward(own, other, value, of_type, score, ptr, weight)
        ctx.adjacency, ctx.slope = adjacency, slope
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        *inputs, ptr, weight = ctx.saved_tensors
        n_graphs = len(ptr) - 1
        to_nodes = [torch.zeros_like(tensor, memory_format=torch.contiguous_format) for tensor in inputs[:3]]
        # of parameters, one per graph: threads must not add to the same numbers
        to_shared = [tensor.new_zeros((n_graphs, tensor.numel())) for tensor in inputs[3:]]
        use_torch_threads()
        numbers = [array(tensor) for tensor in inputs]
        gradients = [tensor.numpy() for tensor in (*to_nodes, *to_shared)]
        of_graphs = array(ptr), *numbers, ctx.slope, weight.numpy(), array(gradient)
        _average_backward(_edges(ctx.adjacency), *of_graphs, *gradients)
        summed = [given.sum(dim=0).view_as(tensor) for given, tensor in zip(to_shared, inputs[3:], strict=True)]
        return (*to_nodes, *summed, None, None, None)


def _edges(adjacency: Adjacency) -> tuple[I64, I64, U8]:
    return array(adjacency.rowptr), array(adjacency.col), array(adjacency.edge_type)


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, inline="always")
def _score(own: Array, other: Array, of_type: Array, score: Array, head: int, slope: float) -> Any:
    """Return the score of one edge; `of_type` is empty for a node itself."""
    total = own.dtype.type(0)
    slope = own.dtype.type(slope)
    width = score.shape[1]
    for k in range(width):
        f = head * width + k
        together = own[f] + other[f] + of_type[f]
        total += score[head, k] * max(together, slope * together)
    return total


@njit(cache=True, parallel=True, fastmath={"contract", "reassoc", "nsz"})
def _average(
    edges: tuple[I64, I64, U8],
    ptr: I64,
    own: Array,
    other: Array,
    value: Array,
    of_type: Array,
    score: Array,
    slope: float,
    weight: Array,
    out: Array,
) -> None:
    """Fill `weight` [n_edges + n_nodes, n_heads], the nodes' own ones last, and `out`."""
    rowptr, col, edge_type = edges
    n_heads, width = score.shape
    no_type = np.zeros(own.shape[1], dtype=own.dtype)
    for graph in prange(len(ptr) - 1):
        for i in range(ptr[graph], ptr[graph + 1]):
            itself = len(col) + i
            for head in range(n_heads):
                largest = _score(own[i], other[i], no_type, score, head, slope)
                weight[itself, head] = largest
                for edge in range(rowptr[i], rowptr[i + 1]):
                    found = _score(own[i], other[col[edge]], of_type[edge_type[edge]], score, head, slope)
                    weight[edge, head] = found
                    largest = max(largest, found)
                total = weight[itself, head] = np.exp(weight[itself, head] - largest)
                for edge in range(rowptr[i], rowptr[i + 1]):
                    weight[edge, head] = np.exp(weight[edge, head] - largest)
                    total += weight[edge, head]
                first, last = head * width, (head + 1) * width
                weight[itself, head] /= total
                for f in range(first, last):
                    out[i, f] = weight[itself, head] * value[i, f]
                for edge in range(rowptr[i], rowptr[i + 1]):
                    weight[edge, head] /= total
                    j = col[edge]
                    for f in range(first, last):
                        out[i, f] += weight[edge, head] * value[j, f]


@njit(cache=True, parallel=True, fastmath={"contract", "reassoc", "nsz"})
def _average_backward(
    edges: tuple[I64, I64, U8],
    ptr: I64,
    own: Array,
    other: Array,
    value: Array,
    of_type: Array,
    score: Array,
    slope: float,
    weight: Array,
    gradient: Array,
    to_own: Array,
    to_other: Array,
    to_value: Array,
    to_type: Array,
    to_score: Array,
) -> None:
    """Add to the gradients; `to_type` and `to_score` have one row per graph."""
    rowptr, col, edge_type = edges
    n_heads, width = score.shape
    n_columns = n_heads * width
    no_type = np.zeros(n_columns, dtype=own.dtype)
    zero = own.dtype.type(0)
    steep = own.dtype.type(slope)
    for graph in prange(len(ptr) - 1):
        for i in range(ptr[graph], ptr[graph + 1]):
            n_edges = rowptr[i + 1] - rowptr[i]
            wanted = np.empty(n_edges + 1, dtype=own.dtype)
            for head in range(n_heads):
                first = head * width
                # softmax: the gradient of a score is its weight times (own gradient - weighted mean of all)
                mean = zero
                for place in range(n_edges + 1):
                    edge = rowptr[i] + place if place < n_edges else len(col) + i
                    j = col[edge] if place < n_edges else i
                    product = zero
                    for f in range(first, first + width):
                        product += gradient[i, f] * value[j, f]
                        to_value[j, f] += weight[edge, head] * gradient[i, f]
                    wanted[place] = product
                    mean += weight[edge, head] * product
                for place in range(n_edges + 1):
                    edge = rowptr[i] + place if place < n_edges else len(col) + i
                    j = col[edge] if place < n_edges else i
                    kind = edge_type[edge] if place < n_edges else 0
                    added = of_type[kind] if place < n_edges else no_type
                    step = weight[edge, head] * (wanted[place] - mean)
                    for k in range(width):
                        f = first + k
                        together = own[i, f] + other[j, f] + added[f]
                        leak = steep if together < zero else own.dtype.type(1)
                        to_score[graph, first + k] += step * leak * together
                        change = step * score[head, k] * leak
                        to_own[i, f] += change
                        to_other[j, f] += change
                        if place < n_edges:
                            to_type[graph, kind * n_columns + f] += change
