"""A cell list: cells of every station sorted into square bins, so that neighbours are found in a few bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit, prange

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I32, I64, Bools
    from hgcal_gnn.geometry.stations import Stations

BINS_PER_CELL = 0.5  # where nobody asks for a width
MAX_BINS_PER_CELL = 4  # widen the bins of a sparse station rather than pay memory for empty ones


class CellGrid(NamedTuple):
    """Bins of all stations one after the other; a tuple, so that numba kernels take it as it is.

    Attributes
    ----------
    row : int32 [n_cells]
        Cells sorted by bin.
    a, b : float64 [n_cells]
        Surface coordinates [cm] in the same order.
    bin_start : int64 [n_bins + 1]
        First entry of each bin.
    station_bin : int64 [n_stations]
        First bin of each station.
    origin_a, origin_b, width_a, width_b : float64 [n_stations]
        Lower edge of the first bin and size of a bin [cm].
    n_a, n_b : int64 [n_stations]
        Number of bins in each direction.
    wraps : bool [n_stations]
        True for barrels, closed in b.
    """

    row: I32
    a: F64
    b: F64
    bin_start: I64
    station_bin: I64
    origin_a: F64
    origin_b: F64
    width_a: F64
    width_b: F64
    n_a: I64
    n_b: I64
    wraps: Bools


def build_grid(stations: Stations, width: F64 | None = None, width_b: F64 | None = None) -> CellGrid:
    """Sort cells into bins at least `width` [n_stations] wide in a and `width_b` in b (equal if not given).

    Bins are widened where a station is so sparse that most would be empty; without a width they hold two cells.
    """
    n_stations = stations.n_stations
    count = np.bincount(stations.number, minlength=n_stations)
    low_a, high_a = extent(stations.number, stations.a, n_stations)
    low_b, high_b = extent(stations.number, stations.b, n_stations)
    wraps = stations.radius > 0
    low_b = np.where(wraps, -np.pi * stations.radius, low_b)
    high_b = np.where(wraps, np.pi * stations.radius, high_b)
    length_a, length_b = high_a - low_a, high_b - low_b

    if width is None:
        width = np.sqrt(np.maximum(length_a, 1e-6) * np.maximum(length_b, 1e-6) / (BINS_PER_CELL * count))
    asked_a, asked_b = width, width if width_b is None else width_b
    bins = np.maximum(length_a / asked_a, 1) * np.maximum(length_b / asked_b, 1)
    widen = np.sqrt(np.maximum(bins / (MAX_BINS_PER_CELL * count), 1))
    asked_a, asked_b = asked_a * widen, asked_b * widen
    # Rounding down keeps a bin at least as wide as asked; a closed direction needs a whole number of bins.
    n_a = np.maximum(np.floor(length_a / asked_a).astype(np.int64), 1)
    n_b = np.maximum(np.floor(length_b / asked_b).astype(np.int64), 1)
    width_a = np.maximum(length_a / n_a, asked_a)
    width_b = np.where(wraps, length_b / n_b, np.maximum(length_b / n_b, asked_b))

    station_bin = np.zeros(n_stations, dtype=np.int64)
    np.cumsum((n_a * n_b)[:-1], out=station_bin[1:])
    n_bins = int((n_a * n_b).sum())
    bin_number = np.empty(len(stations.number), dtype=np.int64)
    _assign_bins(
        stations.number, stations.a, stations.b, station_bin, low_a, low_b, width_a, width_b, n_a, n_b, bin_number
    )  # fmt: skip
    bin_start = np.zeros(n_bins + 1, dtype=np.int64)
    row = np.empty(len(bin_number), dtype=np.int32)
    a, b = np.empty(len(row)), np.empty(len(row))
    _counting_sort(bin_number, stations.a, stations.b, bin_start, row, a, b)
    return CellGrid(row, a, b, bin_start, station_bin, low_a, low_b, width_a, width_b, n_a, n_b, wraps)


def extent(number: I32, value: F64 | F32, n_stations: int) -> tuple[F64, F64]:
    """Return the smallest and the largest `value` of each station."""
    low, high = np.full(n_stations, np.inf), np.full(n_stations, -np.inf)
    _min_max(number, value, low, high)
    return low, high


@njit(cache=True)
def _min_max(number: I32, value: F64 | F32, low: F64, high: F64) -> None:
    for i in range(len(value)):
        s = number[i]
        low[s] = min(low[s], value[i])
        high[s] = max(high[s], value[i])


@njit(cache=True, inline="always")
def bin_of(value: float, origin: float, width: float, n_bins: int) -> int:
    """Bin number of a coordinate, kept inside the grid."""
    return min(max(int((value - origin) / width), 0), n_bins - 1)


@njit(cache=True, inline="always")
def bin_range(low: float, high: float, origin: float, width: float, n_bins: int, wraps: bool) -> tuple[int, int]:
    """First and last bin of an interval; in a closed direction they may lie beyond the seam, once around at most."""
    first = int(np.floor((low - origin) / width))
    last = int(np.floor((high - origin) / width))
    if wraps:
        return first, min(last, first + n_bins - 1)
    return min(max(first, 0), n_bins - 1), min(max(last, 0), n_bins - 1)


@njit(cache=True, inline="always")
def seam_part(first: int, last: int, n_bins: int, run: int) -> tuple[int, int]:
    """Split a range of bins that crosses the seam into its two runs inside the grid; without crossing, run 0 is all."""
    if first >= 0 and last < n_bins:
        return first, last
    if first < 0:
        return (0, last) if run == 0 else (first + n_bins, n_bins - 1)
    return (first, n_bins - 1) if run == 0 else (0, last - n_bins)


@njit(cache=True, parallel=True)
def _assign_bins(
    number: I32,
    a: F64,
    b: F64,
    station_bin: I64,
    low_a: F64,
    low_b: F64,
    width_a: F64,
    width_b: F64,
    n_a: I64,
    n_b: I64,
    bins: I64,
) -> None:
    for i in prange(len(bins)):
        s = number[i]
        ia = bin_of(a[i], low_a[s], width_a[s], n_a[s])
        ib = bin_of(b[i], low_b[s], width_b[s], n_b[s])
        bins[i] = station_bin[s] + ia * n_b[s] + ib


@njit(cache=True)
def _counting_sort(bins: I64, a: F64, b: F64, bin_start: I64, row: I32, a_sorted: F64, b_sorted: F64) -> None:
    for i in range(len(bins)):
        bin_start[bins[i] + 1] += 1
    for k in range(len(bin_start) - 1):
        bin_start[k + 1] += bin_start[k]
    cursor = bin_start[:-1].copy()
    for i in range(len(bins)):
        slot = cursor[bins[i]]
        cursor[bins[i]] += 1
        row[slot] = i
        a_sorted[slot] = a[i]
        b_sorted[slot] = b[i]
