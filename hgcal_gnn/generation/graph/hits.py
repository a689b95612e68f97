"""Showers as hits: sparse, any number of them, each in a cell of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from hgcal_gnn.generation.batch import Ready
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.particles import Particles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from hgcal_gnn.generation.graph.calorimeter import Calorimeter
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers


class Hits(NamedTuple):
    """The hits of some showers, one shower after the other; ascending and different cells within a shower.

    Attributes
    ----------
    energy : float32 [n_hits]
        Deposits [GeV].
    cell : int64 [n_hits]
        Rows of the graph.
    ptr : int64 [n_showers + 1]
        First hit of each shower.
    """

    energy: Tensor
    cell: Tensor
    ptr: Tensor

    @classmethod
    def of(cls, showers: Showers) -> Hits:
        """Take those of showers that are merged."""
        return cls(
            torch.from_numpy(np.array(showers.energy)),
            torch.from_numpy(showers.cell.astype(np.int64)),
            torch.from_numpy(np.array(showers.offsets)),
        )

    @classmethod
    def joined(cls, parts: Iterable[Hits]) -> Hits:
        """Join the showers of several calls."""
        parts = tuple(parts)
        if not parts:
            return cls(torch.zeros(0), torch.zeros(0, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
        counts = torch.cat([part.ptr.diff() for part in parts])
        ptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return cls(torch.cat([part.energy for part in parts]), torch.cat([part.cell for part in parts]), ptr)

    def to(self, device: torch.device | str) -> Hits:
        """Return the same on a device."""
        return Hits(*(part.to(device, non_blocking=True) for part in self))

    @property
    def n_showers(self) -> int:
        """Number of showers, empty ones included (`len` is that of the tuple)."""
        return len(self.ptr) - 1

    @property
    def n_hits(self) -> Tensor:
        """Hits of each shower, int64 [n_showers]."""
        return self.ptr.diff()

    @property
    def shower(self) -> Tensor:
        """Number of the shower of each hit, int64 [n_hits]."""
        return torch.repeat_interleave(torch.arange(self.n_showers, device=self.ptr.device), self.n_hits)


class HitBatch(NamedTuple):
    """Showers as hits, with the particles that made them.

    Attributes
    ----------
    hits
    condition
    """

    hits: Hits
    condition: Condition

    def __len__(self) -> int:
        return self.hits.n_showers

    def to(self, device: torch.device) -> HitBatch:
        """Return the same on a device."""
        return HitBatch(self.hits.to(device), self.condition.to(device))

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        return {f"hits.{name}": part for name, part in self.hits._asdict().items()} | self.condition._asdict()


@dataclass(frozen=True)
class HitMaker:
    """Makes hit batches of showers: a maker for `BatchLoader`.

    Attributes
    ----------
    calorimeter
    pdg_ids
        Kinds of particles.
    threshold
        Cells of at most this energy [GeV] are left out, as they are in generated showers.
    """

    calorimeter: Calorimeter
    pdg_ids: Sequence[int]
    threshold: float = 0.0

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry."""
        self.calorimeter.check(metadata, source=source)

    def __call__(self, showers: Showers) -> Ready[HitBatch]:
        """Make the batch; deposits of one cell are one hit."""
        particles = Particles.of(showers)
        return Ready(HitBatch(Hits.of(lit(showers, self.threshold)), Condition.of(particles, self.pdg_ids)))


def lit(showers: Showers, threshold: float) -> Showers:
    """Add up the deposits of each cell and keep cells of more than a threshold [GeV], and of more than 0."""
    merged = showers.merged()
    return merged.where(merged.energy > np.float32(max(threshold, 0.0)))
