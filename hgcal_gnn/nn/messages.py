"""The sum of messages relu(own_i + other_j + type_ij) over the neighbours, without writing out a number per edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit, prange
from torch.autograd.function import once_differentiable

from hgcal_gnn.nn.threads import array, is_compiled_for, relu, use_torch_threads

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import Array
    from hgcal_gnn.nn.adjacency import Adjacency

FROM_OTHER_END = np.array([0, 1, 3, 2, 4])  # edge type seen from the other end: next and previous layer change places
N_EDGE_TYPES = len(FROM_OTHER_END)
BLOCK = 256  # rows summed by themselves: sums do not depend on the number of threads


def sum_messages(own: Tensor, other: Tensor, of_type: Tensor, adjacency: Adjacency) -> Tensor:
    """Sum the messages to every node.

    Parameters
    ----------
    own, other : float [n_nodes, n_columns]
        What a node adds to the messages it gets, and to those it sends.
    of_type : float [N_EDGE_TYPES, n_columns]
        What the type of the edge adds.
    adjacency
        Edges, every one there both ways and with the type it has from there.

    Returns
    -------
    float [n_nodes, n_columns]
        sum_j relu(own_i + other_j + of_type[type of (i, j)]) over the neighbours j of i.
    """
    if own.dtype in {torch.float16, torch.bfloat16}:  # sums of many terms need more digits
        return sum_messages(own.float(), other.float(), of_type.float(), adjacency).to(own.dtype)
    if not is_compiled_for(own, other, of_type):
        messages = torch.relu(own[adjacency.row] + other[adjacency.col] + of_type[adjacency.edge_type.long()])
        return torch.zeros_like(own).index_add(0, adjacency.row, messages)
    result: Tensor = _SumMessages.apply(own, other, of_type, adjacency)  # type: ignore[no-untyped-call]
    return result


def sum_messages_present(own: Tensor, other: Tensor, of_type: Tensor, presence: Tensor, adjacency: Adjacency) -> Tensor:
    """Sum the messages to every node, each as far as its sender is there; can be differentiated twice.

    Parameters
    ----------
    own, other, of_type, adjacency
        See `sum_messages`.
    presence : float [n_nodes]
        0 to 1.
    """
    if own.dtype in {torch.float16, torch.bfloat16}:  # as in `sum_messages`
        full = sum_messages_present(own.float(), other.float(), of_type.float(), presence.float(), adjacency)
        return full.to(own.dtype)
    messages = torch.relu(own[adjacency.row] + other[adjacency.col] + of_type[adjacency.edge_type.long()])
    return torch.zeros_like(own).index_add(0, adjacency.row, presence[adjacency.col][:, None] * messages)


class _SumMessages(torch.autograd.Function):
    """Which messages were positive is found again for the gradient: cheaper than a number per edge and column."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, other: Tensor, of_type: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.save_for_backward(own, other, of_type)
        ctx.adjacency = adjacency
        out = torch.empty_like(own, memory_format=torch.contiguous_format)
        use_torch_threads()
        rowptr, col, kind = _edges(adjacency)
        _forward(rowptr, col, kind, array(own), array(other), array(of_type), array(out))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        own, other, of_type = ctx.saved_tensors
        of_own = torch.empty_like(own, memory_format=torch.contiguous_format)
        of_other = torch.empty_like(of_own)
        use_torch_threads()
        rowptr, col, kind = _edges(ctx.adjacency)
        given = array(own), array(other), array(of_type), array(gradient)
        found = _backward(rowptr, col, kind, FROM_OTHER_END, given, array(of_own), array(of_other))
        return of_own, of_other, torch.from_numpy(found).to(of_type.dtype), None


def _edges(adjacency: Adjacency) -> tuple[Array, Array, Array]:
    return array(adjacency.rowptr), array(adjacency.col), array(adjacency.edge_type)


@njit(cache=True, parallel=True)
def _forward(rowptr: Array, col: Array, kind: Array, own: Array, other: Array, of_type: Array, out: Array) -> None:
    n_columns, zero = own.shape[1], own.dtype.type(0)
    for i in prange(len(own)):
        for f in range(n_columns):
            out[i, f] = zero
        for edge in range(rowptr[i], rowptr[i + 1]):
            j, k = col[edge], kind[edge]
            for f in range(n_columns):
                out[i, f] += relu(own[i, f] + other[j, f] + of_type[k, f], zero)


@njit(cache=True, parallel=True)
def _backward(
    rowptr: Array,
    col: Array,
    kind: Array,
    from_other_end: Array,
    given: tuple[Array, Array, Array, Array],
    of_own: Array,
    of_other: Array,
) -> Array:
    """Fill the gradients of both ends and return that of the types, float64.

    The messages that node i sent are those of its own edges seen from the other end, so that every row is written by
    one thread only.
    """
    own, other, of_type, gradient = given
    n_rows, n_columns = own.shape
    n_blocks = (n_rows + BLOCK - 1) // BLOCK
    of_types = np.zeros((n_blocks, len(of_type), n_columns))
    zero = own.dtype.type(0)
    for block in prange(n_blocks):
        for i in range(block * BLOCK, min(n_rows, (block + 1) * BLOCK)):
            for f in range(n_columns):
                of_own[i, f] = zero
                of_other[i, f] = zero
            for edge in range(rowptr[i], rowptr[i + 1]):
                j, k = col[edge], kind[edge]
                back = from_other_end[k]
                for f in range(n_columns):
                    passed = zero if own[i, f] + other[j, f] + of_type[k, f] <= zero else gradient[i, f]
                    of_own[i, f] += passed
                    of_types[block, k, f] += passed
                for f in range(n_columns):
                    sent = own[j, f] + other[i, f] + of_type[back, f]
                    of_other[i, f] += zero if sent <= zero else gradient[j, f]
    total: Array = of_types.sum(axis=0)
    return total
