"""The nearest cell of the next and of the previous layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I32, U64
    from hgcal_gnn.geometry.neighbours.grid import CellGrid
    from hgcal_gnn.geometry.stations import Stations

TIE = 1e-6  # distances closer than this [cm] are equal; the smaller cell id wins
CHUNK = 4096


def nearest_in(grid: CellGrid, stations: Stations, target: I32, cell_id: U64) -> I32:
    """Find for every cell the nearest cell of another station, in that station's surface coordinates.

    Parameters
    ----------
    target
        Station to search for the cells of each station, int32 [n_stations], -1 for none
        (`Stations.next`, `Stations.previous`).

    Returns
    -------
    int32 [n_cells]
        Row of the nearest cell, the smaller id if two are equally near, -1 where there is no station.
    """
    nearest = np.full(len(cell_id), -1, dtype=np.int32)
    scale = np.ones(stations.n_stations)
    known = target >= 0
    both = known & (stations.radius > 0)
    scale[both] = stations.radius[target[both]] / stations.radius[both]
    _find_nearest(grid, stations.number, target, scale, cell_id, nearest)
    return nearest


@njit(cache=True, parallel=True)
def _find_nearest(grid: CellGrid, number: I32, target: I32, scale: F64, cell_id: U64, nearest: I32) -> None:
    n_cells = len(grid.row)
    for chunk in prange((n_cells + CHUNK - 1) // CHUNK):
        for slot in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n_cells)):
            i = grid.row[slot]
            s = target[number[i]]
            if s >= 0:
                # The angle is kept from barrel to barrel, so r phi grows with the radius.
                a, b = grid.a[slot], grid.b[slot] * scale[number[i]]
                row, best, distance = search(grid, s, a, b, cell_id, np.inf)
                if distance > best + TIE:
                    # The winner was equal to a cell that was equal to the nearest, not to the nearest itself.
                    row, best, distance = search(grid, s, a, b, cell_id, best)
                nearest[i] = row


@njit(cache=True, inline="always")
def search(grid: CellGrid, s: int, a: float, b: float, cell_id: U64, best: float) -> tuple[int, float, float]:
    """Look through rings of bins around (a, b) until no unseen bin can hold a nearer cell.

    Returns the row with the smallest id among equals, the smallest distance, and the distance of that row;
    `best` is the smallest distance, if known already, or the largest that matters (row -1 beyond).
    """
    n_a, n_b = grid.n_a[s], grid.n_b[s]
    width_a, width_b = grid.width_a[s], grid.width_b[s]
    turn = width_b * n_b
    wraps = grid.wraps[s]
    # A point outside the grid starts from the nearest bin; its distance to the grid only adds.
    ia = min(max(int(np.floor((a - grid.origin_a[s]) / width_a)), 0), n_a - 1)
    ib = int(np.floor((b - grid.origin_b[s]) / width_b))
    if not wraps:
        ib = min(max(ib, 0), n_b - 1)
    rings_b = n_b // 2 if wraps else n_b
    best_row, row_distance, limit = -1, np.inf, (best + TIE) * (best + TIE)
    for ring in range(max(n_a, rings_b) + 1):
        # Bins of this ring are at least this far away, whether the point is inside the grid or not.
        inner_a = min(a - grid.origin_a[s] - (ia - ring + 1) * width_a, (ia + ring) * width_a - (a - grid.origin_a[s]))
        inner_b = min(b - grid.origin_b[s] - (ib - ring + 1) * width_b, (ib + ring) * width_b - (b - grid.origin_b[s]))
        if min(inner_a, inner_b) > best + TIE:
            break
        for ja in range(max(ia - ring, 0), min(ia + ring, n_a - 1) + 1):
            on_rim = ja in (ia - ring, ia + ring)
            step = 1 if on_rim or ring == 0 else 2 * ring
            for jb in range(ib - ring, ib + ring + 1, step):
                # In a closed direction the far half of the turn is seen from the other side.
                seen_elsewhere = 2 * (jb - ib) > n_b or 2 * (ib - jb) >= n_b if wraps else jb < 0 or jb >= n_b
                if seen_elsewhere:
                    continue
                column = jb % n_b if wraps else jb
                bin_number = grid.station_bin[s] + ja * n_b + column
                for other in range(grid.bin_start[bin_number], grid.bin_start[bin_number + 1]):
                    da, db = grid.a[other] - a, grid.b[other] - b
                    if wraps:
                        db -= turn * np.round(db / turn)
                    square = da * da + db * db
                    if square > limit:
                        continue
                    distance = np.sqrt(square)
                    row = grid.row[other]
                    if best_row < 0 or distance < best - TIE or cell_id[row] < cell_id[best_row]:
                        best_row, row_distance = row, distance
                    best = min(best, distance)
                    limit = (best + TIE) * (best + TIE)
    return best_row, best, row_distance
