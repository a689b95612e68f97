"""GravNet: neighbours in a space that the network learns, found anew in every layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hgcal_gnn.nn.gravnet_kernels import gather_compiled
from hgcal_gnn.nn.nearest_nodes import nearest_nodes
from hgcal_gnn.nn.threads import is_compiled_for

STEEPNESS = 10.0  # of the potential exp(-10 d^2) (arXiv:1902.07987, section 3)


class GravNet(nn.Module):
    """One layer of GravNet (arXiv:1902.07987, section 3.1): x_i' = tanh(W [x_i, mean_j w_ij f_j, max_j w_ij f_j] + b).

    f = F x are the features sent around and s = S x the places in the learned space; j runs over the k nodes of the
    same graph that are nearest to i there, w_ij = exp(-10 |s_i - s_j|^2).

    Parameters
    ----------
    n_in, n_out
        Columns of the nodes before and after.
    n_space
        Dimensions of the learned space.
    n_sent
        Columns of f.
    k
        Neighbours; smaller graphs give what they have.
    """

    def __init__(self, n_in: int, n_out: int, *, n_space: int = 4, n_sent: int = 18, k: int = 16) -> None:
        super().__init__()
        self.k = k
        self.space = nn.Linear(n_in, n_space)
        self.sent = nn.Linear(n_in, n_sent)
        self.leave = nn.Linear(n_in + 2 * n_sent, n_out)
        # small steps at first: with weights near 0 nothing would be sent, and nothing learned
        nn.init.normal_(self.space.weight, std=0.3 / n_in**0.5)

    def forward(self, x: Tensor, ptr: Tensor) -> Tensor:
        """Return the new states of the nodes, float [n_nodes, n_out].

        Parameters
        ----------
        x : float [n_nodes, n_in]
        ptr : int64 [n_graphs + 1]
            First node of each graph.
        """
        place = self.space(x)
        nearest = nearest_nodes(place.detach(), ptr, self.k)
        sent = self.sent(x)
        if is_compiled_for(place, sent):
            mean, largest = gather_compiled(place, sent, nearest, ptr, STEEPNESS)
        else:
            mean, largest = gather_weighted(place, sent, nearest)
        return torch.tanh(self.leave(torch.cat([x, mean, largest], dim=1)))


def gather_weighted(place: Tensor, sent: Tensor, nearest: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and maximum of w_ij f_j over the neighbours, float [n_nodes, n_sent] each; 0 without neighbours.

    Parameters
    ----------
    place : float [n_nodes, n_space]
    sent : float [n_nodes, n_sent]
    nearest : int64 [n_nodes, k]
        See `nearest_nodes`.
    """
    there = nearest >= 0
    known = nearest.clamp(min=0).flatten()
    step = place.index_select(0, known).view(*nearest.shape, place.shape[1]) - place[:, None]
    weight = torch.where(there, (-STEEPNESS * step.square().sum(dim=2)).exp(), 0.0)
    weighted = weight[:, :, None] * sent.index_select(0, known).view(*nearest.shape, sent.shape[1])
    count = there.sum(dim=1).clamp(min=1)
    mean = weighted.sum(dim=1) / count[:, None]
    largest = weighted.masked_fill(~there[:, :, None], -torch.inf).amax(dim=1)
    return mean, torch.where(there[:, :1], largest, 0.0)
