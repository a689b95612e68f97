"""From points to cells: the nearest cell in a layer's own surface, for hexagons, tiles and boxes alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from hgcal_gnn.geometry.surfaces import Surface, surfaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

SAMPLE = 2000  # cells per layer from which the pitch is measured
SEAM = 20.0  # cells this close [cm] to r phi = +-pi r are entered on both sides of the cut
BINS_PER_CELL = 4  # at most, where cells fill only part of the layer's bounding box
FARTHEST = 1e6  # a point this many bins away is in no cell
EVEN = 1e-4  # sectors as wide as each other, in units of their width: float32 keeps as much
MARGIN = 1.05  # rounding: a point this much beyond the farthest corner still counts
FAR_NEIGHBOUR = (
    4  # without sizes or corners a cell reaches 0.75 of the distance to this neighbour (hexagons, squares: 1 pitch)
)


class CellFinder(NamedTuple):
    """Uniform grids over the cells of every layer; group = one subdetector of one layer on one side.

    Few arrays, as every call inside the kernels counts the references of each.

    Attributes
    ----------
    layer_groups : int64 [n_layers + 1]
        First group of each layer.
    grid : float64 [n_groups, 6]
        Origin in a and b [cm], 1 / bin width [1 / cm], number of bins along a and b, squared distance [cm^2] from a
        centre beyond which a point belongs to no cell (0: sectors of a disk, in bins of azimuth).
    first_bin : int64 [n_groups]
    bin_start : int64 [n_bins + 1]
    row : int32 [n_entries]
        Row of the cell table.
    place : float32 [n_entries, 2 or 4]
        Surface coordinates a, b [cm]: x, y of a disk, z, r phi of a barrel. Sectors of a disk: r [cm], phi [rad] and
        half their size in both.
    """

    layer_groups: NDArray[np.int64]
    grid: NDArray[np.float64]
    first_bin: NDArray[np.int64]
    bin_start: NDArray[np.int64]
    row: NDArray[np.int32]
    place: NDArray[np.float32]


def group_layers(table: CellTable) -> list[list[Surface]]:
    """Return the surfaces of a table joined to layers: silicon and scintillator of one plane belong together."""
    layers: dict[tuple[int, int], list[Surface]] = {}
    for surface in surfaces(table):
        layers.setdefault((surface.z_side, surface.layer), []).append(surface)
    return list(layers.values())


def build_finder(table: CellTable, layers: list[list[Surface]]) -> CellFinder:
    """Build the grids of every layer (bins as wide as the cells, cells listed bin by bin)."""
    grids = [_grid(table, group) for groups in layers for group in groups]
    n_bins = np.array([int(grid.shape.prod()) for grid in grids])
    per_bin = np.concatenate([grid.counts for grid in grids])
    with_size = any(grid.place.shape[1] == 4 for grid in grids)
    return CellFinder(
        layer_groups=np.cumsum([0] + [len(groups) for groups in layers]).astype(np.int64),
        grid=np.array([[*grid.origin, 1.0 / grid.size, *grid.shape, (MARGIN * grid.reach) ** 2] for grid in grids]),
        first_bin=np.cumsum(n_bins) - n_bins,
        bin_start=np.concatenate([[0], np.cumsum(per_bin)]).astype(np.int64),
        row=np.concatenate([grid.row for grid in grids]).astype(np.int32),
        place=np.concatenate([_padded(grid.place, 4 if with_size else 2) for grid in grids]).astype(np.float32),
    )


class _Grid(NamedTuple):
    """The grid of one group; see `CellFinder`."""

    origin: NDArray[np.float64]
    size: float
    shape: NDArray[np.int64]
    reach: float
    counts: NDArray[np.int64]
    row: NDArray[np.int64]
    place: NDArray[np.float64]


def _padded(place: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    return np.pad(place, ((0, 0), (0, width - place.shape[1])))


def _grid(table: CellTable, surface: Surface) -> _Grid:
    if surface.kind == "disk" and {"r", "phi", "dr", "dphi"} <= table.extra.keys():
        return _sectors(table, surface)
    a, b, row = surface_coordinates(table, surface)
    origin = np.array([a.min(), b.min()])
    extent = np.array([a.max(), b.max()]) - origin
    pitch, reach = _cell_size(table, surface, a, b)
    size = max(pitch, math.sqrt(float(np.prod(extent)) / (BINS_PER_CELL * len(a))))
    shape = (extent / size).astype(np.int64) + 1
    place = ((a - origin[0]) / size).astype(np.int64) * shape[1] + ((b - origin[1]) / size).astype(np.int64)
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place, minlength=int(shape.prod()))
    return _Grid(origin, size, shape, reach, counts, row[order], np.stack([a[order], b[order]], axis=1))


def _sectors(table: CellTable, surface: Surface) -> _Grid:
    """Return the cells of a disk of (r, phi) sectors: a bin for each azimuth if all are as wide, else one with all."""
    r, phi, dr, dphi = (table.extra[name][surface.rows].astype(np.float64) for name in ("r", "phi", "dr", "dphi"))
    row, place = np.arange(surface.start, surface.stop), np.stack([r, phi, dr / 2, dphi / 2], axis=1)
    width, first = float(dphi[0]), float(phi.min())
    turns = (phi - first) / width
    is_even = bool((np.abs(dphi - width) < EVEN * width).all() and (np.abs(turns - np.rint(turns)) < EVEN).all())
    sector = np.rint(turns).astype(np.int64) if is_even else np.zeros(len(phi), np.int64)
    n_sectors = max(round(2 * math.pi / width), int(sector.max()) + 1) if is_even else 1
    order = np.argsort(sector, kind="stable")
    counts = np.bincount(sector, minlength=n_sectors)
    origin = np.array([0.0, first - width / 2])
    return _Grid(origin, width, np.array([1, n_sectors]), 0.0, counts, row[order], place[order])


def surface_coordinates(
    table: CellTable, surface: Surface
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the surface coordinates [cm] and rows of a layer's cells; barrel cells near the cut appear twice."""
    rows = np.arange(surface.start, surface.stop)
    x, y, z = (values[surface.rows].astype(np.float64) for values in (table.x, table.y, table.z))
    if surface.kind == "disk":
        return x, y, rows
    turn = 2 * math.pi * surface.depth
    arc = np.arctan2(y, x) * surface.depth
    low, high = arc < SEAM - turn / 2, arc > turn / 2 - SEAM
    a = np.concatenate([z, z[low], z[high]])
    return a, np.concatenate([arc, arc[low] + turn, arc[high] - turn]), np.concatenate([rows, rows[low], rows[high]])


