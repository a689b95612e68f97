"""Errors by resampling: how much a number would differ had other showers of the same kind been drawn.

Bootstrap (B. Efron, Annals of Statistics 7 (1979) 1): draw as many showers as there are, with replacement, and look at
the spread of the number over such replicas. Here a replica is the count of each shower in it; all statistics of this
package follow from cumulative sums of the counts over the sorted values, so no replica is ever written out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hgcal_gnn.arrays import F64, I64

REPLICAS = 200  # error of an error: 5 %
BLOCK = 2_000_000  # counts held at a time


def count_blocks(n: int, replicas: int, rng: np.random.Generator) -> Iterator[I64]:
    """Yield int64 [rows, n]: how often each of `n` showers is drawn.

    The very first row is the sample itself (all ones); `replicas` rows of draws with replacement follow.
    """
    rows = max(1, BLOCK // max(n, 1))
    yield np.ones((1, n), np.int64)
    for start in range(0, replicas, rows):
        some = min(rows, replicas - start)
        drawn = rng.integers(n, size=(some, n)) + n * np.arange(some)[:, None]
        yield np.bincount(drawn.ravel(), minlength=some * n).reshape(some, n)


class Replicas:
    """One quantity of some showers, in several replicas.

    Parameters
    ----------
    values : float64 [n]
    counts : int64 [rows, n]
        From `count_blocks`; each row sums to n.
    """

    def __init__(self, values: F64, counts: I64) -> None:
        order = np.argsort(values)
        drawn = counts[:, order]
        self.n = len(values)
        self.origin = float(values[order[self.n // 2]])  # sums of squares stay exact around it
        self.values = values[order] - self.origin  # [n], ascending
        self.rows = np.arange(len(counts))
        self._count = _cumulated(drawn)  # [rows, n + 1]
        self._sum = _cumulated(drawn * self.values)
        self._square = _cumulated(drawn * self.values**2)
        self._flat = (self._count[:, 1:] + (self.n + 1) * self.rows[:, None]).ravel()  # ascending over all rows

    def quantile(self, share: float) -> F64:
        """Return the quantile of each replica, float64 [rows]; linear between neighbours, as `np.quantile`."""
        place = (self.n - 1) * share
        below = int(place)
        low, high = self._ordered(below), self._ordered(min(below + 1, self.n - 1))
        return self.origin + low + (place - below) * (high - low)

    def moments(self, low: F64, high: F64) -> tuple[F64, F64, F64]:
        """Return number, mean and standard deviation within [low, high] (each float64 [rows]) of each replica."""
        start = np.searchsorted(self.values, low - self.origin, side="left")
        stop = np.searchsorted(self.values, high - self.origin, side="right")
        number, total, square = (
            sums[self.rows, np.maximum(start, stop)] - sums[self.rows, start]
            for sums in (self._count, self._sum, self._square)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / number
            deviation = np.sqrt(np.maximum(square / number - mean**2, 0.0))
        return number.astype(np.float64), self.origin + mean, deviation

    def below(self, limit: F64) -> F64:
        """Return the share of showers below `limit` (float64 [rows]) of each replica."""
        return np.asarray(self._count[self.rows, np.searchsorted(self.values, limit - self.origin)] / self.n)

    def above(self, limit: F64) -> F64:
        """Return the share of showers above `limit` (float64 [rows]) of each replica."""
        place = np.searchsorted(self.values, limit - self.origin, side="right")
        return np.asarray((self.n - self._count[self.rows, place]) / self.n)

    def _ordered(self, rank: int) -> F64:
        """Return the shower with `rank` others before it, of each replica."""
        place = np.searchsorted(self._flat, rank + (self.n + 1) * self.rows, side="right")
        return np.asarray(self.values[place - self.n * self.rows])


def _cumulated(values: F64 | I64) -> F64 | I64:
    """Return sums of the first 0, 1, ..., n values of each row, [rows, n + 1]."""
    sums = np.zeros((len(values), values.shape[1] + 1), values.dtype)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums
