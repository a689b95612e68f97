"""The sum over neighbours in a graph convolution: D^-1/2 (A + 1) D^-1/2 x, with the matrix never written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from numba import njit, prange

from hgcal_gnn.nn.threads import array, is_compiled_for, use_torch_threads

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import Array
    from hgcal_gnn.nn.adjacency import Adjacency


def propagate(x: Tensor, adjacency: Adjacency) -> Tensor:
    """Sum every node and its neighbours with the weights of Kipf and Welling (arXiv:1609.02907, eq. 2).

    Parameters
    ----------
    x : float [n_nodes, n_columns]
    adjacency
        Edges, every one there both ways: the matrix is its own transpose, which the gradient relies on.

    Returns
    -------
    float [n_nodes, n_columns]
        sum_j d_i d_j x_j over j = i and the neighbours of i, d = 1 / sqrt(1 + neighbours).
    """
    if x.dtype in {torch.float16, torch.bfloat16}:  # sums of many terms need more digits
        return propagate(x.float(), adjacency).to(x.dtype)
    result: Tensor = _Propagate.apply(x, adjacency)  # type: ignore[no-untyped-call]
    return result


def propagate_present(x: Tensor, presence: Tensor, adjacency: Adjacency) -> Tensor:
    """Sum every node and its neighbours, each as far as it is there: nodes of presence 0 might as well be left out.

    With presence 1 everywhere it is `propagate`. Can be differentiated twice.

    Parameters
    ----------
    x : float [n_nodes, n_columns]
    presence : float [n_nodes]
        0 to 1.
    adjacency
        Edges, every one there both ways.

    Returns
    -------
    float [n_nodes, n_columns]
        sum_j d_i d_j g_j x_j over j = i and the neighbours of i, d = 1 / sqrt(1 + sum of their g), g the presence.
    """
    static = adjacency.norm(x.dtype)[:, None]
    there = presence[:, None]
    around = propagate(there / static, adjacency) / static - there
    norm = (1 + around).rsqrt()
    return norm * propagate(norm * there * x / static, adjacency) / static


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, adjacency: Adjacency) -> Tensor:
        ctx.adjacency = adjacency
        return _product(x, adjacency)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return propagate(gradient, ctx.adjacency), None


def _product(x: Tensor, adjacency: Adjacency) -> Tensor:
    norm = adjacency.norm(x.dtype)
    if not is_compiled_for(x):
        scaled = norm[:, None] * x
        return norm[:, None] * scaled.index_add(0, adjacency.row, scaled[adjacency.col])
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    use_torch_threads()
    _sum_neighbours(array(adjacency.rowptr), array(adjacency.col), array(norm), array(x), array(out))
    return out


@njit(cache=True, parallel=True, fastmath={"contract"})
def _sum_neighbours(rowptr: Array, col: Array, norm: Array, x: Array, out: Array) -> None:
    n_columns = x.shape[1]
    for i in prange(len(norm)):
        for f in range(n_columns):
            out[i, f] = norm[i] * x[i, f]
        for edge in range(rowptr[i], rowptr[i + 1]):
            j = col[edge]
            for f in range(n_columns):
                out[i, f] += norm[j] * x[j, f]
        for f in range(n_columns):
            out[i, f] *= norm[i]
