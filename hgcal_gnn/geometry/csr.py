"""Compressed sparse rows: from half pairs and nearest cells to sorted, typed edges in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

if TYPE_CHECKING:
    from hgcal_gnn.arrays import I32, I64, U8
    from hgcal_gnn.geometry.edges import Pairs

INTRA, BORDER, NEXT, PREVIOUS = 0, 1, 2, 3
EDGE_TYPES = ("intra-layer", "border", "to the next layer", "to the previous layer")


def assemble(
    partners: I32,
    n_partners: U8,
    pairs: Pairs,
    following: I32,
    preceding: I32,
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

    Returns
    -------
    rowptr : int64 [n_cells + 1]
    col : int32 [n_edges]
    edge_type : uint8 [n_edges]
    """
    rowptr = np.zeros(len(following) + 1, dtype=np.int64)
    _count(partners, n_partners, pairs.first, pairs.second, following, preceding, rowptr)
    np.cumsum(rowptr, out=rowptr)
    col = np.empty(rowptr[-1], dtype=np.int32)
    edge_type = np.empty(rowptr[-1], dtype=np.uint8)
    _fill(
        partners, n_partners, pairs.first, pairs.second, pairs.edge_type, following, preceding, rowptr, col, edge_type
    )  # fmt: skip
    sort_rows(rowptr, col, edge_type)
    return rowptr, col, edge_type


@njit(cache=True)
def _count(partners: I32, n_partners: U8, first: I32, second: I32, following: I32, preceding: I32, rowptr: I64) -> None:
    for i in range(len(following)):
        rowptr[i + 1] += n_partners[i]
        for k in range(n_partners[i]):
            rowptr[partners[i, k] + 1] += 1
        if following[i] >= 0:
            rowptr[i + 1] += 1
            rowptr[following[i] + 1] += 1
        if preceding[i] >= 0 and following[preceding[i]] != i:
            rowptr[i + 1] += 1
            rowptr[preceding[i] + 1] += 1
    for k in range(len(first)):
        rowptr[first[k] + 1] += 1
        rowptr[second[k] + 1] += 1


@njit(cache=True, inline="always")
def _put(i: int, j: int, kind: int, back: int, cursor: I64, col: I32, edge_type: U8) -> None:
    col[cursor[i]], edge_type[cursor[i]] = j, kind
    cursor[i] += 1
    col[cursor[j]], edge_type[cursor[j]] = i, back
    cursor[j] += 1


@njit(cache=True)
def _fill(
    partners: I32,
    n_partners: U8,
    first: I32,
    second: I32,
    kinds: U8,
    following: I32,
    preceding: I32,
    rowptr: I64,
    col: I32,
    edge_type: U8,
) -> None:
    cursor = rowptr[:-1].copy()
    for i in range(len(following)):
        for k in range(n_partners[i]):
            _put(i, partners[i, k], 0, 0, cursor, col, edge_type)
        if following[i] >= 0:
            _put(i, following[i], 2, 3, cursor, col, edge_type)
        if preceding[i] >= 0 and following[preceding[i]] != i:
            _put(i, preceding[i], 3, 2, cursor, col, edge_type)
    for k in range(len(first)):
        _put(first[k], second[k], kinds[k], kinds[k], cursor, col, edge_type)


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
