"""From the states of the hits to numbers per shower: a weight for every hit's energy, and a correction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.pooling import pool_mean, pool_sum
from hgcal_gnn.nn.standardise import Standardise

WEIGHT_LIMIT = 3.0  # |w_i| stays below: a hit counts between 1/20 and 20 times its energy
TYPICAL = 50.0  # GeV; logarithms of energies are taken from here, so that they are of order 1
SMALLEST = 1e-3  # GeV; sums of energies are cut off here, so that logarithms stay finite


class WeighedHits(nn.Module):
    """Read-out of networks on hits.

    The energy is sum_i e_i exp(w_i) exp(c): w_i is linear in the state of hit i and bounded, c comes from the pooled
    states and the high-level variables. Both are 0 before the training, so that it starts from the plain sum of the
    calibrated energies.

    Parameters
    ----------
    width
        Columns of the states.
    n_variables
        High-level variables.
    n_outputs
        Numbers per shower; the first is ln(energy / reference).
    hidden
        Width of the correction; None: `width`.
    """

    def __init__(self, width: int, n_variables: int, n_outputs: int, *, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or width
        self.weight = nn.Linear(width, 1)
        nn.init.zeros_(self.weight.weight)
        nn.init.zeros_(self.weight.bias)
        self.standardise = Standardise(n_variables)
        self.correct = dense(2 * width + 2 + n_variables, hidden, hidden, n_outputs, starts_at_zero=True)

    def forward(self, x: Tensor, energy: Tensor, ptr: Tensor, reference: Tensor, variables: Tensor) -> Tensor:
        """Return float [n_showers, n_outputs].

        Parameters
        ----------
        x : float [n_hits, width]
        energy : float [n_hits]
            Calibrated [GeV].
        ptr : int64 [n_showers + 1]
            First hit of each shower.
        reference : float [n_showers]
            Energy that the first output is relative to [GeV].
        variables : float [n_showers, n_variables]
        """
        x, energy = x.to(energy.dtype), energy[:, None]  # sums over many hits need more digits than half precision has
        weight = WEIGHT_LIMIT * torch.tanh(self.weight(x).to(energy.dtype) / WEIGHT_LIMIT)
        total = pool_sum(energy, ptr).clamp(min=SMALLEST)
        pooled = pool_sum(torch.cat([energy * weight.exp(), energy * x], dim=1), ptr)
        weighted = (pooled[:, :1].clamp(min=SMALLEST) / reference[:, None]).log()
        known = [pool_mean(x, ptr), pooled[:, 1:] / total, (reference[:, None] / TYPICAL).log(), weighted]
        found = self.correct(torch.cat([*known, self.standardise(variables)], dim=1))
        return torch.cat([found[:, :1] + weighted, found[:, 1:]], dim=1)
