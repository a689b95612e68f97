"""Numbers of any distribution, and numbers of a normal distribution that mean the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn

REACH, N_KNOTS = 4.0, 129  # standard deviations up to which quantiles are known, and how many of them


class QuantileMap(nn.Module):
    """Maps normal numbers to the distribution of a sample by its quantiles, and back; linear between and beyond them.

    Quantiles rather than mean and spread, so that a network that makes anything normal makes the usual values.

    Parameters
    ----------
    n
        Columns, each with a distribution of its own.
    """

    knots: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.register_buffer("knots", torch.linspace(-REACH, REACH, N_KNOTS).repeat(n, 1))

    @torch.no_grad()
    def fit(self, values: Tensor) -> None:
        """Take the quantiles of each column of a sample [n_rows, n]."""
        share = torch.special.ndtr(torch.linspace(-REACH, REACH, N_KNOTS, dtype=torch.float64))
        ordered = values.cpu().double().sort(dim=0).values
        place = share * (len(ordered) - 1)
        low = place.floor().long()
        high = (low + 1).clamp(max=len(ordered) - 1)
        found = torch.lerp(ordered[low], ordered[high], (place - low)[:, None]).T
        least = 1e-6 * (found[:, -1:] - found[:, :1]).clamp(min=1e-6)  # steps, for the way back
        self.knots.copy_(found + least * torch.arange(N_KNOTS))

    def forward(self, normal: Tensor) -> Tensor:
        """Return the values of normal numbers [..., n]."""
        normal = normal.to(self.knots.dtype)  # in half precision neighbouring knots were one
        place = (normal + REACH) * ((N_KNOTS - 1) / (2 * REACH))
        low = place.detach().floor().clamp(0, N_KNOTS - 2).long()
        below, above = self._ends(low)
        return below + (place - low) * (above - below)

    def inverse(self, values: Tensor) -> Tensor:
        """Return the normal numbers of values [..., n]."""
        flat = values.reshape(-1, values.shape[-1])
        low = torch.searchsorted(self.knots, flat.detach().T.contiguous()).T.reshape(values.shape) - 1
        low = low.clamp(0, N_KNOTS - 2)
        below, above = self._ends(low)
        place = low + (values - below) / (above - below)
        return place * (2 * REACH / (N_KNOTS - 1)) - REACH

    def _ends(self, low: Tensor) -> tuple[Tensor, Tensor]:
        column = torch.arange(len(self.knots), device=low.device)
        return self.knots[column, low], self.knots[column, low + 1]
