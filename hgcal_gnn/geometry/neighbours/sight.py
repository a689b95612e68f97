"""What a cell sees of its layer: the cells that no other one hides from it.

Seen from a cell, another one at k hides whatever lies beyond the line through k at right angles to its
direction: all q with q.k > k.k (then k is inside the circle over the link to q). What is left of the layer
after these cuts is a convex polygon around the cell, and who is in sight lies on its rim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I32, I64, U8
    from hgcal_gnn.geometry.neighbours.grid import CellGrid

ROOM = 192  # cells that cut the polygon and its corners: a dozen
CLOSE = 6  # rings of bins looked into before the search follows the polygon
SAME = 1e-6  # cm: cells closer than this are at one place
MARGIN = 1e-4  # relative, against rounding


class Sight(NamedTuple):
    """Work space for one cell, reused for the next; a tuple, so that numba kernels take it as it is.

    Attributes
    ----------
    a, b : float64 [ROOM]
        Places of the cells that cut the polygon, relative to the cell in question.
    row : int32 [ROOM]
    corners : float64 [2, ROOM, 2]
        The polygon, and room for the next one.
    state : int64 [4]
        Which of both is the polygon, number of corners, number of cells, smallest row at the cell's own place.
    """

    a: F64
    b: F64
    row: I32
    corners: F64
    state: I64


@njit(cache=True)
def new_sight() -> Sight:
    """Make room for one cell's sight."""
    return Sight(
        np.empty(ROOM), np.empty(ROOM), np.empty(ROOM, np.int32), np.empty((2, ROOM, 2)), np.empty(4, np.int64)
    )


@njit(cache=True)
def look_around(grid: CellGrid, slot: int, s: int, part: U8, sight: Sight) -> tuple[int, int]:
    """Collect the cells in sight of a cell of station s, and some beyond, in `sight`.

    After some rings of bins only those are looked into where a cell could still cut the polygon. A cell at q cuts
    off a corner v only from inside the circle over v: q.q < v.q. At the rim of a layer the polygon is long, but its
    circles lie mostly outside; so whole rows of bins are looked up, from circle to circle.

    Returns
    -------
    n_near
        Number of cells collected.
    place
        Smallest row at the cell's own place if that is not its own, else -1.
    """
    i = grid.row[slot]
    a, b = grid.a[slot] - grid.origin_a[s], grid.b[slot] - grid.origin_b[s]
    width_a, width_b, n_a, n_b = grid.width_a[s], grid.width_b[s], grid.n_a[s], grid.n_b[s]
    wraps, turn = grid.wraps[s], grid.width_b[s] * grid.n_b[s]
    _whole_layer(a, b, width_a * n_a, turn, wraps, sight)
    ia, ib = min(max(int(a / width_a), 0), n_a - 1), min(max(int(b / width_b), 0), n_b - 1)
    for ring in range(CLOSE + 2):
        far = ring > CLOSE
        if _seen(a, b, ia, ib, ring, width_a, width_b) > (1 + MARGIN) * _farthest(sight):
            break
        first, last = _columns_of_circles(a, width_a, sight) if far else (ia - ring, ia + ring)
        for ja in range(max(first, 0), min(last, n_a - 1) + 1):
            low, high, stride = ib - ring, ib + ring, 1
            if far:
                low, high = _row_of_circles(ja * width_a - a, (ja + 1) * width_a - a, b, width_b, n_b, wraps, sight)
            elif ring and abs(ja - ia) < ring:
                stride = 2 * ring
            for jb in range(low, high + 1, stride):
                if far:
                    elsewhere = _is_close(jb - ib, n_b, wraps) and abs(ja - ia) <= CLOSE
                else:  # in a closed direction the far half of the turn is seen from the other side
                    elsewhere = 2 * (jb - ib) > n_b or 2 * (ib - jb) >= n_b if wraps else jb < 0 or jb >= n_b
                if elsewhere:
                    continue
                bin_number = grid.station_bin[s] + ja * n_b + jb % n_b
                for other in range(grid.bin_start[bin_number], grid.bin_start[bin_number + 1]):
                    j = grid.row[other]
                    if j != i and part[j] == part[i]:
                        qa, qb = grid.a[other] - grid.a[slot], grid.b[other] - grid.b[slot]
                        qb = qb - turn * np.round(qb / turn) if wraps else qb
                        _see(qa, qb, j, i, sight)
    _forget(sight)
    return sight.state[2], sight.state[3]


@njit(cache=True, inline="always")
def _whole_layer(a: float, b: float, length_a: float, length_b: float, wraps: bool, sight: Sight) -> None:
    """Start from the rectangle of the layer, of a closed one from half a turn to either side."""
    edge_a, edge_b = MARGIN * length_a, MARGIN * length_b
    low_a, high_a = -a - edge_a, length_a - a + edge_a
    low_b, high_b = (-0.5 * length_b, 0.5 * length_b) if wraps else (-b - edge_b, length_b - b + edge_b)
    corners = sight.corners[0]
    corners[0, 0], corners[0, 1], corners[1, 0], corners[1, 1] = low_a, low_b, high_a, low_b
    corners[2, 0], corners[2, 1], corners[3, 0], corners[3, 1] = high_a, high_b, low_a, high_b
    sight.state[0], sight.state[1], sight.state[2], sight.state[3] = 0, 4, 0, -1


