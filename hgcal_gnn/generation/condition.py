"""Conditions: what a model is told about the incident particles, as tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.particles import particle_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import I64
    from hgcal_gnn.generation.particles import Particles


class Condition(NamedTuple):
    """Incident particles of a batch.

    Attributes
    ----------
    energy : [n]
        Total energy [GeV].
    direction : [n, 3]
        Unit vectors.
    vertex : [n, 3]
        [cm]
    kind : int64 [n]
        Place of the particle among the kinds that the model knows.
    """

    energy: Tensor
    direction: Tensor
    vertex: Tensor
    kind: Tensor

    @classmethod
    def of(cls, particles: Particles, pdg_ids: Sequence[int]) -> Condition:
        """Turn particles into tensors.

        Raises
        ------
        UsageError
            For kinds of particles the model does not know.
        """
        return cls(
            torch.from_numpy(np.ascontiguousarray(particles.incident_energy)),
            torch.from_numpy(particles.direction),
            torch.from_numpy(particles.vertex),
            torch.from_numpy(_places(particles, pdg_ids)),
        )

    def __len__(self) -> int:
        return self.energy.shape[0]

    @property
    def n(self) -> int:
        """Number of particles; unlike `len` it stays a symbol where a model is exported."""
        return self.energy.shape[0]

    def rows(self, rows: Tensor | slice) -> Condition:
        """Return some of the particles."""
        return Condition(*(part[rows] for part in self))

    def to(self, like: Tensor | torch.device) -> Condition:
        """Return the same on the device of another tensor."""
        device = like.device if isinstance(like, Tensor) else like
        return Condition(*(part.to(device, non_blocking=True) for part in self))

    @property
    def theta(self) -> Tensor:
        """Polar angle to the z axis [rad], [n]."""
        return torch.atan2(self.direction[:, :2].norm(dim=1), self.direction[:, 2])

    @property
    def phi(self) -> Tensor:
        """Azimuth [rad], [n]."""
        return torch.atan2(self.direction[:, 1], self.direction[:, 0])


def _places(particles: Particles, pdg_ids: Sequence[int]) -> I64:
    known = np.asarray(sorted(pdg_ids))
    place = np.searchsorted(known, particles.pdg_id).clip(max=len(known) - 1)
    strange = np.unique(particles.pdg_id[known[place] != particles.pdg_id]).tolist()
    if strange:
        told, able = (", ".join(map(particle_name, some)) for some in (strange, known.tolist()))
        msg = f"the model was trained on {able}; it cannot generate {told}"
        raise UsageError(msg)
    return place.astype(np.int64)
