"""Operations on ragged arrays: values of all showers one after the other, `offsets` [n_showers + 1] between them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Offsets = NDArray[np.int64]


def offsets_of(counts: NDArray[np.integer] | NDArray[np.bool_]) -> Offsets:
    """Return offsets int64 [n + 1] of segments of `counts` [n] values."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def segment_of(offsets: Offsets) -> NDArray[np.int64]:
    """Return the segment number of every value, int64 [n_values]."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def segment_sums(values: NDArray[np.floating], offsets: Offsets) -> NDArray[np.float64]:
    """Sum each segment in double precision, float64 [n]; empty segments give 0."""
    sums = np.zeros(len(offsets) - 1)
    filled = np.flatnonzero(np.diff(offsets))
    # empty segments are left out: reduceat would give them the next segment's first value
    if len(filled):
        sums[filled] = np.add.reduceat(values, offsets[filled], dtype=np.float64)
    return sums


def row_numbers(rows: Any, length: int) -> NDArray[np.int64]:
    """Return the rows that a slice, a boolean mask or row numbers (negative ones from the end) select, int64 [n].

    Raises
    ------
    IndexError
        If a number is out of range or a mask has another length.
    """
    if isinstance(rows, slice):
        return np.arange(*rows.indices(length))
    given = np.asarray(rows)
    if given.dtype == np.bool_:
        if given.shape != (length,):
            msg = f"a mask must have shape [{length}], got {list(given.shape)}"
            raise IndexError(msg)
        return np.flatnonzero(given)
    if given.ndim != 1 or (given.dtype.kind not in "iu" and given.size):
        msg = f"rows must be whole numbers [n], got {given.dtype} {list(given.shape)}"
        raise IndexError(msg)
    numbers = given.astype(np.int64)
    if given.size and (numbers.min() < -length or numbers.max() >= length):
        msg = f"rows {numbers.min()}..{numbers.max()} asked for, there are {length}"
        raise IndexError(msg)
    return np.where(numbers < 0, numbers + length, numbers)


@njit(cache=True)
def copy_segments(values: NDArray[Any], starts: NDArray[np.int64], offsets: Offsets) -> NDArray[Any]:
    """Join the segments of `values` that begin at `starts` [n], as long as `offsets` [n + 1] says."""
    joined = np.empty(offsets[-1], dtype=values.dtype)
    for segment in range(len(starts)):
        shift = starts[segment] - offsets[segment]
        for position in range(offsets[segment], offsets[segment + 1]):
            joined[position] = values[position + shift]
    return joined


@njit(cache=True)
def order_within(values: NDArray[np.int32], offsets: Offsets) -> NDArray[np.int64]:
    """Return positions [n_values] that sort `values` inside each segment, equal ones in their old order."""
    order = np.empty(len(values), dtype=np.int64)
    for segment in range(len(offsets) - 1):
        start, stop = offsets[segment], offsets[segment + 1]
        order[start:stop] = start + np.argsort(values[start:stop], kind="mergesort")
    return order


@njit(cache=True)
def nonzero_of_rows(dense: NDArray[Any]) -> tuple[Offsets, NDArray[np.int32], NDArray[Any]]:
    """Return offsets [n_rows + 1], columns [n] and values [n] of what is not 0 (NaN is not) in `dense`.

    One pass to count, one to copy: 3 times as fast as `np.nonzero` on mostly empty rows.
    """
    n_rows, n_columns = dense.shape
    offsets = np.zeros(n_rows + 1, dtype=np.int64)
    for row in range(n_rows):
        count = 0
        for column in range(n_columns):
            count += dense[row, column] != 0
        offsets[row + 1] = offsets[row] + count
    columns = np.empty(offsets[-1], dtype=np.int32)
    values = np.empty(offsets[-1], dtype=dense.dtype)
    for row in range(n_rows):
        place = offsets[row]
        for column in range(n_columns):
            if dense[row, column] != 0:
                columns[place] = column
                values[place] = dense[row, column]
                place += 1
    return offsets, columns, values


def ascends_within(values: NDArray[np.int32], offsets: Offsets, *, strictly: bool) -> bool:
    """Tell whether `values` ascend inside each segment (`strictly`: without repetition)."""
    if len(values) < 2:
        return True
    step_ok = values[1:] > values[:-1] if strictly else values[1:] >= values[:-1]
    borders = offsets[1:-1]
    step_ok[borders[(borders > 0) & (borders < len(values))] - 1] = True
    return bool(step_ok.all())