@njit(cache=True, inline="always")
def _farthest(sight: Sight) -> float:
    """Square of the distance to the farthest corner."""
    farthest = 0.0
    for k in range(sight.state[1]):
        va, vb = sight.corners[sight.state[0], k, 0], sight.corners[sight.state[0], k, 1]
        farthest = max(farthest, va * va + vb * vb)
    return farthest


@njit(cache=True, inline="always")
def _seen(a: float, b: float, ia: int, ib: int, ring: int, width_a: float, width_b: float) -> float:
    """Square of the distance up to which all is seen before this ring."""
    seen_a = min(a - (ia - ring + 1) * width_a, (ia + ring) * width_a - a)
    seen_b = min(b - (ib - ring + 1) * width_b, (ib + ring) * width_b - b)
    return max(min(seen_a, seen_b), 0.0) ** 2


@njit(cache=True, inline="always")
def _is_close(away: int, n_b: int, wraps: bool) -> bool:
    """Tell whether a row of bins was seen in the rings, on either side of a closed direction."""
    away = abs(away) % n_b if wraps else abs(away)
    return away <= CLOSE or (wraps and n_b - away <= CLOSE)


@njit(cache=True, inline="always")
def _columns_of_circles(a: float, width_a: float, sight: Sight) -> tuple[int, int]:
    """First and last bin in a that the circles over the corners cover."""
    low, high = 0.0, 0.0
    for k in range(sight.state[1]):
        va, vb = 0.5 * sight.corners[sight.state[0], k, 0], 0.5 * sight.corners[sight.state[0], k, 1]
        half = np.sqrt(va * va + vb * vb) * (1 + MARGIN)
        low, high = min(low, va - half), max(high, va + half)
    return int(np.floor((a + low) / width_a)), int(np.floor((a + high) / width_a))


@njit(cache=True, inline="always")
def _row_of_circles(
    low_a: float, high_a: float, b: float, width_b: float, n_b: int, wraps: bool, sight: Sight
) -> tuple[int, int]:
    """First and last bin in b that the circles over the corners cover between two values of a."""
    low, high = np.inf, -np.inf
    for k in range(sight.state[1]):
        va, vb = 0.5 * sight.corners[sight.state[0], k, 0], 0.5 * sight.corners[sight.state[0], k, 1]
        square = (va * va + vb * vb) * (1 + MARGIN) ** 2
        off = max(low_a - va, va - high_a, 0.0)
        if off * off <= square:
            half = np.sqrt(square - off * off)
            low, high = min(low, vb - half), max(high, vb + half)
    if low > high:
        return 0, -1
    first, last = int(np.floor((b + low) / width_b)), int(np.floor((b + high) / width_b))
    if wraps:
        return first, min(last, first + n_b - 1)
    return max(first, 0), min(last, n_b - 1)


@njit(cache=True, inline="always")
def _see(qa: float, qb: float, j: int, i: int, sight: Sight) -> None:
    """Take away what cell j at q hides from cell i, and keep j if the polygon reaches it."""
    square = qa * qa + qb * qb
    if square < SAME * SAME:
        if j < i and (sight.state[3] < 0 or j < sight.state[3]):
            sight.state[3] = j
    else:
        highest = _highest(qa, qb, sight)
        if highest > square:
            _cut(qa, qb, square, sight.corners, sight.state)
        if highest >= (1 - MARGIN) * square:
            if sight.state[2] == ROOM:
                _forget(sight)
            n_near = sight.state[2]
            sight.a[n_near], sight.b[n_near], sight.row[n_near] = qa, qb, j
            sight.state[2] += 1


@njit(cache=True, inline="always")
def _highest(qa: float, qb: float, sight: Sight) -> float:
    """Largest v.q of the corners v."""
    highest = 0.0
    for k in range(sight.state[1]):
        highest = max(highest, sight.corners[sight.state[0], k, 0] * qa + sight.corners[sight.state[0], k, 1] * qb)
    return highest


@njit(cache=True)
def _cut(qa: float, qb: float, square: float, polygons: F64, state: I64) -> None:
    """Cut off the corners v with v.q beyond q.q."""
    corners, rest = polygons[state[0]], polygons[1 - state[0]]
    n_corners, n_rest = state[1], 0
    xa, xb = corners[n_corners - 1, 0], corners[n_corners - 1, 1]
    beyond = xa * qa + xb * qb - square
    for k in range(n_corners):
        ya, yb = corners[k, 0], corners[k, 1]
        next_beyond = ya * qa + yb * qb - square
        if (beyond > 0) != (next_beyond > 0) and n_rest < ROOM:
            share = beyond / (beyond - next_beyond)
            rest[n_rest, 0], rest[n_rest, 1] = xa + share * (ya - xa), xb + share * (yb - xb)
            n_rest += 1
        if next_beyond <= 0 and n_rest < ROOM:
            rest[n_rest, 0], rest[n_rest, 1] = ya, yb
            n_rest += 1
        xa, xb, beyond = ya, yb, next_beyond
    state[0], state[1] = 1 - state[0], n_rest


@njit(cache=True)
def _forget(sight: Sight) -> None:
    """Drop the cells that the polygon no longer reaches; at most as many as it has corners remain."""
    kept = 0
    for near in range(sight.state[2]):
        qa, qb = sight.a[near], sight.b[near]
        if _highest(qa, qb, sight) >= (1 - MARGIN) * (qa * qa + qb * qb) and kept < ROOM - 1:
            sight.a[kept], sight.b[kept], sight.row[kept] = qa, qb, sight.row[near]
            kept += 1
    sight.state[2] = kept
