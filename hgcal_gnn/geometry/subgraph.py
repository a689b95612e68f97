"""Parts of a graph: edges among chosen cells, cells within a number of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import I32, I64, U8


def induced_edges(rowptr: I64, col: I32 | I64, edge_type: U8, rows: I64) -> tuple[I64, I32, U8]:
    """Return the edges whose both ends are among `rows` (sorted, unique), numbered by place in `rows`."""
    place = np.full(len(rowptr) - 1, -1, dtype=np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    new_rowptr = np.zeros(len(rows) + 1, dtype=np.int64)
    _count_kept(rowptr, col, rows, place, new_rowptr)
    np.cumsum(new_rowptr, out=new_rowptr)
    new_col = np.empty(new_rowptr[-1], dtype=np.int32)
    new_type = np.empty(new_rowptr[-1], dtype=np.uint8)
    _copy_kept(rowptr, col, edge_type, rows, place, new_col, new_type)
    return new_rowptr, new_col, new_type


def within_steps(
    rowptr: I64,
    col: I32 | I64,
    edge_type: U8,
    start: int,
    n_steps: int,
    edge_types: Sequence[int],
) -> I64:
    """Rows of the cells at most `n_steps` edges of the given types away from `start`, itself included."""
    seen = np.array([start], dtype=np.int64)
    rim = seen
    for _ in range(n_steps):
        counts = rowptr[rim + 1] - rowptr[rim]
        offsets = np.repeat(rowptr[rim] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        edges = offsets + np.arange(counts.sum())
        reached = col[edges[np.isin(edge_type[edges], edge_types)]]
        rim = np.setdiff1d(reached.astype(np.int64), seen)
        seen = np.union1d(seen, rim)
    return seen


@njit(cache=True)
def _count_kept(rowptr: I64, col: I32 | I64, rows: I64, place: I32, new_rowptr: I64) -> None:
    for k in range(len(rows)):
        for edge in range(rowptr[rows[k]], rowptr[rows[k] + 1]):
            new_rowptr[k + 1] += place[col[edge]] >= 0


@njit(cache=True)
def _copy_kept(rowptr: I64, col: I32 | I64, edge_type: U8, rows: I64, place: I32, new_col: I32, new_type: U8) -> None:
    cursor = 0
    for k in range(len(rows)):
        for edge in range(rowptr[rows[k]], rowptr[rows[k] + 1]):
            if place[col[edge]] >= 0:
                new_col[cursor] = place[col[edge]]
                new_type[cursor] = edge_type[edge]
                cursor += 1
