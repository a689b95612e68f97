"""The cell in front of another one, whichever layer holds it, where layers lie partly beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit, prange
from scipy.sparse import coo_array

from hgcal_gnn.geometry.neighbours.grid import extent
from hgcal_gnn.geometry.neighbours.nearest import search

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I8, I32, U64
    from hgcal_gnn.geometry.neighbours.edges import Pairs
    from hgcal_gnn.geometry.neighbours.grid import CellGrid
    from hgcal_gnn.geometry.stations import Stations

BEYOND = 0.55  # of its width a cell covers to either side of its centre: half, and a dead gap of a tenth
CORNER = 0.75  # of the longest link: between four cells of a square the farthest point is at 0.71
TOWARDS = 0.7  # cosine: in a lattice of squares some neighbour is within 45 degrees of any direction
CHUNK = 4096


class Cover(NamedTuple):
    """What each cell covers of its layer; a tuple, so that numba kernels take it as it is.

    Attributes
    ----------
    a, b : float64 [n_cells]
        Centres, in the coordinates of the grid.
    size_a, size_b : float64 [n_cells]
        Full widths of boxes, 0 where they are not known.
    start, neighbour
        Neighbours in the layer of cell i: `neighbour[start[i] : start[i + 1]]`.
    reach : float64 [n_cells]
        No cell covers anything farther away than this.
    """

    a: F64
    b: F64
    size_a: F64
    size_b: F64
    start: I32
    neighbour: I32
    reach: F64


def find_cover(stations: Stations, pairs: Pairs, width: F64, size_a: F64, size_b: F64) -> Cover:
    """Learn from the neighbours in the layer how far each cell reaches.

    Parameters
    ----------
    pairs
        Neighbours in the layer.
    width : float64 [n_cells]
        Width of cells that have neither a neighbour nor a size.
    size_a, size_b : float64 [n_cells]
        See `Cover`.
    """
    n_cells = len(stations.number)
    first, second = np.concatenate([pairs.first, pairs.second]), np.concatenate([pairs.second, pairs.first])
    da, db = stations.a[first] - stations.a[second], stations.b[first] - stations.b[second]
    turn = 2 * np.pi * stations.radius[stations.number[first]]
    db -= turn * np.round(db / np.where(turn > 0, turn, np.inf))
    reach = np.maximum(BEYOND * width, BEYOND * np.hypot(size_a, size_b))
    np.maximum.at(reach, first, CORNER * np.hypot(da, db))
    links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(n_cells, n_cells)).tocsr()
    return Cover(stations.a, stations.b, size_a, size_b, links.indptr, links.indices, reach)


def facing(grid: CellGrid, stations: Stations, cover: Cover, step: int, cell_id: U64) -> I32:
    """Find for every cell the nearest cell in front of it (step 1) or behind it (step -1).

    Layers are gone through in order of depth; the first one counts whose nearest cell covers the place.
    So layers that lie beside this one are passed over.

    Parameters
    ----------
    grid, stations
        Coordinates in which cells behind each other agree.
    cover
        What each cell covers of its layer.
    step
        1 or -1.

    Returns
    -------
    int32 [n_cells]
        Row of the nearest cell, -1 where nobody faces the cell.
    """
    found = np.full(len(cell_id), -1, dtype=np.int32)
    widest = extent(stations.number, cover.reach, stations.n_stations)[1]
    _find_facing(grid, stations.number, stations.side, stations.radius, cover, widest, step, cell_id, found)
    return found


@njit(cache=True, parallel=True)
def _find_facing(
    grid: CellGrid,
    number: I32,
    side: I8,
    radius: F64,
    cover: Cover,
    widest: F64,
    step: int,
    cell_id: U64,
    found: I32,
) -> None:
    for chunk in prange((len(grid.row) + CHUNK - 1) // CHUNK):
        for slot in range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(grid.row))):
            i = grid.row[slot]
            s = number[i] + step
            while 0 <= s < len(side) and side[s] == side[number[i]]:
                scale = radius[s] / radius[number[i]] if radius[s] > 0 and radius[number[i]] > 0 else 1.0
                row = _in_front(grid, s, grid.a[slot], grid.b[slot] * scale, cell_id, cover, widest[s])
                if row >= 0:
                    found[i] = row
                    break
                s += step


@njit(cache=True)
def _in_front(grid: CellGrid, s: int, a: float, b: float, cell_id: U64, cover: Cover, widest: float) -> int:
    """Row of the cell of station s nearest to (a, b), -1 if it does not cover that place."""
    off = max(grid.origin_a[s] - a, a - grid.origin_a[s] - grid.width_a[s] * grid.n_a[s])
    if not grid.wraps[s]:
        off = max(off, grid.origin_b[s] - b, b - grid.origin_b[s] - grid.width_b[s] * grid.n_b[s])
    if off > widest:
        return -1
    row, _, distance = search(grid, s, a, b, cell_id, widest)
    if row < 0 or distance > cover.reach[row]:
        return -1
    turn = grid.width_b[s] * grid.n_b[s] if grid.wraps[s] else np.inf
    return row if _covers(cover, row, a - cover.a[row], _short_way(b - cover.b[row], turn), turn) else -1


@njit(cache=True)
def _covers(cover: Cover, row: int, va: float, vb: float, turn: float) -> bool:
    """Tell whether a cell covers the place (va, vb) away from its centre.

    A box does what its size says. Without a size, a place short of a neighbour is inside the layer; beyond the rim a
    cell goes as far as half way to its neighbours on the other side. This must hold in the direction of the place and
    along both coordinates.
    """
    if cover.size_a[row] > 0:
        return bool(abs(va) <= BEYOND * cover.size_a[row] and abs(vb) <= BEYOND * cover.size_b[row])
    if cover.start[row] == cover.start[row + 1]:
        return True
    distance = np.hypot(va, vb)
    return (
        _goes_as_far(cover, row, 1.0, 0.0, va, turn)
        and _goes_as_far(cover, row, 0.0, 1.0, vb, turn)
        and (distance == 0.0 or _goes_as_far(cover, row, va / distance, vb / distance, distance, turn))
    )


@njit(cache=True)
def _goes_as_far(cover: Cover, row: int, ea: float, eb: float, distance: float, turn: float) -> bool:
    """Tell whether a cell covers a distance along (ea, eb): up to a neighbour, or as far as its other side."""
    ahead, width = 0.0, 0.0
    for k in range(cover.start[row], cover.start[row + 1]):
        other = cover.neighbour[k]
        na, nb = cover.a[other] - cover.a[row], _short_way(cover.b[other] - cover.b[row], turn)
        along = na * ea + nb * eb
        width = max(width, abs(along))
        if abs(along) > TOWARDS * np.hypot(na, nb):
            ahead = max(ahead, along if distance > 0 else -along)
    return abs(distance) <= max(ahead, BEYOND * width)


@njit(cache=True, inline="always")
def _short_way(b: float, turn: float) -> float:
    return b - turn * np.round(b / turn) if turn < np.inf else b
