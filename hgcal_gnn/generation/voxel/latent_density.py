"""Density of the latents of encoded showers: kernels in latents and energy, sampled at given energies.

Showers are encoded to latents that are not quite normal and that are correlated with the energy; sampling from their
density instead of a normal distribution repairs the longitudinal profile (arXiv:2102.12491, section 4).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hgcal_gnn.generation.noise import noise

if TYPE_CHECKING:
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
        of_energy = self.covariance[-1, -1]
        slope = self.covariance[:-1, -1] / of_energy
        away = condition.energy.log()[:, None] - own
        weight = torch.softmax(-away.square() / (2 * of_energy), dim=1).cumsum(dim=1)
        n, size = len(condition), latents.shape[1]
        given = noise(n, size + 1, own, random)
        even = 0.5 * (1 + torch.erf(given[:, -1:] / math.sqrt(2)))  # a normal number as an even one
        chosen = torch.searchsorted(weight, even * weight[:, -1:])[:, 0].clamp(max=len(own) - 1)
        left = self.covariance[:-1, :-1] - torch.outer(self.covariance[:-1, -1], slope)
        root = torch.linalg.cholesky(left + LEAST * torch.eye(size, device=own.device))
        shift = away.gather(1, chosen[:, None]) * slope
        found: Tensor = latents[chosen] + shift + given[:, :-1] @ root.T
        return found
