"""Attention over the neighbours of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from hgcal_gnn.nn.adjacency import Adjacency

N_EDGE_TYPES = 5  # see Adjacency.edge_type
SLOPE = 0.2  # of the leaky ReLU (arXiv:1710.10903, section 2.1)


class GraphAttention(nn.Module):
    """Attention of version 2 over the neighbours j of i and i itself (arXiv:2105.14491, equation 7).

    score_ij = a . leaky_relu(A x_i + B x_j + C (p_j - p_i) + t[type of (i, j)]),
    x_i' = sum_j softmax_j(score_ij) B x_j, for each head with its own a and its own columns of B.

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
        self.n_heads = n_heads
        self.own = nn.Linear(n_in, n_out)
        self.other = nn.Linear(n_in, n_out)
        self.displacement = nn.Linear(3, n_out, bias=False)
        self.edge_type = nn.Parameter(0.1 * torch.randn(N_EDGE_TYPES, n_out))
        self.score = nn.Parameter(torch.empty(n_heads, n_out // n_heads))
        nn.init.xavier_uniform_(self.score)

    def forward(self, x: Tensor, position: Tensor, adjacency: Adjacency) -> Tensor:
        """Return the new states of the nodes, float [n_nodes, n_out].

        Parameters
        ----------
        x : float [n_nodes, n_in]
        position : float [n_nodes, 3]
            Of order 1.
        adjacency
            Edges, every one there both ways.
        """
        value = self.other(x)
        placed = self.displacement(position)
        own, other = self.own(x) - placed, value + placed
        row, col = adjacency.row, adjacency.col
        of_edges = own[row] + other[col] + self.edge_type[adjacency.edge_type.long()]
        return attend(self._scores(of_edges), self._scores(own + other), value, adjacency)

    def _scores(self, together: Tensor) -> Tensor:
        """Return one score per head, [n, n_heads], of [n, n_out]."""
        heads = nn.functional.leaky_relu(together, SLOPE).view(len(together), self.n_heads, -1)
        return (heads * self.score).sum(dim=2)


def attend(of_edges: Tensor, of_nodes: Tensor, value: Tensor, adjacency: Adjacency) -> Tensor:
    """Average the values of the neighbours and of the node itself, weighted with the softmax of the scores.

    Parameters
    ----------
    of_edges : float [n_edges, n_heads]
    of_nodes : float [n_nodes, n_heads]
        Scores of the neighbours and of the nodes themselves.
    value : float [n_nodes, n_columns]
        Columns of the first head, then of the second, ...

    Returns
    -------
    float [n_nodes, n_columns]
    """
    row, n_heads = adjacency.row, of_nodes.shape[1]
    with torch.no_grad():  # the softmax does not change when all scores of a node are shifted
        largest = torch.segment_reduce(of_edges, "max", offsets=adjacency.rowptr, axis=0).maximum(of_nodes)
    edge, own = (of_edges - largest[row]).exp(), (of_nodes - largest).exp()
    total = own.index_add(0, row, edge)
    heads = value.view(len(value), n_heads, -1)
    summed = (own[:, :, None] * heads).index_add(0, row, edge[:, :, None] * heads[adjacency.col])
    return (summed / total[:, :, None]).flatten(1)
