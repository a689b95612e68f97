"""What critics are told about the incident particle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.nn.standardise import Standardise

if TYPE_CHECKING:
    from hgcal_gnn.generation.condition import Condition


class Told(nn.Module):
    """Logarithm of the energy and polar angle, standardised, and the kind of particle.

    The azimuth is left out: places of hits are taken from the axis.

    Parameters
    ----------
    n_kinds
        Kinds of particles.

    Attributes
    ----------
    n_columns
    """

    def __init__(self, n_kinds: int) -> None:
        super().__init__()
        self.n_kinds = n_kinds
        self.n_columns = 2 + n_kinds
        self.standardise = Standardise(2)

    def fit(self, condition: Condition) -> None:
        """Take mean and spread of a sample."""
        self.standardise.fit(_numbers(condition))

    def forward(self, condition: Condition) -> Tensor:
        """Return [n_showers, n_columns]."""
        numbers = self.standardise(_numbers(condition).to(self.standardise.mean))
        kind = functional.one_hot(condition.kind, self.n_kinds).to(numbers)
        return torch.cat([numbers, kind], dim=1)


def _numbers(condition: Condition) -> Tensor:
    return torch.stack([condition.energy.log(), condition.theta.to(condition.energy)], dim=1)
