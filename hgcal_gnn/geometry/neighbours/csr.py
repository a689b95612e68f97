"""Compressed sparse rows: from half pairs and nearest cells to sorted, typed edges in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit, prange

if TYPE_CHECKING:
    from hgcal_gnn.arrays import I32, I64, U8
    from hgcal_gnn.geometry.neighbours.edges import Pairs
    from hgcal_gnn.geometry.stations import Stations

INTRA, BORDER, NEXT, PREVIOUS = 0, 1, 2, 3
EDGE_TYPES = ("intra-layer", "border", "to the next layer", "to the previous layer")


def assemble(
    partners: I32,
    n_partners: U8,
    pairs: Pairs,
    following: I32,
    preceding: I32,
    stations: Stations | None = None,
) -> tuple[I64, I32, U8]:
    """Store every relation both ways, sorted by (source, target), without duplicates.

    Parameters
    ----------
    partners, n_partners
        Touching cells, each pair once (`touching_pairs`), as intra-layer edges.
    pairs
        Further pairs, each once, with their type.
    following, preceding : int32 [n_cells]
        Row of the nearest cell in the next and in the previous layer, -1 for none. An edge to the next layer joins
        the nearest next cell with every cell there whose nearest previous cell is this one.
    stations
        Given if pairs stay within a station and depth leads to the neighbouring one: then stations are
        filled in parallel.

    Returns
    -------
    rowptr : int64 [n_cells + 1]
    col : int32 [n_edges]
    edge_type : uint8 [n_edges]
    """
    n_cells = len(following)
    blocks = _blocks(stations, n_cells)
    rowptr = np.zeros(n_cells + 1, dtype=np.int64)
    _count(blocks, partners, n_partners, following, preceding, rowptr)
    _count_pairs(pairs.first, pairs.second, rowptr)
    np.cumsum(rowptr, out=rowptr)
    cursor = rowptr[:-1].copy()
    col = np.empty(rowptr[-1], dtype=np.int32)
    edge_type = np.empty(rowptr[-1], dtype=np.uint8)
    _fill(blocks, partners, n_partners, following, preceding, cursor, col, edge_type)
    _fill_pairs(pairs.first, pairs.second, pairs.edge_type, cursor, col, edge_type)
    sort_rows(rowptr, col, edge_type)
    return rowptr, col, edge_type


class _Blocks(NamedTuple):
    """Rows that are filled together: a station each, or everything at once.

    Attributes
    ----------
    row : int32 [n_cells]
        Rows, one block after the other.
    start : int64 [n_blocks + 1]
    previous, next : int32 [n_blocks]
        Blocks whose cells point into this one as their next (previous) cell, -1 for none.
    """

    row: I32
    start: I64
    previous: I32
    next: I32


def _blocks(stations: Stations | None, n_cells: int) -> _Blocks:
    if stations is None:
        itself = np.zeros(1, dtype=np.int32)
        return _Blocks(np.arange(n_cells, dtype=np.int32), np.array([0, n_cells]), itself, itself)
    return _Blocks(stations.row.astype(np.int32), stations.start, stations.previous, stations.next)


@njit(cache=True, parallel=True)
def _count(blocks: _Blocks, partners: I32, n_partners: U8, following: I32, preceding: I32, rowptr: I64) -> None:
    """Count the entries of each row; a block only writes to its own rows, so blocks do not collide."""
    for block in prange(len(blocks.start) - 1):
        for place in range(blocks.start[block], blocks.start[block + 1]):
            i = blocks.row[place]
            rowptr[i + 1] += n_partners[i]
            for k in range(n_partners[i]):
                rowptr[partners[i, k] + 1] += 1
            if following[i] >= 0:
                rowptr[i + 1] += 1
            if preceding[i] >= 0 and following[preceding[i]] != i:
                rowptr[i + 1] += 1
        before, behind = blocks.previous[block], blocks.next[block]
        if before >= 0:
            for place in range(blocks.start[before], blocks.start[before + 1]):
                j = following[blocks.row[place]]
                if j >= 0:
                    rowptr[j + 1] += 1
        if behind >= 0:
            for place in range(blocks.start[behind], blocks.start[behind + 1]):
                j = preceding[blocks.row[place]]
                if j >= 0 and following[j] != blocks.row[place]:
                    rowptr[j + 1] += 1


@njit(cache=True, inline="always")
def _put(i: int, j: int, kind: int, cursor: I64, col: I32, edge_type: U8) -> None:
    col[cursor[i]], edge_type[cursor[i]] = j, kind
    cursor[i] += 1


@njit(cache=True, parallel=True)
def _fill(
    blocks: _Blocks,
    partners: I32,
    n_partners: U8,
    following: I32,
    preceding: I32,
    cursor: I64,
    col: I32,
    edge_type: U8,
) -> None:
    """Write what `_count` counted, in the same order."""
    for block in prange(len(blocks.start) - 1):
        for place in range(blocks.start[block], blocks.start[block + 1]):
            i = blocks.row[place]
            for k in range(n_partners[i]):
                _put(i, partners[i, k], INTRA, cursor, col, edge_type)
                _put(partners[i, k], i, INTRA, cursor, col, edge_type)
            if following[i] >= 0:
                _put(i, following[i], NEXT, cursor, col, edge_type)
            if preceding[i] >= 0 and following[preceding[i]] != i:
                _put(i, preceding[i], PREVIOUS, cursor, col, edge_type)
        before, behind = blocks.previous[block], blocks.next[block]
        if before >= 0:
            for place in range(blocks.start[before], blocks.start[before + 1]):
                i = blocks.row[place]
                if following[i] >= 0:
                    _put(following[i], i, PREVIOUS, cursor, col, edge_type)
        if behind >= 0:
            for place in range(blocks.start[behind], blocks.start[behind + 1]):
                i = blocks.row[place]
                j = preceding[i]
                if j >= 0 and following[j] != i:
                    _put(j, i, NEXT, cursor, col, edge_type)


@njit(cache=True)
def _count_pairs(first: I32, second: I32, rowptr: I64) -> None:
    for k in range(len(first)):
        rowptr[first[k] + 1] += 1
        rowptr[second[k] + 1] += 1


@njit(cache=True)
def _fill_pairs(first: I32, second: I32, kinds: U8, cursor: I64, col: I32, edge_type: U8) -> None:
    for k in range(len(first)):
        _put(first[k], second[k], kinds[k], cursor, col, edge_type)
        _put(second[k], first[k], kinds[k], cursor, col, edge_type)


@njit(cache=True, parallel=True)
def sort_rows(rowptr: I64, col: I32, edge_type: U8) -> None:
    """Sort each row by insertion: it holds about eight entries."""
    for i in prange(len(rowptr) - 1):
        for k in range(rowptr[i] + 1, rowptr[i + 1]):
            target, kind = col[k], edge_type[k]
            slot = k
            while slot > rowptr[i] and col[slot - 1] > target:
                col[slot], edge_type[slot] = col[slot - 1], edge_type[slot - 1]
                slot -= 1
            col[slot], edge_type[slot] = target, kind
