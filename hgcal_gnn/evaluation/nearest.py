"""Nearest showers in the space of standardised features, by matrix products: trees do not help in many dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I64, Array

BLOCK = 20_000_000  # distances held at a time (160 MB)


def standardised(reference: Array, *others: Array) -> list[F64]:
    """Scale features to mean 0 and standard deviation 1 of the reference (float [n, d] each).

    Those that do not vary there are left out; what does not exist (NaN) is put at the mean.
    """
    values = np.where(np.isfinite(reference), reference, np.nan).astype(np.float64)
    fine = np.isfinite(values)
    number = np.maximum(fine.sum(axis=0), 1)
    mean = np.where(fine, values, 0.0).sum(axis=0) / number
    deviation = np.sqrt(np.where(fine, (values - mean) ** 2, 0.0).sum(axis=0) / number)
    kept = deviation > 1e-6 * np.abs(mean)  # rounding of single precision
    scaled = [
        (np.asarray(sample, np.float64)[:, kept] - mean[kept]) / deviation[kept] for sample in (reference, *others)
    ]
    return [np.where(np.isfinite(sample), sample, 0.0) for sample in scaled]


def nearest_distances(queries: F64, points: F64, k: int = 1) -> F64:
    """Return the distances of each query (float64 [n, d]) to its k nearest points ([m, d]), ascending, [n, k]."""
    square = (points**2).sum(axis=1)
    found = np.empty((len(queries), k))
    step = max(1, BLOCK // max(len(points), 1))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        apart = _squares(some, points, square)
        nearest = apart.min(axis=1)[:, None] if k == 1 else np.sort(np.partition(apart, k - 1, axis=1)[:, :k], axis=1)
        found[start : start + step] = np.sqrt(nearest)
    return found


def nearest_points(queries: F64, points: F64) -> tuple[F64, I64]:
    """Return distance and number of the point nearest to each query, float64 and int64 [n]."""
    square = (points**2).sum(axis=1)
    distance, number = np.empty(len(queries)), np.empty(len(queries), np.int64)
    step = max(1, BLOCK // max(len(points), 1))
    for start in range(0, len(queries), step):
        apart = _squares(queries[start : start + step], points, square)
        nearest = apart.argmin(axis=1)
        number[start : start + step] = nearest
        distance[start : start + step] = np.sqrt(apart[np.arange(len(apart)), nearest])
    return distance, number


def numbers_within(queries: F64, points: F64, radii: F64) -> F64:
    """Return in how many balls about `points` (of `radii`, float64 [m]) each query lies, [n]."""
    square, limit = (points**2).sum(axis=1), radii**2
    found = np.empty(len(queries))
    step = max(1, BLOCK // max(len(points), 1))
    for start in range(0, len(queries), step):
        apart = _squares(queries[start : start + step], points, square)
        found[start : start + step] = (apart <= limit).sum(axis=1)
    return found


def _squares(queries: F64, points: F64, square: F64) -> F64:
    """Return squared distances, [n, m]."""
    apart = (queries**2).sum(axis=1)[:, None] + square - 2 * (queries @ points.T)
    return np.asarray(np.maximum(apart, 0.0))
