"""Messages between neighbours that see both ends and the edge, and a residual update of the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from hgcal_gnn.nn.messages import N_EDGE_TYPES, sum_messages, sum_messages_present

if TYPE_CHECKING:
    from hgcal_gnn.nn.adjacency import Adjacency


class MessagePassing(nn.Module):
    """Messages summed over the neighbours j of i, then an update of the node.

    m_i = sum_j relu(A x_i + B x_j + C (p_j - p_i) + t[type of (i, j)] + a),
    x_i' = x_i + D relu(E x_i + F m_i + e) + d.

    All linear maps act on nodes, of which there are fewer than edges: an edge costs no more than two additions and a
    comparison per column.

    Parameters
    ----------
    width
        Columns of the nodes.
    message_width
        Columns of the messages.
    reduce
        "sum", or "mean" over the neighbours.
    """

    def __init__(self, width: int, message_width: int, *, reduce: Literal["sum", "mean"] = "sum") -> None:
        super().__init__()
        self.own = nn.Linear(width, message_width)
        self.other = nn.Linear(width, message_width, bias=False)
        self.displacement = nn.Linear(3, message_width, bias=False)
        self.edge_type = nn.Parameter(0.1 * torch.randn(N_EDGE_TYPES, message_width))
        self.keep = nn.Linear(width, width)
        self.receive = nn.Linear(message_width, width, bias=False)
        self.change = nn.Linear(width, width)
        self.reduce = reduce

    def forward(self, x: Tensor, position: Tensor, adjacency: Adjacency, presence: Tensor | None = None) -> Tensor:
        """Return the new state of the nodes.

        Parameters
        ----------
        x : float [n_nodes, width]
        position : float [n_nodes, 3]
            Of order 1.
        adjacency
            Edges, every one there both ways.
        presence : float [n_nodes], optional
            How far nodes are there, 0 to 1: those of 0 send nothing and are no neighbours to a mean.
        """
        placed = self.displacement.weight.T
        own = torch.addmm(self.own(x), position, placed, alpha=-1)
        other = torch.addmm(self.other(x), position, placed)
        if presence is None:
            message = sum_messages(own, other, self.edge_type, adjacency)
            n_senders = adjacency.degree
        else:
            message = sum_messages_present(own, other, self.edge_type, presence, adjacency)
            n_senders = torch.zeros_like(presence).index_add(0, adjacency.row, presence[adjacency.col])
        if self.reduce == "mean":
            message = message / n_senders.clamp(min=1)[:, None]
        hidden = torch.addmm(self.keep(x), message, self.receive.weight.T).relu_()
        changed: Tensor = x + self.change(hidden)
        return changed
