"""How many hits a shower has and how much energy they hold together: drawn before the hits are made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hgcal_gnn.generation.critics.told import Told
from hgcal_gnn.generation.noise import even_noise, noise
from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.standardise import Standardise

if TYPE_CHECKING:
    from hgcal_gnn.generation.condition import Condition

FARTHEST = 6.0  # standard deviations of the training sample: no draw goes beyond
LEAST = math.exp(-7.0)  # width of a component, in the same


class Totals(nn.Module):
    """Mixture of normal distributions of (logarithm of the hits, logarithm of the response), given the particle.

    A mixture density network (C. M. Bishop, 1994): a network makes weights, means and triangular roots of the
    covariances of the components from energy, angle and kind of the particle.

    Parameters
    ----------
    n_kinds
        Kinds of particles.
    hidden
        Width of the network.
    n_components
        Of the mixture.
    """

    def __init__(self, n_kinds: int, hidden: int = 32, n_components: int = 4) -> None:
        super().__init__()
        self.told = Told(n_kinds)
        self.scale = Standardise(2)
        self.network = dense(self.told.n_columns, hidden, hidden, 6 * n_components)

    def fit(self, condition: Condition, n_hits: Tensor, visible: Tensor) -> None:
        """Take scales from a sample."""
        self.told.fit(condition)
        self.scale.fit(_numbers(condition, n_hits, visible))

    def tell(self, condition: Condition, n_hits: Tensor, visible: Tensor) -> Tensor:
        """Return totals as numbers of order 1 for other networks, float [n, 2]."""
        numbers: Tensor = self.scale(_numbers(condition, n_hits, visible))
        return numbers

    def loss(self, condition: Condition, n_hits: Tensor, visible: Tensor) -> Tensor:
        """Return the mean of -log of the density at the totals of showers; hits are spread over their whole number."""
        spread = n_hits + torch.rand(len(n_hits), device=n_hits.device) - 0.5
        x = (_numbers(condition, spread, visible) - self.scale.mean) / self.scale.std
        weight, mean, width, slope = self._mixture(condition)
        first = (x[:, None, 0] - mean[..., 0]) / width[..., 0]
        second = (x[:, None, 1] - mean[..., 1] - slope * first) / width[..., 1]
        log_density = -0.5 * (first.square() + second.square()) - width.log().sum(dim=-1) - math.log(2 * math.pi)
        return -(weight + log_density).logsumexp(dim=1).mean()

    def forward(self, condition: Condition, random: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw hits, float [n] of whole numbers of at least 1, and visible energy [GeV], float [n]."""
        weight, mean, width, slope = self._mixture(condition)
        n = weight.shape[0]
        choice, normal = even_noise(n, 1, weight, random), noise(n, 2, weight, random)
        chosen = (weight.exp().cumsum(dim=1) < choice).sum(dim=1).clamp(max=weight.shape[1] - 1)
        row = torch.arange(n, device=weight.device)
        mean, width, slope = mean[row, chosen], width[row, chosen], slope[row, chosen]
        first = mean[:, 0] + width[:, 0] * normal[:, 0]
        second = mean[:, 1] + slope * normal[:, 0] + width[:, 1] * normal[:, 1]
        x = torch.stack([first, second], dim=1).clamp(-FARTHEST, FARTHEST)
        log_hits, log_response = (x * self.scale.std + self.scale.mean).unbind(dim=1)
        return log_hits.exp().round().clamp(min=1), log_response.exp() * condition.energy

    def _mixture(self, condition: Condition) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return logarithms of weights [n, k], means and widths [n, k, 2], slopes [n, k]."""
        found = self.network(self.told(condition))
        weight, first, second, log_first, log_second, slope = found.chunk(6, dim=1)
        widths = torch.stack([log_first, log_second], dim=-1).exp() + LEAST
        return weight.log_softmax(dim=1), torch.stack([first, second], dim=-1), widths, slope


def _numbers(condition: Condition, n_hits: Tensor, visible: Tensor) -> Tensor:
    return torch.stack([n_hits.clamp(min=0.5).log(), (visible / condition.energy).log()], dim=1)
