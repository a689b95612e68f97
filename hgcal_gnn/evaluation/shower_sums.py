"""The sums over hits behind the observables, each group made when it is first needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation import shower_kernels as kernels

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers

RADII = np.array([2.0, 5.0, 10.0])  # cm
THRESHOLDS = np.array([5.0, 20.0, 100.0])  # E_MIP


class ShowerSums:
    """The sums over hits of some showers, each group made when it is first needed."""

    def __init__(self, showers: Showers, numbers: CellNumbers) -> None:
        self.given, self.numbers = showers, numbers

    @cached_property
    def showers(self) -> Showers:
        """One hit per cell: what counts hits or looks at single ones needs them added up."""
        return self.given.merged()

    @cached_property
    def _moments(self) -> F64:
        cells, hits = self.numbers, self.showers
        return kernels.moments(hits.offsets, hits.cell, hits.energy, cells.place, cells.layer, cells.weight)

    def moment(self, name: str) -> F64:
        """Return one of `shower_kernels.MOMENTS`, float64 [n_showers]."""
        return self._moments[:, kernels.MOMENTS.index(name)]

    @cached_property
    def centre(self) -> F64:
        """Barycentre [cm], float64 [n_showers, 3]."""
        return np.stack([self.moment(axis) for axis in "xyz"], axis=1)

    def share(self, energy: F64) -> F64:
        """Divide energies [n_showers] by those of the showers."""
        return energy / np.maximum(self.moment("energy"), kernels.TINY)

    @cached_property
    def sections(self) -> F64:
        """Energy in each section [GeV], float64 [n_showers, n_sections]."""
        return self._by_section(self.showers.energy, self.numbers.weight)

    @cached_property
    def section_hits(self) -> F64:
        """Hits in each section, float64 [n_showers, n_sections]."""
        one = (self.showers.energy > 0).astype(np.float32)
        return self._by_section(one, np.ones_like(self.numbers.weight))

    @cached_property
    def layers(self) -> F64:
        """Energy in each layer [GeV], float64 [n_showers, n_layers]."""
        return self._by_layer(self.numbers.weight)

    @cached_property
    def layer_mips(self) -> F64:
        """Deposits in each layer [E_MIP], float64 [n_showers, n_layers]."""
        return self._by_layer(np.float32(1) / self.numbers.mip)

    def _by_section(self, deposit: F32, scale: F32) -> F64:
        hits, cells = self.showers, self.numbers
        sums: F64 = kernels.group_sums(hits.offsets, hits.cell, deposit, cells.section, scale, len(cells.sections))
        return sums

    def _by_layer(self, scale: F32) -> F64:
        hits, cells = self.showers, self.numbers
        row = cells.layer - np.int16(1)
        sums: F64 = kernels.group_sums(hits.offsets, hits.cell, hits.energy, row, scale, cells.n_layers)
        return sums

    @cached_property
    def lateral(self) -> F64:
        """See `shower_kernels.lateral`."""
        cells, hits = self.numbers, self.showers
        return kernels.lateral(
            hits.offsets, hits.cell, hits.energy, cells.place, cells.weight, self.centre, RADII
        )  # fmt: skip

    @cached_property
    def spectrum(self) -> F64:
        """See `shower_kernels.spectrum`."""
        cells, hits = self.numbers, self.showers
        return kernels.spectrum(hits.offsets, hits.cell, hits.energy, cells.weight, cells.mip, THRESHOLDS)
