"""How much a shower leaves in each layer: number of hits and energy, drawn for all layers together.

Of each layer two numbers are told by their distance to what is usual at its depth: the root of the number of hits, and
the logarithm of the energy per hit. What is usual (mean and width) is a smooth function of the depth along the flight,
of the layer's own material and of the incident particle, so that it holds at other angles, too. A flow draws the
distances of all layers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.generation.graph.cells_flow import VectorFlow
from hgcal_gnn.generation.graph.ground import N_FEATURES
from hgcal_gnn.generation.noise import noise

if TYPE_CHECKING:
    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.graph.ground import Tokens

NARROWEST, WIDEST = -4.0, 0.7  # ln of the width of the logarithm of the energy per hit
LEAST, MOST = -5.0, 9.0  # ln of the energy per hit [MIP]


class LayerSums(NamedTuple):
    """What a shower leaves in its layers.

    Attributes
    ----------
    n_hits : [n_showers, n_layers]
        Whole numbers.
    mips : [n_showers, n_layers]
        Energy [MIP, of particles along the flight]; 0 without hits.
    """

    n_hits: Tensor
    mips: Tensor

    @property
    def log_mean(self) -> Tensor:
        """Logarithm of the energy per hit; 0 without hits."""
        mean = self.mips.clamp(min=1e-3) / self.n_hits.clamp(min=1)
        return torch.where(self.n_hits > 0, mean.log(), 0.0)


class Incident(nn.Module):
    """What is told of the incident particle: ln E, standardised, its square, and the kind.

    The direction is left out: depths are counted along the flight.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, n_kinds: int) -> None:
        super().__init__()
        self.n_kinds, self.n_columns = n_kinds, 2 + n_kinds
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def fit(self, condition: Condition) -> None:
        """Take mean and spread of ln E."""
        energy = condition.energy.double().log()
        self.mean.copy_(energy.mean())
        self.spread.copy_(energy.std(correction=0).clamp(min=0.1))

    def forward(self, condition: Condition) -> Tensor:
        """Return [n_showers, n_columns]."""
        energy = ((condition.energy.log() - self.mean) / self.spread)[:, None]
        kind = functional.one_hot(condition.kind, self.n_kinds).to(energy)
        return torch.cat([energy, energy.square(), kind], dim=1)


class LayerModel(nn.Module):
    """Draws `LayerSums`.

    Parameters
    ----------
    n_layers, n_kinds
    width, n_blocks
        Of the flow.
    draws
        Times and noises per shower in a step of the training.
    """

    def __init__(self, n_layers: int, n_kinds: int, width: int, n_blocks: int, draws: int = 8) -> None:
        super().__init__()
        self.n_layers, self.draws = n_layers, draws
        self.incident = Incident(n_kinds)
        told = N_FEATURES + 1 + self.incident.n_columns
        self.usual_hits = _usual(told)
        self.usual_energy = _usual(told + 1)
        self.flow = VectorFlow(2 * n_layers, self.incident.n_columns, width, n_blocks)

    def losses(self, sums: LayerSums, tokens: Tokens, condition: Condition) -> dict[str, Tensor]:
        """Return minus the likelihood of what is usual, and the loss of the flow."""
        told, there = self._told(tokens, condition), tokens.present.to(tokens.depth)
        has_hits = (sums.n_hits > 0).to(there)
        root = (sums.n_hits + torch.rand_like(sums.n_hits)).sqrt()
        mean, log_width = self._of_hits(told)
        hits = (root - mean) / log_width.exp()
        usual = ((0.5 * hits.square() + log_width) * there).sum() / there.sum()
        mean, log_width = self._of_energy(told, sums.n_hits)
        energy = (sums.log_mean - mean) / log_width.exp()
        usual = usual + ((0.5 * energy.square() + log_width) * has_hits).sum() / has_hits.sum().clamp(min=1)
        energy = torch.where(has_hits > 0, energy, torch.randn_like(energy))  # nothing to learn where nothing is
        distances = torch.cat([hits, energy], dim=1).detach()
        some = distances.repeat(self.draws, 1), self.incident(condition).repeat(self.draws, 1)
        return {"usual": usual, "flow": self.flow.loss(*some)}

    def sample(self, tokens: Tokens, condition: Condition, random: torch.Generator | None, steps: int) -> LayerSums:
        """Draw the layers of showers."""
        start = noise(len(condition), self.flow.n, tokens.depth, random)
        distances = self.flow.sample(start, self.incident(condition), steps)
        hits, energy = distances.chunk(2, dim=1)
        told = self._told(tokens, condition)
        mean, log_width = self._of_hits(told)
        n_hits = (mean + log_width.exp() * hits).clamp(min=0).square().floor() * tokens.present
        mean, log_width = self._of_energy(told, n_hits)
        return LayerSums(n_hits, n_hits * (mean + log_width.exp() * energy).clamp(LEAST, MOST).exp())

    def _told(self, tokens: Tokens, condition: Condition) -> Tensor:
        incident = self.incident(condition)[:, None].expand(-1, self.n_layers, -1)
        return torch.cat([tokens.depth.log()[..., None] / 2, tokens.features, incident], dim=2)

    def _of_hits(self, told: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_width = self.usual_hits(told).unbind(dim=2)
        return mean, log_width.clamp(NARROWEST, -NARROWEST)

    def _of_energy(self, told: Tensor, n_hits: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_width = self.usual_energy(torch.cat([told, n_hits.log1p()[..., None] / 3], dim=2)).unbind(dim=2)
        return mean, log_width.clamp(NARROWEST, WIDEST)


def _usual(n: int, width: int = 64) -> nn.Sequential:
    """Return a network from n numbers to a mean and the logarithm of a width."""
    maps = (nn.Linear(n, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
    return nn.Sequential(*maps, nn.Linear(width, 2))
