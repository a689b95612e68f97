"""Density of the latents of encoded showers: kernels in latents and energy, sampled at given energies.

Showers are encoded to latents that are not quite normal and that are correlated with the energy; sampling from their
density instead of a normal distribution repairs the longitudinal profile (arXiv:2102.12491, section 4).
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hgcal_gnn.generation.noise import noise
from hgcal_gnn.nn.threads import is_traced

if TYPE_CHECKING:
    from typing import Self

    from hgcal_gnn.generation.condition import Condition

LEAST = 1e-6  # variance added, for latents or energies that are all the same


class LatentDensity(nn.Module):
    """Gaussian kernels around the latents and logarithms of energies of showers, as `scipy.stats.gaussian_kde`.

    Parameters
    ----------
    n
        Showers kept; fewer are repeated.
    latent
        Size of the latents.
    bandwidth
        In units of the spread of the showers; None: Scott's rule, n^(-1 / (dimensions + 4)).

    Attributes
    ----------
    points : [n, latent + 1]
        Latents and ln(energy).
    covariance : [latent + 1, latent + 1]
        Of the kernel.
    known : bool []
        Whether there are any showers yet.
    """

    points: Tensor
    covariance: Tensor
    known: Tensor

    def __init__(self, n: int, latent: int, bandwidth: float | None) -> None:
        super().__init__()
        self.bandwidth = bandwidth
        self.register_buffer("points", torch.zeros(n, latent + 1))
        self.register_buffer("covariance", torch.eye(latent + 1))
        self.register_buffer("known", torch.zeros((), dtype=torch.bool))
        self._kernel: tuple[Tensor, Tensor] | None = None

    def fit(self, latents: Tensor, energy: Tensor) -> None:
        """Keep the latents [m, latent] of showers of some energies [GeV]."""
        points = torch.cat([latents, energy.log()[:, None]], dim=1)
        n, dimensions = points.shape
        width = self.bandwidth or n ** (-1 / (dimensions + 4))
        spread = torch.cov(points.double().T) if n > 1 else torch.zeros(dimensions, dimensions, device=points.device)
        least = LEAST * torch.eye(dimensions, device=points.device)
        self.covariance.copy_(width**2 * spread + least)
        self.points.copy_(points.repeat(math.ceil(len(self.points) / n), 1)[: len(self.points)])
        self.known.fill_(True)

    def sample(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Draw latents for particles, [m, latent].

        The estimate at a given energy is a mixture again: showers weigh exp(-(ln E - ln E_i)^2 / 2 h^2), and their
        kernels are shifted by the correlation of latents and energy.
        """
        latents, own = self.points[:, :-1], self.points[:, -1]
        slope, root = self._kernel or self.kernel()
        away = condition.energy.log()[:, None] - own
        exact = away.double()  # rounding of a sum of all weights would now and then choose another shower
        weight = torch.softmax(-exact.square() / (2 * self.covariance[-1, -1]), dim=1).cumsum(dim=1)
        given = noise(condition.n, latents.shape[1] + 1, own, random)
        even = 0.5 * (1 + torch.erf(given[:, -1:] / math.sqrt(2)))  # a normal number as an even one
        wanted = even * weight[:, -1:]
        chosen = (weight < wanted).sum(dim=1) if is_traced() else torch.searchsorted(weight, wanted)[:, 0]
        chosen = chosen.clamp(max=own.shape[0] - 1)
        shift = away.gather(1, chosen[:, None]) * slope
        found: Tensor = latents[chosen] + shift + given[:, :-1] @ root.T
        return found

    def kernel(self) -> tuple[Tensor, Tensor]:
        """Return what kernels are at a given energy.

        Returns
        -------
        [latent]
            Shift per shift of ln(energy).
        [latent, latent]
            Triangular root of the covariance.
        """
        slope = self.covariance[:-1, -1] / self.covariance[-1, -1]
        left = self.covariance[:-1, :-1] - torch.outer(self.covariance[:-1, -1], slope)
        return slope, torch.linalg.cholesky(left + LEAST * torch.eye(len(left), device=left.device))

    def fixed(self) -> Self:
        """Return the same for use only: `kernel` is found once."""
        other = copy.copy(self)
        other._kernel = self.kernel()
        return other
