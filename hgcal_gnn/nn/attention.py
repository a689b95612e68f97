"""Attention over the neighbours of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hgcal_gnn.nn.attention_kernels import attend_compiled
from hgcal_gnn.nn.threads import is_compiled_for

if TYPE_CHECKING:
    from hgcal_gnn.nn.adjacency import Adjacency

N_EDGE_TYPES = 5  # see Adjacency.edge_type
SLOPE = 0.2  # of the leaky ReLU (arXiv:1710.10903, section 2.1)


class GraphAttention(nn.Module):
    """Attention of version 2 over the neighbours j of i and i itself (arXiv:2105.14491, equation 7).

    score_ij = a . leaky_relu(A x_i + B x_j + C (p_j - p_i) + t[type of (i, j)]),
    x_i' = sum_j softmax_j(score_ij) B x_j, for each head with its own a and its own columns of B. There is no t for
    i itself.

    Parameters
    ----------
    n_in
        Columns of the nodes.
    n_out
        Columns after it, all heads side by side.
    n_heads
        Must divide `n_out`.
    """

    def __init__(self, n_in: int, n_out: int, *, n_heads: int = 4) -> None:
        super().__init__()
        if n_out % n_heads:
            msg = f"{n_heads} heads cannot share {n_out} columns evenly"
            raise ValueError(msg)
        self.own = nn.Linear(n_in, n_out)
        self.other = nn.Linear(n_in, n_out)
        self.displacement = nn.Linear(3, n_out, bias=False)
        self.edge_type = nn.Parameter(0.1 * torch.randn(N_EDGE_TYPES, n_out))
        self.score = nn.Parameter(torch.empty(n_heads, n_out // n_heads))
        nn.init.xavier_uniform_(self.score)

    def forward(self, x: Tensor, position: Tensor, adjacency: Adjacency, ptr: Tensor) -> Tensor:
        """Return the new states of the nodes, float [n_nodes, n_out].

        Parameters
        ----------
        x : float [n_nodes, n_in]
        position : float [n_nodes, 3]
            Of order 1.
        adjacency
            Edges, every one there both ways.
        ptr : int64 [n_graphs + 1]
            First node of each graph; edges stay inside.
        """
        value = self.other(x)
        placed = self.displacement(position)
        own, other = self.own(x) - placed, value + placed
        of_type = self.edge_type.to(own.dtype)
        score = self.score.to(own.dtype)
        if is_compiled_for(own):
            return attend_compiled(own, other, value, of_type, score, adjacency, ptr, SLOPE)
        return attend(own, other, value, of_type, score, adjacency)


def attend(
    own: Tensor, other: Tensor, value: Tensor, of_type: Tensor, score: Tensor, adjacency: Adjacency
) -> Tensor:  # fmt: skip
    """Average the values of the neighbours and of the node itself, weighted with the softmax of their scores.

    Parameters
    ----------
    own, other, value : float [n_nodes, n_columns]
        Columns of the first head, then of the second, ...
    of_type : float [n_types, n_columns]
    score : float [n_heads, n_columns / n_heads]

    Returns
    -------
    float [n_nodes, n_columns]
    """
    row, col = adjacency.row, adjacency.col
    together = own.index_select(0, row) + other.index_select(0, col) + of_type[adjacency.edge_type.long()]
    of_edges, of_nodes = _scores(together, score), _scores(own + other, score)
    with torch.no_grad():  # the softmax does not change when all scores of a node are shifted
        largest = of_nodes.scatter_reduce(0, row[:, None].expand_as(of_edges), of_edges, "amax")
    edge, itself = (of_edges - largest[row]).exp(), (of_nodes - largest).exp()
    total = itself.index_add(0, row, edge)
    heads = value.view(value.shape[0], *score.shape)
    summed = (itself[:, :, None] * heads).index_add(0, row, edge[:, :, None] * heads.index_select(0, col))
    average: Tensor = summed / total[:, :, None]
    return average.flatten(1)


def _scores(together: Tensor, score: Tensor) -> Tensor:
    """Return one score per head, [n, n_heads], of [n, n_columns]."""
    heads = nn.functional.leaky_relu(together, SLOPE).view(together.shape[0], *score.shape)
    summed: Tensor = (heads * score).sum(dim=2)
    return summed
