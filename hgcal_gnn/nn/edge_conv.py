"""Edge convolution: the largest of the messages from the neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hgcal_gnn.nn.largest import largest_of_edges, relu_of_largest

if TYPE_CHECKING:
    from hgcal_gnn.nn.adjacency import Adjacency


class EdgeConv(nn.Module):
    """x_i' = max_j h(x_i, x_j - x_i, p_j - p_i), j the neighbours of i and i itself (arXiv:1801.07829, section 3.1).

    h is a linear layer and ReLU, with `deep` followed by another. Its first linear map is the sum of one of x_i and p_i
    and one of x_j and p_j, so it acts on nodes. Without `deep`, ReLU and the part of i do not change which j is the
    largest, and the maximum is taken of the parts of j alone: an edge costs one comparison per column.

    Parameters
    ----------
    n_in, n_out
        Columns of the nodes before and after.
    deep
        Two layers instead of one; the second one acts on edges.
    """

    def __init__(self, n_in: int, n_out: int, *, deep: bool = False) -> None:
        super().__init__()
        self.own = nn.Linear(n_in, n_out)
        self.step = nn.Linear(n_in, n_out, bias=False)
        self.displacement = nn.Linear(3, n_out, bias=False)
        self.second = nn.Linear(n_out, n_out) if deep else None

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
        other = self.step(x) + self.displacement(position)
        own = self.own(x) - other
        if self.second is None:
            return relu_of_largest(own, other, adjacency)
        to_others = torch.relu(own.index_select(0, adjacency.row) + other.index_select(0, adjacency.col))
        to_itself = self.second(torch.relu(own + other))
        return torch.relu(to_itself.maximum(largest_of_edges(self.second(to_others), adjacency)))
