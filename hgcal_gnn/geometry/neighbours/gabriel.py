"""Neighbours of cells of which only the centres are known: the Gabriel graph of each layer.

Two cells are neighbours if no other centre lies in the circle that has their link as diameter (Gabriel
and Sokal, Syst. Zool. 18 (1969) 259). It needs no parameter and follows any spacing. Links over real gaps
are then cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from hgcal_gnn.geometry.neighbours.edges import Pairs
from hgcal_gnn.geometry.neighbours.gabriel_ball import ball_pairs
from hgcal_gnn.geometry.neighbours.grid import build_grid
from hgcal_gnn.geometry.neighbours.lines import on_lines
from hgcal_gnn.geometry.neighbours.sight import SAME, Sight, look_around, new_sight

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I32, I64, U8, Bools
    from hgcal_gnn.geometry.neighbours.grid import CellGrid
    from hgcal_gnn.geometry.stations import Stations

FAR_LOCAL = 3.0  # a link is far if it is this many times the median link of both its cells ...
FAR_LAYER = 1.5  # ... and this many times the longest links usual in the layer (its 90 % quantile)
ROUND = 1e-5  # relative: four cells of a rectangle lie on one circle but for rounding
CHUNK = 1024
FIRST_SLOTS = 4  # partners stored per cell; a lattice needs 3


def gabriel_pairs(
    stations: Stations, pitch: F32, positions: F64, wanted: Bools | None = None, *, corners: bool = False
) -> tuple[Pairs, int]:
    """Link the cells of each station and part by the Gabriel rule, without far links.

    Cells that stand on the lines of a grid but for small shifts are taken to stand on them (see `lines`).
    Of several cells at one place (two channels of a crystal) the first is linked to the neighbours and the
    others to the first.

    Parameters
    ----------
    pitch : float32 [n_cells]
        Usual distance to the nearest cell [cm].
    positions : float64 [n_cells, 3]
        Their centres [cm], for layers that are neither flat nor round.
    wanted : bool [n_stations]
        Stations to treat, None for all.
    corners
        Cells that face each other across the corner of a rectangle count as neighbours too.

    Returns
    -------
    pairs
    n_twins
        Number of cells at the place of another one.
    """
    n_cells = len(stations.number)
    mine = np.ones(stations.n_stations, dtype=bool) if wanted is None else wanted
    bent = mine & np.array([kind == "sphere" for kind in stations.kind])
    slack = -ROUND if corners else ROUND
    straight = on_lines(stations, pitch)
    grid = build_grid(straight)
    slots = FIRST_SLOTS
    while True:
        partners = np.empty((n_cells, slots), dtype=np.int32)
        count, twin = np.zeros(n_cells, dtype=np.int64), np.zeros(n_cells, dtype=np.bool_)
        _find_links(grid, stations.number, stations.part, mine & ~bent, slack, partners, count, twin)
        most = int(count.max(initial=0))
        if most <= slots:
            break
        slots = most
    first = np.repeat(np.arange(n_cells, dtype=np.int32), count)
    second = partners[np.arange(slots) < count[:, None]]
    length = _lengths(stations, first, second)
    if bent.any():
        more = _bent_pairs(stations, positions, bent, corners=corners)
        first, second = np.concatenate([first, more[0]]), np.concatenate([second, more[1]])
        length = np.concatenate([length, np.linalg.norm(positions[more[0]] - positions[more[1]], axis=1)])
    keep = ~_far(stations.number, first, second, length)
    return Pairs.of_type(first[keep], second[keep], 0), int(twin.sum())


def _bent_pairs(stations: Stations, positions: F64, bent: Bools, *, corners: bool) -> tuple[I32, I32]:
    """Apply the rule in space to the layers that are neither flat nor round."""
    found = []
    for station in np.flatnonzero(bent).tolist():
        rows = stations.rows(station)
        for part in np.unique(stations.part[rows]).tolist():
            mine = rows[stations.part[rows] == part]
            pairs = ball_pairs(positions[mine], corners=corners)
            found.append([mine[end].astype(np.int32) for end in pairs])
    return np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found])


def _lengths(stations: Stations, first: I32, second: I32) -> F64:
    """Distance in the surface of each pair, around the closed direction the short way."""
    da, db = stations.a[first] - stations.a[second], stations.b[first] - stations.b[second]
    turn = 2 * np.pi * stations.radius[stations.number[first]]
    db -= turn * np.round(db / np.where(turn > 0, turn, np.inf))
    length: F64 = np.hypot(da, db)
    return length


def _far(number: I32, first: I32, second: I32, length: F64) -> Bools:
    """Mark links over a gap: long for both of their cells and long for the layer."""
    if len(length) == 0:
        return np.zeros(0, dtype=bool)
    n_cells = len(number)
    ends, both = np.concatenate([first, second]), np.concatenate([length, length])
    order = np.lexsort((both, ends))
    count = np.bincount(ends, minlength=n_cells)
    start = np.cumsum(count) - count
    linked = np.flatnonzero(count)
    middle = np.zeros(n_cells)
    middle[linked] = both[order][start[linked] + (count[linked] - 1) // 2]
    usual = np.maximum(middle[first], middle[second])
    station = number[first]
    far = length > FAR_LOCAL * usual
    for doubtful in np.unique(station[far]):
        mine = station == doubtful
        far[mine] &= length[mine] > FAR_LAYER * np.quantile(length[mine], 0.9)
    return far


@njit(cache=True, parallel=True)
def _find_links(
    grid: CellGrid,
    station: I32,
    part: U8,
    wanted: Bools,
    slack: float,
    partners: I32,
    count: I64,
    twin: Bools,
) -> None:
    """Write the partners of smaller row beside each cell, as many as there is room for, and count them all."""
    n_cells = len(grid.row)
    for chunk in prange((n_cells + CHUNK - 1) // CHUNK):
        sight = new_sight()
        for slot in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n_cells)):
            i = grid.row[slot]
            if not wanted[station[i]]:
                continue
            n_near, place = look_around(grid, slot, station[i], part, sight)
            twin[i] = place >= 0
            if twin[i]:
                n_near, sight.row[0] = 1, place
            for k in range(n_near):
                j = sight.row[k]
                if j < i and (twin[i] or not _hidden(sight, n_near, k, slack)):
                    if count[i] < partners.shape[1]:
                        partners[i, count[i]] = j
                    count[i] += 1


@njit(cache=True)
def _hidden(sight: Sight, n_near: int, k: int, slack: float) -> bool:
    """Tell whether another cell sees the link from the origin to cell k under a right angle or more."""
    ka, kb = sight.a[k], sight.b[k]
    for q in range(n_near):
        if q == k:
            continue
        qa, qb = sight.a[q], sight.b[q]
        apart = np.hypot(ka - qa, kb - qb)
        if apart < SAME:
            if sight.row[q] < sight.row[k]:
                return True
        elif qa * qa + qb * qb - qa * ka - qb * kb < slack * np.hypot(qa, qb) * apart:
            return True
    return False
