"""The axis of each shower and the cell that it hits in each layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numba import njit, prange
from scipy.spatial import cKDTree

from hgcal_gnn.showers.ragged import segment_sums

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I16, I32, I64
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers

Axis = Literal["direction", "flight", "barycentre", "z"]
CELLS_PER_BIN = 9.0  # on average; a bin is then wider than the largest cells of the HGCAL
TINY = 1e-300
ROUNDING = 1.0001  # a bin this much farther than a cell holds none that is nearer
HGCAL_PITCH = 1.2091  # cm; cells of the low-density wafers
ASKED_CELLS = 5000  # enough for a median


def axis_lines(showers: Showers, numbers: CellNumbers, axis: Axis = "direction") -> F64:
    """Return a point on the axis of each shower [cm] and its unit vector, float64 [n_showers, 6].

    Parameters
    ----------
    axis
        "direction": from the origin along the direction of the particle, so that a smeared vertex widens showers as
        it does in the data; "flight": through the vertex along the direction; "barycentre": from the origin through
        the energy-weighted barycentre, which also serves where direction or vertex are not known; "z": the z axis.
    """
    if axis == "z":
        return np.tile([0.0, 0.0, 0.0, 0.0, 0.0, 1.0], (len(showers), 1))
    through = np.zeros((len(showers), 3))
    along = _barycentre(showers, numbers)
    if axis != "barycentre":
        given = np.stack([getattr(showers, f"direction_{name}") for name in "xyz"], axis=1).astype(np.float64)
        known = np.isfinite(given).all(axis=1)
        if axis == "flight":
            vertex = np.stack([getattr(showers, f"vertex_{name}") for name in "xyz"], axis=1).astype(np.float64)
            known &= np.isfinite(vertex).all(axis=1)
            through[known] = vertex[known]
        along[known] = given[known]
    along /= np.maximum(np.sqrt((along**2).sum(axis=1)), TINY)[:, np.newaxis]
    return np.concatenate([through, along], axis=1)


def usual_ring_width(numbers: CellNumbers) -> float:
    """Return the usual width of rings, about one cell [cm].

    HGCAL: the pitch of its low-density wafers. Cylinders of (r, alpha) voxels: the median radial bin. Else the median
    distance between neighbours in the layer of the first section that has most cells.
    """
    if numbers.detector == "hgcal":
        return HGCAL_PITCH
    if numbers.polar is not None:
        steps = np.diff(np.unique(numbers.polar[:, 0]))
        return float(np.median(steps)) if len(steps) else 1.0
    layers = numbers.layer[numbers.section == 0]
    place = numbers.place[(numbers.layer == np.bincount(layers).argmax()) & (numbers.section == 0)]
    if len(place) < 2:
        return 1.0
    some = place[:: -(-len(place) // ASKED_CELLS)]
    distance = np.asarray(cKDTree(place).query(some, k=2)[0])
    return float(np.median(distance[:, 1]))


def _barycentre(showers: Showers, numbers: CellNumbers) -> F64:
    """Return it for each shower [cm], float64 [n_showers, 3]; along z for showers without energy."""
    usable = (showers.energy > 0) & (showers.energy < np.inf)
    energy = np.where(usable, showers.energy, np.float32(0)) * numbers.weight[showers.cell]
    sums = [segment_sums(energy * numbers.place[showers.cell, number], showers.offsets) for number in range(3)]
    centre = np.stack(sums, axis=1)
    centre[~(centre**2).any(axis=1)] = (0.0, 0.0, 1.0)
    return centre


@dataclass(frozen=True, eq=False)
class CellGrid:
    """Cells of each layer and side of z sorted into square bins of x and y.

    Attributes
    ----------
    low : float64 [n_groups, 2]
        Lower corner of the bins of group 2 (layer - 1) + (z < 0) [cm].
    size : float64 [n_groups]
        Width of its bins [cm].
    shape : int64 [n_groups, 2]
        Bins along x and y, 0 for groups without cells.
    first : int64 [n_groups]
        Its first bin in `start`.
    start : int64 [n_bins + 1]
        Where in `order` the cells of a bin begin.
    order : int32 [n_cells]
        Cells by bin.
    z : float64 [n_groups]
        Mean z of the cells [cm].
    """

    low: F64
    size: F64
    shape: I64
    first: I64
    start: I64
    order: I32
    z: F64

    @classmethod
    def of(cls, numbers: CellNumbers) -> CellGrid:
        """Sort the cells of a detector."""
        count, low, high, z = _extent(numbers.place, numbers.layer, numbers.n_layers)
        filled = count > 0
        area = np.where(filled, np.prod(np.maximum(high - low, 1e-3), axis=1), 1.0)
        size = np.sqrt(CELLS_PER_BIN * area / np.maximum(count, 1))
        span = np.where(filled[:, np.newaxis], high - low, 0.0)
        shape = np.where(filled[:, np.newaxis], np.floor(span / size[:, np.newaxis]) + 1, 0).astype(np.int64)
        n_bins = shape.prod(axis=1)
        first = np.concatenate([[0], np.cumsum(n_bins)])
        low = np.where(filled[:, np.newaxis], low, 0.0)
        key = _bins(numbers.place, numbers.layer, low, size, shape, first)
        start = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=int(first[-1])))])
        order = np.argsort(key, kind="stable").astype(np.int32)
        return cls(low, size, shape, first[:-1], start, order, z)

    def nearest(self, lines: F64, numbers: CellNumbers) -> I32:
        """Return the cell nearest to where each axis crosses each layer, int32 [n_showers, n_layers].

        -1 where the axis leaves the cells, or leans to the side rather than to z (barrels).
        """
        return _nearest(
            lines, self.low, self.size, self.shape, self.first, self.start, self.order, self.z, numbers.place
        )  # fmt: skip


@njit(cache=True)
def _extent(place: F32, layer: I16, n_layers: int) -> tuple[I64, F64, F64, F64]:
    """Return number of cells, corners of their box in x and y and mean z of each group."""
    count = np.zeros(2 * n_layers, np.int64)
    low, high = np.full((2 * n_layers, 2), np.inf), np.full((2 * n_layers, 2), -np.inf)
    z = np.zeros(2 * n_layers)
    for row in range(len(layer)):
        group = 2 * (layer[row] - 1) + (place[row, 2] < 0)
        count[group] += 1
        z[group] += place[row, 2]
        for axis in range(2):
            low[group, axis] = min(low[group, axis], place[row, axis])
            high[group, axis] = max(high[group, axis], place[row, axis])
    return count, low, high, z / np.maximum(count, 1)


@njit(cache=True)
def _bins(place: F32, layer: I16, low: F64, size: F64, shape: I64, first: I64) -> I64:
    """Return the bin of each cell, int64 [n_cells]."""
    key = np.empty(len(layer), np.int64)
    for row in range(len(layer)):
        group = 2 * (layer[row] - 1) + (place[row, 2] < 0)
        x = int((place[row, 0] - low[group, 0]) / size[group])
        y = int((place[row, 1] - low[group, 1]) / size[group])
        x, y = min(x, shape[group, 0] - 1), min(y, shape[group, 1] - 1)
        key[row] = first[group] + x * shape[group, 1] + y
    return key


@njit(cache=True, parallel=True)
def _nearest(
    lines: F64, low: F64, size: F64, shape: I64, first: I64, start: I64, order: I32, z: F64, place: F32
) -> I32:
    """See `CellGrid.nearest`."""
    n_layers = len(z) // 2
    found = np.full((len(lines), n_layers), -1, np.int32)
    for shower in prange(len(lines)):
        px, py, pz = lines[shower, 0], lines[shower, 1], lines[shower, 2]
        dx, dy, dz = lines[shower, 3], lines[shower, 4], lines[shower, 5]
        if dz * dz < dx * dx + dy * dy:
            continue
        for layer in range(n_layers):
            group = 2 * layer + (dz < 0)
            step = (z[group] - pz) / dz
            x, y = px + step * dx, py + step * dy
            column = int(np.floor((x - low[group, 0]) / size[group]))
            line = int(np.floor((y - low[group, 1]) / size[group]))
            # a bin is wider than a cell: what is nearest lies in one of 3 x 3 bins, mostly in the middle one
            best, chosen = size[group] * size[group], -1
            for number in range(9):
                i, j = column + (number + 1) % 3 - 1, line + (number // 3 + 1) % 3 - 1
                if i < 0 or i >= shape[group, 0] or j < 0 or j >= shape[group, 1]:
                    continue
                corner_x, corner_y = low[group, 0] + i * size[group], low[group, 1] + j * size[group]
                away_x = max(corner_x - x, x - corner_x - size[group], 0.0)
                away_y = max(corner_y - y, y - corner_y - size[group], 0.0)
                if number and away_x * away_x + away_y * away_y > ROUNDING * best:
                    continue
                bin_number = first[group] + i * shape[group, 1] + j
                for entry in range(start[bin_number], start[bin_number + 1]):
                    distance = (place[order[entry], 0] - x) ** 2 + (place[order[entry], 1] - y) ** 2
                    if distance < best or (distance == best and entry < chosen):
                        best, chosen = distance, entry
            if chosen >= 0:
                found[shower, layer] = order[chosen]
    return found