def _cell_size(
    table: CellTable, surface: Surface, a: NDArray[np.float64], b: NDArray[np.float64]
) -> tuple[float, float]:
    """Return (pitch, greatest distance of a point of a cell from its centre) [cm]."""
    points = np.stack([a, b], axis=1)
    if len(points) == 1:
        return 1.0, math.inf
    sample = points[np.linspace(0, len(points) - 1, min(SAMPLE, len(points))).astype(np.int64)]
    k = min(FAR_NEIGHBOUR + 1, len(points))
    distance = np.median(cKDTree(points).query(sample, k=k)[0], axis=0)
    corners = _corner_reach(table, surface)
    return float(max(distance[1], 1e-3)), float(0.75 * distance[-1]) if corners is None else corners


def _corner_reach(table: CellTable, surface: Surface) -> float | None:
    """Return the distance [cm] of the farthest corner from a centre, None for a table without sizes or corners."""
    if {"dx", "dy", "dz"} <= table.extra.keys():
        wide = ("dx", "dy") if surface.kind == "disk" else ("dy", "dz")
        sizes = [table.extra[name][surface.rows] for name in wide]
        return float(np.hypot(*sizes).max()) / 2
    if surface.kind != "disk" or "corner_x_0" not in table.extra:
        return None
    reach, number = 0.0, 0
    while f"corner_x_{number}" in table.extra:
        dx = table.extra[f"corner_x_{number}"][surface.rows] - table.x[surface.rows]
        dy = table.extra[f"corner_y_{number}"][surface.rows] - table.y[surface.rows]
        distance = np.hypot(dx, dy)
        reach = max(reach, float(np.nanmax(distance, initial=0.0)))
        number += 1
    return reach or None


