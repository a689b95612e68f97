"""The sums over hits behind the features, in one pass, parallel over showers.

Hits without a positive, finite deposit count nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I16, I32, I64

# of each layer: energy [GeV], hits, deposits [E_MIP], then energy times the distance from the axis along the two
# directions of the layer (x, y), their squares, the distance itself and its square [GeV cm, GeV cm2]
LAYER = ("energy", "hits", "mips", "x", "y", "xx", "yy", "r", "rr")
SHOWER = (
    "visible", "energy", "hits", "largest", "log", "log2", "log3", "x", "y", "z", "xx", "yy", "zz", "xy", "xz", "yz",
)  # fmt: skip


@njit(cache=True)
def across(place: F32, row: int, lines: F64, shower: int) -> tuple[float, float]:
    """Return how far a cell is from the axis along the two directions of its layer [cm].

    Where the axis leans to z: in the plane of constant z, along x and y. Else (barrels): in the plane that stands on
    the horizontal part of the axis, sideways (growing phi) and along z.
    """
    dx, dy, dz = lines[shower, 3], lines[shower, 4], lines[shower, 5]
    x, y, z = place[row, 0] - lines[shower, 0], place[row, 1] - lines[shower, 1], place[row, 2] - lines[shower, 2]
    flat = dx * dx + dy * dy
    if dz * dz >= flat:
        step = z / dz
        return x - step * dx, y - step * dy
    step = (x * dx + y * dy) / flat
    return (y * dx - x * dy) / np.sqrt(flat), z - step * dz


@njit(cache=True, parallel=True)
def feature_sums(
    offsets: I64,
    cell: I32,
    deposit: F32,
    place: F32,
    layer: I16,
    weight: F32,
    mip: F32,
    lines: F64,
    axis_cell: I32,
    ring_width: float,
    n_rings: int,
    threshold: np.float32,
    rings_only: bool,
) -> tuple[F64, F64, F64]:
    """Sum over the hits of each shower.

    Parameters
    ----------
    offsets, cell, deposit
        Hits, one per cell.
    place, layer, weight, mip
        Of the cells: `CellNumbers`.
    lines : float64 [n_showers, 6]
        Axes, see `axis_lines`.
    axis_cell : int32 [n_showers, n_layers]
        Cell nearest to the axis, or -1: it is in ring 0 wherever its centre lies.
    ring_width, n_rings
        Ring k reaches from (k - 1/2) to (k + 1/2) times the width [cm]; what lies beyond is summed in one more.
    threshold
        Smaller deposits [GeV] are left out.
    rings_only
        As the HGCal challenge stores its showers: hits beyond the last ring do not exist, nor those closer than half
        a width that are not in the axis cell.

    Returns
    -------
    float64 [n_showers, n_layers, len(LAYER)]
        What `LAYER` says.
    float64 [n_showers, len(SHOWER)]
        Deposits [GeV], energy [GeV], hits, largest hit [GeV], sums over hits of ln(deposit / E_MIP), its square and
        cube, sums of energy times the place and its products, relative to the first hit that counts.
    float64 [n_showers, n_rings + 1]
        Energy in each ring [GeV].
    """
    n = len(offsets) - 1
    layers = np.zeros((n, axis_cell.shape[1], len(LAYER)))
    showers = np.zeros((n, len(SHOWER)))
    rings = np.zeros((n, n_rings + 1))
    for shower in prange(n):
        start = -1
        for hit in range(offsets[shower], offsets[shower + 1]):
            raw = deposit[hit]
            if not 0 < raw < np.inf or raw < threshold:
                continue
            row = cell[hit]
            floor = layer[row] - 1
            u, v = across(place, row, lines, shower)
            radius = np.sqrt(u * u + v * v)
            at_axis = axis_cell[shower, floor] == row
            ring = min(int(radius / ring_width + 0.5), n_rings)
            if at_axis:
                ring = 0
            elif rings_only and ring in (0, n_rings):
                continue
            energy = np.float64(raw) * weight[row]
            mips = np.float64(raw) / mip[row]
            rings[shower, ring] += energy
            _add_to_layer(layers, shower, floor, energy, mips, u, v, radius)
            if start < 0:
                start = row
            _add_to_shower(showers, shower, raw, energy, np.log(mips), place, row, start)
    return layers, showers, rings


@njit(cache=True)
def _add_to_layer(
    sums: F64, shower: int, layer: int, energy: float, mips: float, u: float, v: float, radius: float
) -> None:
    """Add a hit to the columns `LAYER`."""
    sums[shower, layer, 0] += energy
    sums[shower, layer, 1] += 1.0
    sums[shower, layer, 2] += mips
    sums[shower, layer, 3] += energy * u
    sums[shower, layer, 4] += energy * v
    sums[shower, layer, 5] += energy * u * u
    sums[shower, layer, 6] += energy * v * v
    sums[shower, layer, 7] += energy * radius
    sums[shower, layer, 8] += energy * radius * radius


@njit(cache=True)
def _add_to_shower(
    sums: F64, shower: int, raw: float, energy: float, log: float, place: F32, row: int, start: int
) -> None:
    """Add a hit to the columns `SHOWER`."""
    x = np.float64(place[row, 0]) - place[start, 0]
    y = np.float64(place[row, 1]) - place[start, 1]
    z = np.float64(place[row, 2]) - place[start, 2]
    sums[shower, 0] += raw
    sums[shower, 1] += energy
    sums[shower, 2] += 1.0
    sums[shower, 3] = max(sums[shower, 3], energy)
    sums[shower, 4] += log
    sums[shower, 5] += log * log
    sums[shower, 6] += log * log * log
    sums[shower, 7] += energy * x
    sums[shower, 8] += energy * y
    sums[shower, 9] += energy * z
    sums[shower, 10] += energy * x * x
    sums[shower, 11] += energy * y * y
    sums[shower, 12] += energy * z * z
    sums[shower, 13] += energy * x * y
    sums[shower, 14] += energy * x * z
    sums[shower, 15] += energy * y * z
