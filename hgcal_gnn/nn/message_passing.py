"""Messages between neighbours that see both ends and the edge, and a residual update of the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from hgcal_gnn.nn.dense import dense

if TYPE_CHECKING:
    from hgcal_gnn.nn.adjacency import Adjacency

N_EDGE_TYPES = 5  # see Adjacency.edge_type


class MessagePassing(nn.Module):
    """Messages summed over the neighbours j of i, then an update of the node.

    m_i = sum_j relu(A x_i + B x_j + C (p_j - p_i) + t[type of (i, j)] + bias),
    x_i' = x_i + dense([x_i, m_i]).

    Linear maps before the sum over edges act on nodes, of which there are fewer than edges, so that an edge costs no
    more than an addition and a comparison per column.

    Parameters
    ----------
    width
        Columns of the nodes and of the messages.
    reduce
        "sum", or "mean" over the neighbours.
    """

    def __init__(self, width: int, *, reduce: Literal["sum", "mean"] = "sum") -> None:
        super().__init__()
        self.own = nn.Linear(width, width)
        self.other = nn.Linear(width, width, bias=False)
        self.displacement = nn.Linear(3, width, bias=False)
        self.edge_type = nn.Parameter(0.1 * torch.randn(N_EDGE_TYPES, width))
        self.update = dense(2 * width, width, width)
        self.reduce = reduce

    def forward(self, x: Tensor, position: Tensor, adjacency: Adjacency) -> Tensor:
        """Return the new state of the nodes.

        Parameters
        ----------
        x : float [n_nodes, width]
        position : float [n_nodes, 3]
            Of order 1.
        adjacency
            Edges, every one there both ways.
        """
        placed = self.displacement(position)
        message = sum_messages(self.own(x) - placed, self.other(x) + placed, self.edge_type, adjacency)
        if self.reduce == "mean":
            message = message / adjacency.degree.clamp(min=1)[:, None]
        change: Tensor = self.update(torch.cat([x, message], dim=1))
        return x + change


def sum_messages(own: Tensor, other: Tensor, of_type: Tensor, adjacency: Adjacency) -> Tensor:
    """Return sum_j relu(own_i + other_j + of_type[type of (i, j)]), float [n_nodes, n_columns]."""
    kind = adjacency.edge_type.long()
    messages = torch.relu(own[adjacency.row] + other[adjacency.col] + of_type[kind])
    return own.new_zeros(own.shape).index_add(0, adjacency.row, messages.to(own.dtype))
