"""What a critic sees of some showers: their hits, whose energies carry the gradient of the generator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.nn.adjacency import Adjacency


@dataclass(frozen=True, eq=False)
class HitSets:
    """The hits of all showers of a batch, one shower after the other, at most one per cell, cells ascending.

    `Cells` makes them. Cells without energy may be among them: critics do not see those.

    Attributes
    ----------
    energy : float [n_hits]
        Deposits [GeV], not negative.
    cell : int64 [n_hits]
        Row of the cell graph.
    unit : float [n_hits]
        E_MIP of the cell [GeV]: what energies are counted in.
    place : float [n_hits, 3]
        From the axis of the incident particle, see `axis_frame.from_axis` [cm].
    features : float [n_hits, n_features]
        Of the cells.
    adjacency
        Edges of the cell graph between hits of a shower.
    ptr : int64 [n_showers + 1]
        First hit of each shower.
    """

    energy: Tensor
    cell: Tensor
    unit: Tensor
    place: Tensor
    features: Tensor
    adjacency: Adjacency
    ptr: Tensor

    def __len__(self) -> int:
        return len(self.ptr) - 1

    @cached_property
    def shower(self) -> Tensor:
        """Number of the shower of each hit, int64 [n_hits]."""
        return torch.repeat_interleave(torch.arange(len(self), device=self.ptr.device), self.ptr.diff())

    def with_energy(self, energy: Tensor) -> HitSets:
        """Return the same cells with other energies [n_hits] [GeV]."""
        return replace(self, energy=energy)