@njit(cache=True, nogil=True)
def find_cell(finder: CellFinder, layer: int, a: float, b: float) -> int:
    """Return the row of the cell of `layer` nearest to a point, -1 where the point lies in no cell."""
    best, best2 = -1, np.inf
    for group in range(finder.layer_groups[layer], finder.layer_groups[layer + 1]):
        reach2 = finder.grid[group, 5]
        if reach2 == 0.0:
            return _find_sector(finder, group, math.hypot(a, b), math.atan2(b, a))
        row, distance2 = _find_nearest(finder, group, a, b, min(best2, reach2))
        if row >= 0:
            best, best2 = row, distance2
    return best


@njit(cache=True, nogil=True)
def _find_sector(finder: CellFinder, group: int, r: float, phi: float) -> int:
    """Return the row of the sector that holds a point, or -1."""
    place, grid = finder.place, finder.grid
    sector, n_sectors = 0, int(grid[group, 4])
    if n_sectors > 1:
        from_first = (phi - grid[group, 1]) % (2 * math.pi)
        sector = min(int(from_first * grid[group, 2]), n_sectors - 1)
    here = finder.first_bin[group] + sector
    for entry in range(finder.bin_start[here], finder.bin_start[here + 1]):
        if abs(place[entry, 0] - r) <= place[entry, 2]:
            turn = abs(place[entry, 1] - phi) % (2 * math.pi)
            if min(turn, 2 * math.pi - turn) <= place[entry, 3]:
                return int(finder.row[entry])
    return -1


@njit(cache=True, nogil=True)
def _find_nearest(finder: CellFinder, group: int, a: float, b: float, limit2: float) -> tuple[int, float]:
    """Return (row, squared distance) of the nearest centre within `limit2`; row -1 if there is none.

    Bins are visited ring by ring around the point's own; those farther away than the best cell are skipped.
    """
    grid, bin_start, centres = finder.grid, finder.bin_start, finder.place
    inverse = grid[group, 2]
    na, nb = int(grid[group, 3]), int(grid[group, 4])
    fa, fb = (a - grid[group, 0]) * inverse, (b - grid[group, 1]) * inverse
    best = -1
    if not (abs(fa) < FARTHEST and abs(fb) < FARTHEST):
        return -1, limit2
    first = finder.first_bin[group]
    ia, ib = math.floor(fa), math.floor(fb)
    to_edge = min(fa - ia, ia + 1 - fa, fb - ib, ib + 1 - fb)
    ring = max(0, -ia, ia - na + 1, -ib, ib - nb + 1)
    last = max(abs(ia), abs(na - 1 - ia), abs(ib), abs(nb - 1 - ib))
    while ring <= last:
        gap = (ring - 1 + to_edge) / inverse
        if ring > 0 and gap * gap > limit2:
            break
        for ja in range(max(ia - ring, 0), min(ia + ring, na - 1) + 1):
            gap_a = max(ja - fa, fa - ja - 1.0, 0.0) / inverse
            if gap_a * gap_a > limit2:
                continue
            step = 1 if ring == 0 or ja in (ia - ring, ia + ring) else 2 * ring
            for jb in range(ib - ring, ib + ring + 1, step):
                gap_b = max(jb - fb, fb - jb - 1.0, 0.0) / inverse
                if jb < 0 or jb >= nb or gap_a * gap_a + gap_b * gap_b > limit2:
                    continue
                bin_number = first + ja * nb + jb
                for entry in range(bin_start[bin_number], bin_start[bin_number + 1]):
                    da, db = centres[entry, 0] - a, centres[entry, 1] - b
                    distance2 = da * da + db * db
                    if distance2 < limit2:
                        limit2, best = distance2, entry
        ring += 1
    return (int(finder.row[best]) if best >= 0 else -1), limit2
