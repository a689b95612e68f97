"""Edges among the hits of each shower: kernels over many showers, free of the interpreter lock.

Array indices are unsigned in the inner loops: signed ones may count from the end in Python, and the test for it
costs a third of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I32, I64, U8

NO_HIT = -1


@njit(cache=True, nogil=True)
def edges_among_hits(
    rowptr: I64,
    col: I32 | I64,
    edge_type: U8,
    cell: I32,
    offsets: I64,
    first: int,
    last: int,
    place: I32,
    n_found: I32,
) -> tuple[I32, U8]:
    """Find the edges whose both ends are hits of one shower, for the showers `first` to `last`.

    Parameters
    ----------
    rowptr, col, edge_type
        Edges of the graph (`CellGraph`).
    cell : int32 [n_hits]
        Row of each hit, ascending within a shower.
    offsets : int64 [n_showers + 1]
    first, last
        Showers to look at, `last` not included.
    place : int32 [n_cells]
        Scratch memory of the calling thread, all `NO_HIT`; left as it was.
    n_found : int32 [n_hits]
        Filled with the number of edges of each hit looked at.

    Returns
    -------
    target : int32 [n_edges]
        Hit at the far end, counted through all showers, sorted by (source, target).
    kind : uint8 [n_edges]
        Type of the edge.
    """
    n_candidates = 0
    for hit in range(offsets[first], offsets[last]):
        n_candidates += rowptr[cell[hit] + 1] - rowptr[cell[hit]]
    # one place more, since every candidate is written before it is known whether it counts: no branch to mispredict
    target = np.empty(n_candidates + 1, dtype=np.int32)
    kind = np.empty(n_candidates + 1, dtype=np.uint8)
    n_edges = np.uint64(0)
    touched = np.int64(0)
    for shower in range(first, last):
        for hit in range(offsets[shower], offsets[shower + 1]):
            row = np.uint64(cell[hit])
            place[row] = hit
            # asks for the edges' memory early, so that the loads of many hits overlap
            start = np.uint64(rowptr[row])
            if start < np.uint64(rowptr[row + np.uint64(1)]):
                touched += col[start] + edge_type[start]
        for hit in range(offsets[shower], offsets[shower + 1]):
            before = n_edges
            row = np.uint64(cell[hit])
            for edge in range(np.uint64(rowptr[row]), np.uint64(rowptr[row + np.uint64(1)])):
                other = place[np.uint64(col[edge])]
                target[n_edges] = other
                kind[n_edges] = edge_type[edge]
                n_edges += np.uint64(other >= 0)
            n_found[hit] = n_edges - before
        for hit in range(offsets[shower], offsets[shower + 1]):
            place[np.uint64(cell[hit])] = NO_HIT
    # touched is never negative, but asking keeps its loads from being optimised away
    last_edge = n_edges if touched >= 0 else np.uint64(0)
    return target[:last_edge], kind[:last_edge]


@njit(cache=True, nogil=True)
def write_edges(
    n_found: I32, target: I32, kind: U8, first_hit: int, first_edge: int, edge_index: I64, edge_type: U8
) -> None:
    """Write the edges found from `first_hit` on as columns of `edge_index` [2, n_edges], from `first_edge` on."""
    hit, start = np.uint64(first_hit), np.uint64(first_edge)
    left = n_found[hit] if len(target) else 0
    for k in range(np.uint64(len(target))):
        while left == 0:
            hit += np.uint64(1)
            left = n_found[hit]
        left -= 1
        edge_index[0, start + k] = hit
        edge_index[1, start + k] = target[k]
        edge_type[start + k] = kind[k]


@njit(cache=True, nogil=True)
def gather_cells(
    table: F32, cell: I32, first: int, last: int, wanted: I64, column: int, positions: F32, features: F32
) -> None:
    """Copy positions (columns 0-2 of `table`) and the `wanted` columns of the cells of the hits `first` to `last`.

    The wanted ones go to `features` [n_hits, n_features] from `column` on.
    """
    n_wanted, start = np.uint64(len(wanted)), np.uint64(column)
    for hit in range(np.uint64(first), np.uint64(last)):
        row = np.uint64(cell[hit])
        positions[hit, 0] = table[row, 0]
        positions[hit, 1] = table[row, 1]
        positions[hit, 2] = table[row, 2]
        for k in range(n_wanted):
            features[hit, start + k] = table[row, np.uint64(wanted[k])]


@njit(cache=True, nogil=True)
def nearest_other_hits(positions: F32, offsets: I64, first: int, last: int, n_found: I32, nearest: I32) -> None:
    """Find for every hit without edges the closest other hit of its shower, the first of equal ones.

    `nearest` [n_hits] is left as it is for hits with edges and where there is no other hit.
    """
    for shower in range(first, last):
        start = offsets[shower]
        own = positions[start : offsets[shower + 1]].astype(np.float64)
        along_z = np.argsort(own[:, 2])
        for place in range(len(own)):
            hit = along_z[place]
            if n_found[start + hit] == 0:
                other = _nearest(own, along_z, place)
                if other != NO_HIT:
                    nearest[start + hit] = start + other


@njit(cache=True, nogil=True)
def _nearest(points: F64, along_z: I64, place: int) -> int:
    """Return the point nearest to ``along_z[place]``, looking up and down until z alone is too far away."""
    point = points[along_z[place]]
    smallest, nearest = np.inf, NO_HIT
    for step in (1, -1):
        k = place + step
        while 0 <= k < len(points):
            other = along_z[k]
            away = points[other, 2] - point[2]
            if away * away > smallest:
                break
            distance = away * away + (points[other, 0] - point[0]) ** 2 + (points[other, 1] - point[1]) ** 2
            if distance < smallest or (distance == smallest and other < nearest):
                smallest, nearest = distance, other
            k += step
    return nearest


@njit(cache=True, nogil=True)
def merge_edges(edge_index: I64, edge_type: U8, links: I64, kind: int) -> tuple[I64, U8]:
    """Return edges [2, n_edges] and `links` [2, n_links] of type `kind` together; all sorted by (source, target)."""
    n_edges, n_links = edge_index.shape[1], links.shape[1]
    merged = np.empty((2, n_edges + n_links), dtype=np.int64)
    types = np.empty(n_edges + n_links, dtype=np.uint8)
    edge = link = 0
    for k in range(n_edges + n_links):
        is_link = edge == n_edges
        if link < n_links and not is_link:
            step = links[0, link] - edge_index[0, edge]
            is_link = step < 0 or (step == 0 and links[1, link] < edge_index[1, edge])
        if is_link:
            merged[0, k], merged[1, k], types[k] = links[0, link], links[1, link], kind
            link += 1
        else:
            merged[0, k], merged[1, k], types[k] = edge_index[0, edge], edge_index[1, edge], edge_type[edge]
            edge += 1
    return merged, types


@njit(cache=True, nogil=True)
def measure_edges(positions: F32, edge_index: I64, first: int, last: int, features: F32) -> None:
    """Write displacement target - source (x, y, z) and distance [cm] of the edges `first` to `last`, [n_edges, 4]."""
    for edge in range(np.uint64(first), np.uint64(last)):
        source, target = np.uint64(edge_index[0, edge]), np.uint64(edge_index[1, edge])
        square = np.float32(0)
        for axis in range(3):
            step = positions[target, axis] - positions[source, axis]
            features[edge, axis] = step
            square += step * step
        features[edge, 3] = np.sqrt(square)
