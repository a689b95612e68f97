"""Contact of boxes: cells with stated sizes touch if they meet along a side (or a corner, if asked)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from hgcal_gnn.geometry.neighbours.edges import Pairs
from hgcal_gnn.geometry.neighbours.grid import bin_of, build_grid, extent
from hgcal_gnn.geometry.surfaces import eta_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hgcal_gnn.arrays import F64, I32, I64, U8, Bools
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.neighbours.grid import CellGrid
    from hgcal_gnn.geometry.stations import Stations

TOLERANCE = 0.1  # of the smaller size: a dead gap up to this wide is no gap; a shorter common side is no contact
CHUNK = 4096


@dataclass(frozen=True)
class Boxes:
    """Cells as boxes in the coordinates in which their sides are straight.

    Attributes
    ----------
    stations
        The stations, their a and b replaced by the coordinates of the boxes (eta and phi for instance).
    size_a, size_b : float64 [n_cells]
        Full widths in the units of a and b.
    sized : bool [n_stations]
        Stations all of whose cells have a size; the others keep their surface coordinates.
    towers : bool [n_stations]
        Stations of boxes in eta and phi.
    """

    stations: Stations
    size_a: F64
    size_b: F64
    sized: Bools
    towers: Bools


def find_boxes(table: CellTable, stations: Stations) -> Boxes | None:
    """Read cell sizes off the table: dx and dy, dz and dphi, dr and dphi or deta and dphi; None without them.

    Every station takes the first kind of box that the table states for all of its cells; a size of zero or NaN
    says that a cell is no such box.
    """
    a, b, radius = stations.a.copy(), stations.b.copy(), stations.radius.copy()
    size_a, size_b = np.zeros(table.n_cells), np.zeros(table.n_cells)
    sized, towers = (np.zeros(stations.n_stations, dtype=bool) for _ in range(2))
    for kind in _kinds_of_box(table, stations):
        stated = (kind.size_a > 0) & (kind.size_b > 0) & np.isfinite(kind.size_a) & np.isfinite(kind.size_b)
        mine = kind.possible & ~sized & (np.bincount(stations.number, ~stated, stations.n_stations) == 0)
        rows = mine[stations.number]
        a[rows], b[rows] = kind.a[rows], kind.b[rows]
        size_a[rows], size_b[rows] = kind.size_a[rows], kind.size_b[rows]
        radius[mine] = kind.radius[mine]
        sized |= mine
        towers |= mine & kind.towers
    if not sized.any():
        return None
    return Boxes(replace(stations, a=a, b=b, radius=radius), size_a, size_b, sized, towers)


@dataclass(frozen=True)
class _Kind:
    """One way to state boxes: coordinates and sizes [n_cells], radius and where it is possible [n_stations]."""

    a: F64
    b: F64
    size_a: F64
    size_b: F64
    radius: F64
    possible: Bools
    towers: bool = False


def _kinds_of_box(table: CellTable, stations: Stations) -> Iterator[_Kind]:
    """Go through the kinds of box that the columns of a table allow, the most particular first."""
    have = set(table.extra)
    disk, barrel, wall = (np.array([kind == name for kind in stations.kind]) for name in ("disk", "barrel", "wall"))
    x, y, z = table.positions.T
    phi = np.arctan2(y, x)
    turn = np.ones(stations.n_stations)
    if {"dx", "dy"} <= have:
        yield _Kind(x, y, _size(table, "dx"), _size(table, "dy"), np.zeros_like(turn), disk)
    if {"deta", "dphi"} <= have:
        everywhere = np.ones_like(disk)
        yield _Kind(eta_of(x, y, z), phi, _size(table, "deta"), _size(table, "dphi"), turn, everywhere, towers=True)
    if {"dr", "dphi"} <= have:
        r, middle = np.hypot(x, y), phi
        if {"r", "phi"} <= have:  # x, y may be the centroid of a wide sector: take the middle of the bin
            r, middle = table.extra["r"].astype(np.float64), table.extra["phi"].astype(np.float64)
        yield _Kind(r, middle, _size(table, "dr"), _size(table, "dphi"), turn, disk)
    radius = stations.radius[stations.number]
    if {"dz", "dphi"} <= have:
        yield _Kind(z, phi * radius, _size(table, "dz"), _size(table, "dphi") * radius, stations.radius, barrel)
    if {"dx", "dy", "dz"} <= have:
        # An upright box seen from the axis of the barrel: its extent along phi.
        width = np.abs(_size(table, "dx") * np.sin(phi)) + np.abs(_size(table, "dy") * np.cos(phi))
        yield _Kind(z, phi * radius, _size(table, "dz"), width, stations.radius, barrel)
        across = np.where(stations.b == y, _size(table, "dy"), _size(table, "dx"))
        yield _Kind(stations.a, stations.b, _size(table, "dz"), across, stations.radius, wall)


def box_pairs(boxes: Boxes, *, corners: bool = False) -> Pairs:
    """Find the pairs of boxes of one station and part that share a side (with `corners` also a corner).

    Boxes meet along a side if the gap between them is at most a tenth of the smaller size and the sides
    overlap by at least a tenth of the shorter one.
    """
    stations = boxes.stations
    sized = boxes.sized[stations.number]
    # Boxes of negative size touch nobody.
    size_a, size_b = (np.where(sized, size, -np.inf) for size in (boxes.size_a, boxes.size_b))
    widest_a, widest_b = (extent(stations.number, size, stations.n_stations)[1] for size in (size_a, size_b))
    grid = build_grid(stations, np.maximum(widest_a, 1e-9), np.maximum(widest_b, 1e-9))
    n_partners = np.zeros(len(sized), dtype=np.int64)
    nobody = np.empty(0, dtype=np.int32)
    _find_contacts(grid, stations.number, stations.part, size_a, size_b, corners, n_partners, n_partners, nobody)
    start = np.cumsum(n_partners) - n_partners
    partners = np.empty(int(n_partners.sum()), dtype=np.int32)
    _find_contacts(grid, stations.number, stations.part, size_a, size_b, corners, n_partners, start, partners)
    return Pairs.of_type(np.repeat(np.arange(len(sized)), n_partners), partners, 0)


def _size(table: CellTable, name: str) -> F64:
    size: F64 = np.abs(table.extra[name]).astype(np.float64)
    return size


@njit(cache=True, parallel=True)
def _find_contacts(
    grid: CellGrid,
    station: I32,
    part: U8,
    size_a: F64,
    size_b: F64,
    corners: bool,
    n_partners: I64,
    start: I64,
    partners: I32,
) -> None:
    """Write the partners of smaller row of each cell from `start` on; only count them if `partners` is empty."""
    n_cells = len(grid.row)
    for chunk in prange((n_cells + CHUNK - 1) // CHUNK):
        for slot in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n_cells)):
            i = grid.row[slot]
            s = station[i]
            n_found = 0
            a, b = grid.a[slot], grid.b[slot]
            n_b = grid.n_b[s]
            turn = grid.width_b[s] * n_b
            # No box is wider than a bin, so whoever touches this one is at most two bins away; a closed
            # direction of fewer than five bins must not be walked twice.
            back = min(2, (n_b - 1) // 2) if grid.wraps[s] else 2
            ahead = min(2, n_b // 2) if grid.wraps[s] else 2
            ia = bin_of(a, grid.origin_a[s], grid.width_a[s], grid.n_a[s])
            ib = bin_of(b, grid.origin_b[s], grid.width_b[s], n_b)
            for ja in range(max(ia - 2, 0), min(ia + 2, grid.n_a[s] - 1) + 1):
                for step in range(-back, ahead + 1):
                    jb = ib + step
                    if grid.wraps[s]:
                        jb = jb % n_b
                    elif jb < 0 or jb >= n_b:
                        continue
                    bin_number = grid.station_bin[s] + ja * n_b + jb
                    for other in range(grid.bin_start[bin_number], grid.bin_start[bin_number + 1]):
                        j = grid.row[other]
                        if j >= i or part[j] != part[i]:
                            continue
                        db = grid.b[other] - b
                        if grid.wraps[s]:
                            db -= turn * np.round(db / turn)
                        da = abs(grid.a[other] - a)
                        if _contact(da, abs(db), size_a[i], size_a[j], size_b[i], size_b[j], corners):
                            if len(partners):
                                partners[start[i] + n_found] = j
                            n_found += 1
            n_partners[i] = n_found


@njit(cache=True, inline="always")
def _contact(
    da: float, db: float, size_ai: float, size_aj: float, size_bi: float, size_bj: float, corners: bool
) -> bool:
    small_a, small_b = TOLERANCE * min(size_ai, size_aj), TOLERANCE * min(size_bi, size_bj)
    gap_a = da - 0.5 * (size_ai + size_aj)
    gap_b = db - 0.5 * (size_bi + size_bj)
    if gap_a > small_a or gap_b > small_b:
        return False
    return corners or -gap_a >= small_a or -gap_b >= small_b
