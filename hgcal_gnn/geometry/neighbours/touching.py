"""Cells of one subdetector and layer that touch: their Voronoi cells share an edge (DESIGN, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from hgcal_gnn.geometry.neighbours.grid import bin_of, bin_range, seam_part

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I32, I64, U8, Bools
    from hgcal_gnn.geometry.neighbours.grid import CellGrid

MAX_DISTANCE = 1.5  # of the mean pitch, between centres
MIN_EDGE = 0.1  # of the smaller pitch, the shared Voronoi edge
# A square cell reaches half its diagonal, 0.707 pitches, from its centre. A Voronoi edge beyond that lies
# in empty space (the notch of a missing tile) and is no contact. Hexagons reach 0.577.
REACH = 0.71
IRREGULAR = 0.1  # a lattice distorted by more than this is measured edge by edge
CHUNK = 4096
NEAR = 64  # room for cells within 1.5 pitches; more only where cells overlap
FIRST_SLOTS = 8  # partners stored per cell, 3 on average; a cell that needs more makes us start again


def touching_pairs(
    grid: CellGrid,
    station: I32,
    group: U8,
    pitch: F32,
) -> tuple[I32, U8]:
    """Find for every cell the touching cells of the same station and group, each pair once.

    Parameters
    ----------
    grid
        All cells in bins.
    station, group, pitch
        Shape [n_cells]; only cells of equal station and group (subdetector) are compared, pitch in cm.

    Returns
    -------
    partners : int32 [n_cells, slots]
        The pair is stored with its cell of larger pitch (of larger row, if equal); only the first
        n_partners slots count.
    n_partners : uint8 [n_cells]
    """
    slots = FIRST_SLOTS
    while True:
        partners = np.empty((len(pitch), slots), dtype=np.int32)
        n_partners = np.zeros(len(pitch), dtype=np.uint8)
        left = _link_regular(grid, station, group, pitch, partners, n_partners)
        _link_others(grid, np.flatnonzero(left), station, group, pitch, partners, n_partners)
        most = int(n_partners.max(initial=0))
        if most <= slots:
            return partners, n_partners
        slots = most


@njit(cache=True, parallel=True)
def _link_regular(grid: CellGrid, station: I32, group: U8, pitch: F32, partners: I32, n_partners: U8) -> Bools:
    """Link the cells that sit in a regular hexagonal lattice, nearly all; return which slots are left."""
    n_cells = len(grid.row)
    left = np.zeros(n_cells, np.bool_)
    for chunk in prange((n_cells + CHUNK - 1) // CHUNK):
        near_a, near_b, near_row = np.empty(NEAR), np.empty(NEAR), np.empty(NEAR, np.int32)
        for slot in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n_cells)):
            i = grid.row[slot]
            n_near = _gather(grid, slot, station[i], group, pitch, near_a, near_b, near_row)
            if n_near != 6 or not _is_hexagon(near_a, near_b, pitch[i]):
                left[slot] = True
                continue
            for k in range(6):
                j = near_row[k]
                if pitch[j] < pitch[i] or (pitch[j] == pitch[i] and j < i):
                    partners[i, n_partners[i]] = j
                    n_partners[i] += 1
    return left


@njit(cache=True, parallel=True)
def _link_others(
    grid: CellGrid, slots: I64, station: I32, group: U8, pitch: F32, partners: I32, n_partners: U8
) -> None:
    """Measure the Voronoi edges of the remaining cells: rims of wafers, tiles, distorted lattices."""
    for chunk in prange((len(slots) + CHUNK - 1) // CHUNK):
        near_a, near_b, near_row = np.empty(NEAR), np.empty(NEAR), np.empty(NEAR, np.int32)
        for slot in slots[chunk * CHUNK : (chunk + 1) * CHUNK]:
            i = grid.row[slot]
            n_near = _gather(grid, slot, station[i], group, pitch, near_a, near_b, near_row)
            if n_near > len(near_a):
                near_a, near_b, near_row = np.empty(n_near), np.empty(n_near), np.empty(n_near, np.int32)
                n_near = _gather(grid, slot, station[i], group, pitch, near_a, near_b, near_row)
            for k in range(n_near):
                j = near_row[k]
                if pitch[j] > pitch[i] or (pitch[j] == pitch[i] and j > i):
                    continue  # found from the other side
                if _touch(near_a, near_b, n_near, k, pitch[i], pitch[j]):
                    if n_partners[i] < partners.shape[1]:
                        partners[i, n_partners[i]] = j
                    n_partners[i] += 1


@njit(cache=True, inline="always")
def _gather(grid: CellGrid, slot: int, s: int, group: U8, pitch: F32, near_a: F64, near_b: F64, near_row: I32) -> int:
    """Collect the cells of one group within 1.5 pitches, relative to the cell; return how many there are.

    If they do not fit into the buffers, only an upper bound of their number is returned.
    """
    i = grid.row[slot]
    a, b = grid.a[slot], grid.b[slot]
    radius = MAX_DISTANCE * pitch[i]
    square = radius * radius
    n_b = grid.n_b[s]
    turn = grid.width_b[s] * n_b
    first_a = bin_of(a - radius, grid.origin_a[s], grid.width_a[s], grid.n_a[s])
    last_a = bin_of(a + radius, grid.origin_a[s], grid.width_a[s], grid.n_a[s])
    first_b, last_b = bin_range(b - radius, b + radius, grid.origin_b[s], grid.width_b[s], n_b, grid.wraps[s])
    # Bins of one line lie one after the other, so a line is one run of cells, or two across the seam of a barrel.
    runs = 1 if first_b >= 0 and last_b < n_b else 2
    near = 0
    for ia in range(first_a, last_a + 1):
        line = grid.station_bin[s] + ia * n_b
        for run in range(runs):
            low, high = seam_part(first_b, last_b, n_b, run)
            start, stop = grid.bin_start[line + low], grid.bin_start[line + high + 1]
            if near + stop - start > len(near_row):
                near = near + stop - start
                continue
            for other in range(start, stop):
                da, db = grid.a[other] - a, grid.b[other] - b
                if grid.wraps[s]:
                    db -= turn * np.round(db / turn)
                # Written in any case, kept if near: no branch to mispredict for three cells out of four.
                near_row[near] = other
                near += da * da + db * db <= square
    if near > len(near_row):
        return near
    n_near = 0
    for k in range(near):
        other = near_row[k]
        if other == slot or group[grid.row[other]] != group[i]:
            continue
        da, db = grid.a[other] - a, grid.b[other] - b
        if grid.wraps[s]:
            db -= turn * np.round(db / turn)
        near_a[n_near], near_b[n_near], near_row[n_near] = da, db, grid.row[other]
        n_near += 1
    return n_near


@njit(cache=True, inline="always")
def _is_hexagon(near_a: F64, near_b: F64, pitch: float) -> bool:
    """Recognise six neighbours of a regular lattice, who all touch: most cells, at a tenth of the work.

    Six points z on a circle form a regular hexagon if the sums of z, z^2 and z^3 vanish (then, by Newton's
    identities, they are the roots of z^6 = const).
    """
    sum_1a = sum_1b = sum_2a = sum_2b = sum_3a = sum_3b = 0.0
    scale = 1.0 / pitch
    for k in range(6):
        a, b = near_a[k] * scale, near_b[k] * scale
        a2, b2 = a * a - b * b, 2.0 * a * b
        if abs(a * a + b * b - 1.0) > IRREGULAR:
            return False
        sum_1a, sum_1b = sum_1a + a, sum_1b + b
        sum_2a, sum_2b = sum_2a + a2, sum_2b + b2
        sum_3a, sum_3b = sum_3a + a2 * a - b2 * b, sum_3b + a2 * b + b2 * a
    first = sum_1a * sum_1a + sum_1b * sum_1b
    second = sum_2a * sum_2a + sum_2b * sum_2b
    third = sum_3a * sum_3a + sum_3b * sum_3b
    return max(first, second, third) < IRREGULAR * IRREGULAR


@njit(cache=True, inline="always")
def _touch(near_a: F64, near_b: F64, n_near: int, k: int, pitch_i: float, pitch_j: float) -> bool:
    """Measure the Voronoi edge between the origin and neighbour k, within reach of both.

    Points of the bisector are c + t n with c half way and n across; each other neighbour q cuts off the
    side where it is nearer: 2 p.q <= q.q.
    """
    mean = 0.5 * (pitch_i + pitch_j)
    da, db = near_a[k], near_b[k]
    distance = np.sqrt(da * da + db * db)
    if distance > MAX_DISTANCE * mean or distance == 0.0:
        return False
    spare = REACH * REACH * mean * mean - 0.25 * distance * distance
    if spare <= 0.0:
        return False
    half = np.sqrt(spare)
    low, high = -half, half
    needed = MIN_EDGE * min(pitch_i, pitch_j)
    if high - low < needed:
        return False
    across_a, across_b = -db / distance, da / distance
    for q in range(n_near):
        if q == k:
            continue
        qa, qb = near_a[q], near_b[q]
        room = 0.5 * (qa * qa + qb * qb - da * qa - db * qb)
        slope = across_a * qa + across_b * qb
        if room >= half * abs(slope):
            continue  # cuts off nothing within reach: spares most divisions
        if slope > 1e-12:
            high = min(high, room / slope)
        elif slope < -1e-12:
            low = max(low, room / slope)
        else:
            return False
        if high - low < needed:
            return False
    return True
