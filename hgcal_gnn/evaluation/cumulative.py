"""Distances between cumulative distributions: Kolmogorov-Smirnov and Wasserstein-1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.arrays import F64, I64, Array
    from hgcal_gnn.evaluation.resampling import Counts

CELLS = 1000  # into which values are put together for errors and floors
ENDS = 30  # values at either end that stay alone: rare ones far out weigh much in a mean distance


def difference(reference: F64, generated: F64) -> tuple[F64, F64]:
    """Return all values in order and F_reference - F_generated at each of them, float64 [n + m] each."""
    places = np.sort(np.concatenate([reference, generated]))
    below = [np.searchsorted(np.sort(v), places, side="right") / len(v) for v in (reference, generated)]
    return places, below[0] - below[1]


def largest(gap: F64) -> float:
    """Return the Kolmogorov-Smirnov distance, the largest difference of the two distributions."""
    return float(np.abs(gap).max())


def area(places: F64, gap: F64) -> float:
    """Return the Wasserstein-1 distance, the area between the two distributions, in the unit of the values."""
    return float((np.abs(gap[:-1]) * np.diff(places)).sum())


def cells(places: F64) -> F64:
    """Cut the pooled values, in order, into cells of equally many; return the upper edges, ascending."""
    last = len(places) - 1
    ranks = np.linspace(0, last, CELLS).round().astype(np.int64)
    ends = np.arange(min(ENDS, len(places)))
    return np.unique(places[np.concatenate([ranks, ends, last - ends])])


def counts_in(values: Array, edges: F64) -> I64:
    """Count values by cell, int64 [n_edges]; none may be above the last edge."""
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges))


def largest_of_counts(reference: Counts, generated: Counts) -> F64:
    """Return the Kolmogorov-Smirnov distance of counts [..., n_cells]."""
    return np.asarray(np.abs(_gap(reference, generated)).max(axis=-1))


def area_of_counts(edges: F64) -> Callable[[Counts, Counts], F64]:
    """Return the function that gives the Wasserstein-1 distance of counts [..., n_cells]."""
    width = np.diff(edges)
    return lambda reference, generated: np.asarray(np.abs(_gap(reference, generated)[..., :-1]) @ width)


def _gap(reference: Counts, generated: Counts) -> F64:
    below = [np.cumsum(c, axis=-1) / c.sum(axis=-1, keepdims=True) for c in (reference, generated)]
    return np.asarray(below[0] - below[1])
