"""The kernel that draws cells: points of a density around the axis, until as many cells are hit as there should be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from hgcal_gnn.simulation.deposit import CellFinder, find_cell
from hgcal_gnn.simulation.random import seed_stream, two_normals, uniform

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I64
    from hgcal_gnn.simulation.random import State

PATIENCE = 50  # points per wanted cell, and as many more, before the density is widened
WIDER, WIDEST = 1.5, 24  # by this factor, so often: a few millimetres become kilometres
FREE = -1


@njit(cache=True, nogil=True)
def _take(table: I64, cell: int) -> bool:
    """Enter a cell into an open hash table of a power of two; False if it was there already."""
    place = (cell * 2654435761) & (len(table) - 1)
    while table[place] != FREE:
        if table[place] == cell:
            return False
        place = (place + 1) & (len(table) - 1)
    table[place] = cell
    return True


@njit(cache=True, nogil=True)
def _draw_shower(
    finder: CellFinder,
    line: F64,
    position: F64,
    plane: I64,
    wanted: I64,
    share: F64,
    sigma: F64,
    middle: F64,
    state: State,
    cell: I64,
) -> None:
    size = 8
    while size < 2 * wanted.max():
        size *= 2
    table = np.empty(size, dtype=np.int64)
    across = math.hypot(line[0], line[1])
    cos, sin = (line[0] / across, line[1] / across) if across > 1e-6 else (1.0, 0.0)
    steep = abs(line[2])
    cell[:] = FREE
    first = 0
    for layer in range(len(wanted)):
        if wanted[layer] == 0 or plane[layer] < 0:
            continue
        way = (position[layer] - line[5]) / line[2]
        x, y = line[3] + way * line[0], line[4] + way * line[1]
        table[:] = FREE
        found, points, widened, factor = 0, 0, 0, 1.0
        while found < wanted[layer] and widened < WIDEST:
            points += 1
            if points > PATIENCE * (wanted[layer] + 1):
                points, widened, factor = 0, widened + 1, factor * WIDER
            chance, k = uniform(state), 0
            while k < share.shape[1] - 1 and chance > share[layer, k]:
                k += 1
            along, beside = two_normals(state)
            u = (middle[layer, k, 0] + factor * sigma[layer, k] * along) / steep
            v = middle[layer, k, 1] + factor * sigma[layer, k] * beside
            row = find_cell(finder, plane[layer], x + u * cos - v * sin, y + u * sin + v * cos)
            if row >= 0 and _take(table, row):
                cell[first + found] = row
                found += 1
        cell[first : first + found].sort()
        first += found


@njit(cache=True, nogil=True, parallel=True)
def draw_cells(
    finder: CellFinder, lines: F64, side: I64, position: F64, plane: I64, wanted: I64, ptr: I64, share: F64,
    sigma: F64, middle: F64, seed: int, cell: I64,
) -> None:  # fmt: skip
    """Draw the cells of showers; what a layer cannot hold is left out.

    Points are drawn one by one; the first so many different cells that they fall into are hit. The cost grows with
    the points, not with the cells of the calorimeter.

    Parameters
    ----------
    finder
    lines : float64 [n_showers, 6]
        Direction and vertex.
    side : int64 [n_showers]
        Row of `position` and `plane`.
    position, plane
        See `Ground`.
    wanted : int64 [n_showers, n_layers]
        Hits of each layer.
    ptr : int64 [n_showers + 1]
        First entry of each shower in `cell`: the sums of `wanted`.
    share, sigma : float64 [n_showers, n_layers, n_components]
        Round Gaussians across the axis: cumulative shares and widths [cm].
    middle : float64 [n_showers, n_layers, n_components, 2]
        Their middles [cm].
    seed
        Shower i has a stream of its own, whatever the number of threads.
    cell : int64 [n_hits]
        Filled, ascending within a layer; -1 at the end of a shower for hits that found no cell.
    """
    for shower in prange(len(lines)):
        state = np.empty(4, dtype=np.uint64)
        seed_stream(state, seed, shower)
        _draw_shower(
            finder, lines[shower], position[side[shower]], plane[side[shower]], wanted[shower], share[shower],
            sigma[shower], middle[shower], state, cell[ptr[shower] : ptr[shower + 1]],
        )  # fmt: skip
