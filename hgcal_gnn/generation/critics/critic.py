"""What critics on hits have in common: hits enter, some layers, pooling, a score per shower."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from hgcal_gnn.generation.critics.pooling import FEW, pool_hits, pooled_columns
from hgcal_gnn.generation.critics.told import Told
from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.pooling import pool_sum, spread
from hgcal_gnn.nn.standardise import Standardise

if TYPE_CHECKING:
    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.critics.config import CriticSettings
    from hgcal_gnn.generation.critics.hit_sets import HitSets

LEAK = 0.2  # of the latent features: no shower is left without a gradient
FAINT = 0.25  # of the median hit: e-folding of the presence; a median hit counts 98 %
N_ENERGY, N_SHOWER = 3, 2  # numbers made of the energy of a hit, of the energies of a shower


class GraphCritic(nn.Module, ABC):
    """A network that scores showers on the hits of their cells.

    Every hit counts as far as it is there, 1 - exp(-E / faint): a cell without energy is exactly the same as a cell
    left out, in all layers and in the pooling. So one critic judges sparse hits and fixed regions, and its score has
    no steps where hits appear, which the gradient of the generator and the gradient penalty need. Nothing is
    normalised over the batch: the score of a shower does not depend on the others.

    Subclasses say what happens to the states in `through`, with what `make_layers` made.

    Parameters
    ----------
    config
    n_features
        Columns of `Cells.features`.
    n_kinds
        Kinds of incident particles.
    """

    faint: Tensor
    typical: Tensor

    def __init__(self, config: CriticSettings, n_features: int, n_kinds: int = 1) -> None:
        super().__init__()
        self.config = config
        width = config.hidden
        self.told = Told(n_kinds)
        self.place, self.features = Standardise(3), Standardise(n_features)
        self.whole = Standardise(N_SHOWER)
        self.register_buffer("faint", torch.ones(()))  # MIP
        self.register_buffer("typical", torch.ones(()))  # hits
        self.enter = dense(N_ENERGY + 3 + n_features + self.told.n_columns, width, width)
        self.make_layers()
        self.describe = dense(pooled_columns(width) + N_SHOWER + self.told.n_columns, width, width)
        self.score = nn.Linear(width, 1)
        if config.regularisation == "spectral_norm":
            for part in [part for part in self.modules() if isinstance(part, nn.Linear)]:
                spectral_norm(part)

    @abstractmethod
    def make_layers(self) -> None:
        """Make what `through` uses."""

    @abstractmethod
    def through(self, x: Tensor, place: Tensor, presence: Tensor, hits: HitSets) -> Tensor:
        """Take the states [n_hits, hidden] through the layers; `place` [n_hits, 3] is of order 1."""

    @torch.no_grad()
    def fit(self, hits: HitSets, condition: Condition) -> None:
        """Take scales from a sample of real showers.

        Parameters
        ----------
        hits
            Cells without energy are left out.
        condition
        """
        lit = hits.energy > 0
        self.told.fit(condition)
        self.place.fit(hits.place[lit])
        self.features.fit(hits.features[lit])
        if lit.any():
            self.faint.copy_(FAINT * (hits.energy / hits.unit)[lit].median())
            self.typical.copy_(lit.sum() / len(hits))
        presence = self._presence(hits.energy / hits.unit)
        self.whole.fit(_of_shower(hits, presence, condition))

    def forward(self, hits: HitSets, condition: Condition) -> Tensor:
        """Return scores, float [n_showers]; larger is more real."""
        return self.judged(hits, condition)[0]

    def judged(self, hits: HitSets, condition: Condition) -> tuple[Tensor, Tensor]:
        """Return scores [n_showers] and latent features [n_showers, hidden], what the score is linear in."""
        # one step of the power iteration per call, not one per use of a weight
        with parametrize.cached() if self.config.regularisation == "spectral_norm" else nullcontext():
            told = self.told(condition)
            mips = hits.energy / hits.unit
            presence = self._presence(mips)
            place = self.place(hits.place)
            x = self._entered(hits, mips, presence, place, told)
            x = self.through(x, place, presence, hits)
            pooled = pool_hits(x, presence, mips, hits.ptr, self.typical)
            # not `Standardise` itself: bounds would stop the gradient of bad generators
            whole = (_of_shower(hits, presence, condition) - self.whole.mean) / self.whole.std
            latent = functional.leaky_relu(self.describe(torch.cat([pooled, whole, told], dim=1)), LEAK)
            return self.score(latent)[:, 0], latent

    def _presence(self, mips: Tensor) -> Tensor:
        return -torch.expm1(-mips / self.faint)

    def _entered(self, hits: HitSets, mips: Tensor, presence: Tensor, place: Tensor, told: Tensor) -> Tensor:
        total = pool_sum(mips[:, None], hits.ptr).clamp(min=FEW)
        share = mips / spread(total, hits.ptr)[:, 0]
        energies = torch.stack([mips.log1p(), share * self.typical, presence], dim=1)
        known = torch.cat([energies, place, self.features(hits.features), spread(told, hits.ptr)], dim=1)
        return torch.relu(self.enter(known))


def _of_shower(hits: HitSets, presence: Tensor, condition: Condition) -> Tensor:
    """Logarithms of the number of hits and of visible / incident energy, [n_showers, 2]."""
    sums = pool_sum(torch.stack([presence, hits.energy], dim=1), hits.ptr)
    response = sums[:, 1] / condition.energy.to(hits.energy)
    return torch.stack([sums[:, 0].log1p(), (response + FEW).log()], dim=1)
