"""Graphs of nearest hits: each hit linked to the ones of its shower that lie closest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.neighbours.csr import EDGE_TYPES
from hgcal_gnn.showers.ragged import offsets_of

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I32, I64, U8

NEAREST = len(EDGE_TYPES)  # type of links by distance, the same as of the links of isolated hits
NONE = -1


def nearest_hits(position: F32, offsets: I64, k: int) -> tuple[I64, U8]:
    """Link every hit with its `k` nearest hits of the same shower; a link found from one end goes both ways.

    Hits at the same distance are taken in their order. Showers of fewer than ``k + 1`` hits are linked completely.

    Parameters
    ----------
    position : float32 [n_hits, 3]
    offsets : int64 [n_showers + 1]
        First hit of each shower.
    k
        At least 1.

    Returns
    -------
    edge_index : int64 [2, n_edges]
        Source and target hit, counted through all showers, sorted by (source, target).
    edge_type : uint8 [n_edges]
        4 everywhere.

    Raises
    ------
    UsageError
        If `k` is not positive.
    """
    if k < 1:
        msg = f"the number of nearest hits must be at least 1, got {k}"
        raise UsageError(msg)
    nearest = np.empty((len(position), k), dtype=np.int32)
    degree = np.zeros(len(position), dtype=np.int32)
    _find(position, offsets, nearest, degree)
    first_edges = offsets_of(degree)
    edge_index = np.empty((2, int(first_edges[-1])), dtype=np.int64)
    _write(offsets, nearest, first_edges, edge_index)
    return edge_index, np.full(edge_index.shape[1], NEAREST, dtype=np.uint8)


@njit(cache=True, parallel=True)
def _find(position: F32, offsets: I64, nearest: I32, degree: I32) -> None:
    """Fill `nearest` [n_hits, k], counted from the first of the shower, ascending, then `NONE`; `degree` [n_hits]."""
    k = nearest.shape[1]
    for shower in prange(len(offsets) - 1):
        start, n_hits = offsets[shower], offsets[shower + 1] - offsets[shower]
        axis = _widest_axis(position[start : start + n_hits])
        order = np.argsort(position[start : start + n_hits, axis], kind="mergesort")
        sorted_position = np.empty((n_hits, 3), dtype=np.float64)
        for place in range(n_hits):
            for part in range(3):
                sorted_position[place, part] = position[start + order[place], (axis + part) % 3]
        found = np.empty(k, dtype=np.int64)
        distance = np.empty(k, dtype=np.float64)
        for place in range(n_hits):
            n_found = _nearest_of(sorted_position, order, place, found, distance)
            hit = start + order[place]
            nearest[hit, :n_found] = np.sort(found[:n_found])
            nearest[hit, n_found:] = NONE
        _count(nearest, start, n_hits, degree)


@njit(cache=True)
def _widest_axis(position: F32) -> int:
    """Return the axis along which the points spread most, where a search has to look at the fewest of them."""
    widest, axis = -1.0, 0
    for k in range(3):
        if len(position):
            spread = float(position[:, k].std())
            if spread > widest:
                widest, axis = spread, k
    return axis


@njit(cache=True)
def _nearest_of(position: F64, order: I64, place: int, found: I64, distance: F64) -> int:
    """Find the nearest points of one, looking up and down the sorted axis until that alone is too far away.

    Parameters
    ----------
    position : float64 [n, 3]
        Sorted along its first axis.
    order : int64 [n]
        Number of each point: decides between equal distances.
    found, distance : int64, float64 [k]
        Filled with numbers and squared distances, the closest first.

    Returns
    -------
    int
        How many there are.
    """
    n, k = len(order), len(found)
    x, y, z = position[place, 0], position[place, 1], position[place, 2]
    up, down = place + 1, place - 1
    step_up = (position[up, 0] - x) ** 2 if up < n else np.inf
    step_down = (position[down, 0] - x) ** 2 if down >= 0 else np.inf
    n_found = 0
    worst = np.inf
    while up < n or down >= 0:
        # the side that is closer along the axis comes first, so that the search ends as early as can be
        if step_up <= step_down:
            other, step = up, step_up
            up += 1
            step_up = (position[up, 0] - x) ** 2 if up < n else np.inf
        else:
            other, step = down, step_down
            down -= 1
            step_down = (position[down, 0] - x) ** 2 if down >= 0 else np.inf
        if step > worst:
            break
        square = step + ((position[other, 1] - y) ** 2 + (position[other, 2] - z) ** 2)
        if square > worst or (square == worst and n_found == k and order[other] > found[k - 1]):
            continue
        slot = n_found if n_found < k else k - 1
        n_found = min(n_found + 1, k)
        while slot > 0 and (
            distance[slot - 1] > square or (distance[slot - 1] == square and found[slot - 1] > order[other])
        ):
            distance[slot], found[slot] = distance[slot - 1], found[slot - 1]
            slot -= 1
        distance[slot], found[slot] = square, order[other]
        if n_found == k:
            worst = distance[k - 1]
    return n_found


@njit(cache=True)
def _count(nearest: I32, start: int, n_hits: int, degree: I32) -> None:
    """Add the links of each hit of a shower, those found from both ends once."""
    for hit in range(n_hits):
        for slot in range(nearest.shape[1]):
            other = nearest[start + hit, slot]
            if other == NONE:
                break
            degree[start + hit] += 1
            if not _holds(nearest[start + other], hit):
                degree[start + other] += 1


@njit(cache=True)
def _holds(row: I32, value: int) -> bool:
    for slot in range(len(row)):
        if row[slot] == value:
            return True
        if row[slot] > value or row[slot] == NONE:
            return False
    return False


@njit(cache=True, parallel=True)
def _write(offsets: I64, nearest: I32, first_edges: I64, edge_index: I64) -> None:
    """Write the links both ways, sorted.

    Hits that were not found by the other end are put aside first; taken in ascending order, they arrive sorted.
    """
    for shower in prange(len(offsets) - 1):
        start, stop = offsets[shower], offsets[shower + 1]
        place = first_edges[start:stop].copy()
        for hit in range(stop - start):
            for slot in range(nearest.shape[1]):
                other = nearest[start + hit, slot]
                if other == NONE:
                    break
                if not _holds(nearest[start + other], hit):
                    edge_index[1, place[other]] = start + hit
                    place[other] += 1
        for hit in range(stop - start):
            _merge(nearest[start + hit], start, start + hit, first_edges, place[hit], edge_index)


@njit(cache=True)
def _merge(row: I32, start: int, hit: int, first_edges: I64, n_before: int, edge_index: I64) -> None:
    """Merge the links a hit found itself (`row`) into those put aside before `n_before`, from behind, in place."""
    first, place = first_edges[hit], first_edges[hit + 1] - 1
    aside = n_before - 1
    slot = len(row) - 1
    while slot >= 0 and row[slot] == NONE:
        slot -= 1
    while place >= first:
        if slot < 0 or (aside >= first and edge_index[1, aside] > start + row[slot]):
            edge_index[1, place] = edge_index[1, aside]
            aside -= 1
        else:
            edge_index[1, place] = start + row[slot]
            slot -= 1
        edge_index[0, place] = hit
        place -= 1
