"""Contact of boxes: cells with stated sizes touch if they meet along a side (or a corner, if asked)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from hgcal_gnn.geometry.neighbours.edges import Pairs
from hgcal_gnn.geometry.neighbours.grid import bin_of, build_grid, extent

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I32, U8
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
    """

    stations: Stations
    size_a: F64
    size_b: F64


def find_boxes(table: CellTable, stations: Stations) -> Boxes | None:
    """Read cell sizes off the table: dx and dy, dz and dphi, dr and dphi or deta and dphi; None without them."""
    have = set(table.extra)
    barrel = stations.radius[stations.number] > 0
    phi = np.arctan2(table.y, table.x).astype(np.float64)
    if {"deta", "dphi"} <= have or ({"dr", "dphi"} <= have and not barrel.any()):
        radial = "deta" not in have
        r = np.hypot(table.x, table.y).astype(np.float64)
        if radial and {"r", "phi"} <= have:  # x, y may be the centroid of a wide sector: take the middle of the bin
            r, phi = table.extra["r"].astype(np.float64), table.extra["phi"].astype(np.float64)
        a = r if radial else np.arcsinh(table.z / np.maximum(r, 1e-9))
        turning = replace(stations, a=a, b=phi, radius=np.ones(stations.n_stations))
        return Boxes(turning, _size(table, "dr" if radial else "deta"), _size(table, "dphi"))
    if barrel.all() and {"dz", "dphi"} <= have:
        return Boxes(stations, _size(table, "dz"), _size(table, "dphi") * stations.radius[stations.number])
    if not {"dx", "dy"} <= have or (barrel.any() and "dz" not in have):
        return None
    width, height = _size(table, "dx"), _size(table, "dy")
    if not barrel.any():
        return Boxes(stations, width, height)
    # An upright box seen from the axis of the barrel: its extent along phi.
    tangential = np.abs(width * np.sin(phi)) + np.abs(height * np.cos(phi))
    return Boxes(
        stations, np.where(barrel, _size(table, "dz"), width), np.where(barrel, tangential, height)
    )  # fmt: skip


def box_pairs(boxes: Boxes, group: U8, *, corners: bool = False) -> Pairs:
    """Find the pairs of boxes of one station and group that share a side (with `corners` also a corner).

    Boxes meet along a side if the gap between them is at most a tenth of the smaller size and the sides
    overlap by at least a tenth of the shorter one.
    """
    stations, size_a, size_b = boxes.stations, boxes.size_a, boxes.size_b
    widest_a, widest_b = (extent(stations.number, size, stations.n_stations)[1] for size in (size_a, size_b))
    grid = build_grid(stations, np.maximum(widest_a, 1e-9), np.maximum(widest_b, 1e-9))
    slots = 6
    while True:
        partners = np.full((len(group), slots), -1, dtype=np.int32)
        n_partners = np.zeros(len(group), dtype=np.int32)
        _find_contacts(grid, stations.number, group, size_a, size_b, corners, partners, n_partners)
        most = int(n_partners.max(initial=0))
        if most <= slots:
            break
        slots = most
    first = np.repeat(np.arange(len(group)), n_partners)
    return Pairs.of_type(first, partners[partners >= 0], 0)


def _size(table: CellTable, name: str) -> F64:
    size: F64 = np.abs(table.extra[name]).astype(np.float64)
    return size


@njit(cache=True, parallel=True)
def _find_contacts(
    grid: CellGrid, station: I32, group: U8, size_a: F64, size_b: F64, corners: bool, partners: I32, n_partners: I32
) -> None:
    n_cells = len(grid.row)
    for chunk in prange((n_cells + CHUNK - 1) // CHUNK):
        for slot in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n_cells)):
            i = grid.row[slot]
            s = station[i]
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
                        if j >= i or group[j] != group[i]:
                            continue
                        db = grid.b[other] - b
                        if grid.wraps[s]:
                            db -= turn * np.round(db / turn)
                        da = abs(grid.a[other] - a)
                        if _contact(da, abs(db), size_a[i], size_a[j], size_b[i], size_b[j], corners):
                            if n_partners[i] < partners.shape[1]:
                                partners[i, n_partners[i]] = j
                            n_partners[i] += 1


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
