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
BLOCK = 32  # points whose distances are computed together


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
    for shower in prange(len(offsets) - 1):
        start, n_hits = offsets[shower], offsets[shower + 1] - offsets[shower]
        points = np.empty((3, n_hits), dtype=np.float64)
        for axis in range(3):
            for hit in range(n_hits):
                points[axis, hit] = position[start + hit, axis]
        boxes = _boxes(points)
        square, distance = np.empty(BLOCK), np.empty(nearest.shape[1])
        for hit in range(n_hits):
            row = nearest[start + hit]
            n_found = _nearest_of(points, boxes, hit, square, row, distance)
            row[n_found:] = NONE
            _sort(row, n_found)
        _count(nearest, start, n_hits, degree)


@njit(cache=True)
def _boxes(points: F64) -> F64:
    """Return the corners of the boxes around every `BLOCK` points of [3, n], [n_blocks, 3, 2].

    Hits are sorted by cell and so by layer, which makes the boxes flat.
    """
    n = points.shape[1]
    boxes = np.empty(((n + BLOCK - 1) // BLOCK, 3, 2))
    for block in range(len(boxes)):
        inside = points[:, block * BLOCK : min((block + 1) * BLOCK, n)]
        for axis in range(3):
            boxes[block, axis, 0], boxes[block, axis, 1] = inside[axis].min(), inside[axis].max()
    return boxes


@njit(cache=True)
def _nearest_of(points: F64, boxes: F64, hit: int, square: F64, found: I32, distance: F64) -> int:
    """Find the nearest points of one, block by block up and down from its own, leaving out those too far away.

    Points are looked at such that each comes either before or behind all the others so far: then it takes one
    comparison to know which of two points at the same distance comes first.

    Parameters
    ----------
    points : float64 [3, n]
    boxes : float64 [n_blocks, 3, 2]
        See `_boxes`.
    square : float64 [BLOCK]
        Scratch memory.
    found, distance : int32, float64 [k]
        Filled with numbers and squared distances, the closest first.

    Returns
    -------
    int
        How many there are.
    """
    own = hit // BLOCK
    n_found = _insert(points, own, hit, square, found, distance, 0)
    for away in range(1, max(own, len(boxes) - 1 - own) + 1):
        for block in (own + away, own - away):
            if not 0 <= block < len(boxes):
                continue
            if n_found < len(found) or _off_box(points, boxes[block], hit) <= distance[n_found - 1]:
                n_found = _insert(points, block, hit, square, found, distance, n_found)
    return n_found


@njit(cache=True)
def _off_box(points: F64, box: F64, hit: int) -> float:
    """Return the squared distance of a point from a box, 0 inside."""
    square = 0.0
    for axis in range(3):
        off = max(box[axis, 0] - points[axis, hit], points[axis, hit] - box[axis, 1], 0.0)
        square += off * off
    return square


@njit(cache=True)
def _insert(points: F64, block: int, hit: int, square: F64, found: I32, distance: F64, n_found: int) -> int:
    """Sort the points of a block into the closest so far, of which there are `n_found`; return how many there are."""
    k, first = len(found), block * BLOCK
    n = min(BLOCK, points.shape[1] - first)
    for i in range(n):
        square[i] = (
            (points[0, first + i] - points[0, hit]) ** 2
            + (points[1, first + i] - points[1, hit]) ** 2
            + (points[2, first + i] - points[2, hit]) ** 2
        )
    is_before = block < hit // BLOCK  # these come first among equal distances, taken from the last to the first
    worst = distance[k - 1] if n_found == k else np.inf
    for step in range(n):
        i = n - 1 - step if is_before else step
        value = square[i]
        if value > worst or (value == worst and n_found == k and not is_before) or first + i == hit:
            continue
        slot = min(n_found, k - 1)
        n_found = min(n_found + 1, k)
        while slot > 0 and (distance[slot - 1] > value or (is_before and distance[slot - 1] == value)):
            distance[slot], found[slot] = distance[slot - 1], found[slot - 1]
            slot -= 1
        distance[slot], found[slot] = value, first + i
        if n_found == k:
            worst = distance[k - 1]
    return n_found


@njit(cache=True)
def _sort(row: I32, n: int) -> None:
    """Sort the first `n` numbers; few, so by insertion."""
    for i in range(1, n):
        value, slot = row[i], i
        while slot > 0 and row[slot - 1] > value:
            row[slot] = row[slot - 1]
            slot -= 1
        row[slot] = value


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
