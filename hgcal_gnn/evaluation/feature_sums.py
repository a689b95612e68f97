"""What features are computed from: the sums of `feature_kernels` under their names, and shares made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.feature_axis import Axis, CellGrid, axis_lines
from hgcal_gnn.evaluation.feature_kernels import LAYER, SHOWER, feature_sums
from hgcal_gnn.evaluation.observable_table import START_MIPS, START_SLOPE

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I32, I64, Bools
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers


@dataclass(frozen=True)
class Rules:
    """How hits are counted.

    Attributes
    ----------
    ring_width, n_rings
        Rings around the axis [cm], see `feature_kernels.feature_sums`.
    axis
        See `feature_axis.axis_lines`.
    threshold
        Smaller deposits [GeV] are left out.
    rings_only
        Hits that are in no ring do not exist.
    """

    ring_width: float
    n_rings: int
    axis: Axis = "direction"
    threshold: float = 0.0
    rings_only: bool = False


@dataclass(frozen=True, eq=False)
class FeatureSums:
    """The sums over hits of some showers.

    Attributes
    ----------
    incident : float64 [n_showers]
        [GeV]
    layers, showers, rings
        See `feature_kernels.feature_sums`.
    axis_cell : int32 [n_showers, n_layers]
        Cell nearest to the axis, or -1.
    lines : float64 [n_showers, 6]
        Axes.
    cells_of_layer : int64 [n_layers]
        Number of cells.
    numbers
        The cells.
    """

    incident: F64
    layers: F64
    showers: F64
    rings: F64
    axis_cell: I32
    lines: F64
    cells_of_layer: I64
    numbers: CellNumbers

    @classmethod
    def of(
        cls, showers: Showers, numbers: CellNumbers, rules: Rules, grid: CellGrid | None, cells_of_layer: I64
    ) -> FeatureSums:
        """Sum the hits; deposits of one shower in one cell are added first. Without `grid` no cell is the axis'."""
        hits = showers.merged()
        lines = axis_lines(hits, numbers, rules.axis)
        if grid is None:
            axis_cell = np.full((len(hits), numbers.n_layers), -1, np.int32)
        else:
            axis_cell = grid.nearest(lines, numbers)
        layers, sums, rings = feature_sums(
            hits.offsets, hits.cell, hits.energy, numbers.place, numbers.layer, numbers.weight, numbers.mip,
            lines, axis_cell, rules.ring_width, rules.n_rings, np.float32(rules.threshold), rules.rings_only,
        )  # fmt: skip
        incident = showers.incident_energy.astype(np.float64)
        return cls(incident, layers, sums, rings, axis_cell, lines, cells_of_layer, numbers)

    def layer(self, name: str) -> F64:
        """Return one of `LAYER`, float64 [n_showers, n_layers]."""
        return self.layers[:, :, LAYER.index(name)]

    def shower(self, name: str) -> F64:
        """Return one of `SHOWER`, float64 [n_showers]."""
        return self.showers[:, SHOWER.index(name)]

    @cached_property
    def layer_fraction(self) -> F64:
        """Share of the energy in each layer, float64 [n_showers, n_layers]; NaN without energy."""
        return divided(self.layer("energy"), self.shower("energy")[:, np.newaxis])

    @cached_property
    def ring_fraction(self) -> F64:
        """Share of the energy in each ring, the rest last, float64 [n_showers, n_rings + 1]; NaN without energy."""
        return divided(self.rings, self.shower("energy")[:, np.newaxis])

    def centre(self, name: str) -> F64:
        """Return the mean of "x", "y" or "r" in each layer [cm], float64 [n_showers, n_layers]; NaN if empty."""
        return divided(self.layer(name), self.layer("energy"))

    def width(self, name: str) -> F64:
        """Return the standard deviation of "x", "y" or "r" in each layer [cm]; NaN if empty."""
        square = divided(self.layer(2 * name), self.layer("energy"))
        return root_of(square - self.centre(name) ** 2)

    def radius(self, name: str) -> F64:
        """Return the mean of "x", "y", "r" or of their squares "xx", "yy", "rr" over all layers, [n_showers]."""
        return divided(self.layer(name).sum(axis=1), self.shower("energy"))

    def from_axis_cell(self, name: str) -> F64:
        """Return `centre` of "x" or "y" counted from the middle of the cell that the axis hits (endcaps)."""
        point, along = self.lines[:, np.newaxis, :3], self.lines[:, np.newaxis, 3:]
        step = self.numbers.place[self.axis_cell] - point  # [n_showers, n_layers, 3]
        axis = "xy".index(name)
        offset = step[:, :, axis] - step[:, :, 2] / along[:, :, 2] * along[:, :, axis]
        return self.centre(name) - np.where(self.axis_cell >= 0, offset, 0.0)

    @cached_property
    def layer_moments(self) -> F64:
        """Mean, standard deviation and skewness of the layer, energy-weighted, float64 [n_showers, 3]."""
        number = np.arange(1.0, self.layers.shape[1] + 1)
        mean = self.layer_fraction @ number
        step = number - mean[:, np.newaxis]
        spread = root_of((self.layer_fraction * step**2).sum(axis=1))
        skewness = divided((self.layer_fraction * step**3).sum(axis=1), spread**3)
        return np.stack([mean, spread, np.where(spread > 0, skewness, np.nan)], axis=1)

    def depth(self, share: float) -> F64:
        """Return up to where the layers hold `share` of the energy, between layers by straight lines, [n_showers]."""
        before = np.cumsum(self.layer_fraction, axis=1)
        reached = (before >= share * (1 - 1e-12)).argmax(axis=1)
        rows = np.arange(len(before))
        inside = self.layer_fraction[rows, reached]
        depth: F64 = reached + divided(share - (before[rows, reached] - inside), inside)
        return depth

    @cached_property
    def start_layer(self) -> F64:
        """Layer where the shower starts, as `observable_table` states it, float64 [n_showers]; 0 if nowhere."""
        over = self.layer("mips") > START_MIPS + START_SLOPE * self.shower("energy")[:, np.newaxis]
        both = over[:, :-1] & over[:, 1:]
        if not both.shape[1]:
            return np.zeros(len(both))
        first: F64 = np.where(both.any(axis=1), both.argmax(axis=1) + 1.0, 0.0)
        return first

    @cached_property
    def hit_moments(self) -> F64:
        """Mean, standard deviation and skewness of ln(deposit / E_MIP) over hits, float64 [n_showers, 3]."""
        first, second, third = (divided(self.shower(name), self.shower("hits")) for name in ("log", "log2", "log3"))
        spread = root_of(second - first**2)
        third = third - 3 * first * second + 2 * first**3
        skewness = np.where(spread > 1e-6, divided(third, spread**3), np.nan)
        return np.stack([first, spread, skewness], axis=1)

    @cached_property
    def principal(self) -> F64:
        """Standard deviations along the principal axes and the angle of the first one, float64 [n_showers, 4].

        Longest first [cm]; the angle is that to the axis of the shower [rad]. NaN without energy, the angle also for
        a single hit.
        """
        mean = np.stack([divided(self.shower(name), self.shower("energy")) for name in "xyz"], axis=1)
        square = {
            name: divided(self.shower(name), self.shower("energy")) for name in ("xx", "yy", "zz", "xy", "xz", "yz")
        }
        rows = [[square["".join(sorted(a + b))] for b in "xyz"] for a in "xyz"]
        covariance = np.moveaxis(np.array(rows), -1, 0) - mean[:, :, np.newaxis] * mean[:, np.newaxis, :]
        known: Bools = np.asarray(np.isfinite(covariance).all(axis=(1, 2)))
        values, vectors = np.linalg.eigh(np.where(known[:, np.newaxis, np.newaxis], covariance, 0.0))
        cosine = np.abs((vectors[:, :, 2] * self.lines[:, 3:]).sum(axis=1))
        angle = np.where(values[:, 2] > 1e-9, np.arccos(np.minimum(cosine, 1.0)), np.nan)
        found = np.concatenate([root_of(values[:, ::-1]), angle[:, np.newaxis]], axis=1)
        principal: F64 = np.where(known[:, np.newaxis], found, np.nan)
        return principal


def divided(above: F64, below: F64) -> F64:
    """Divide; NaN where the divisor is not positive."""
    below = np.broadcast_to(below, above.shape)
    ratio = np.full(above.shape, np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio


def root_of(square: F64) -> F64:
    """Return the square root; 0 where rounding made the square negative."""
    positive: F64 = np.sqrt(np.maximum(square, 0.0))
    return positive
