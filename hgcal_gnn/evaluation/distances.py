"""Distances between a generated and the reference sample, one quantity at a time, each with its error and its floor.

All of `DISTANCES` take ``(reference [n], generated [m], *, replicas, seed)`` and return a `Distance`; how error and
floor come about stands in `resampling`. `correlation_difference` takes many features, `total_energy_chi2` the incident
energies, too. What cannot be measured is said in the result, never raised: fewer than 100 finite values, a
quantity that is the same constant in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation import cumulative
from hgcal_gnn.evaluation.correlations import correlation_difference
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.histograms import (
    BINS,
    chi2_per_ndf,
    histogram,
    published_edges,
    reference_edges,
    separation,
)
from hgcal_gnn.evaluation.resampling import REPLICAS, measure, too_few
from hgcal_gnn.evaluation.total_energy import total_energy_chi2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.evaluation.resampling import Statistic

__all__ = [
    "DISTANCES",
    "Distance",
    "chi2_ndf",
    "correlation_difference",
    "kolmogorov_smirnov",
    "separation_power",
    "separation_power_hgcal",
    "total_energy_chi2",
    "wasserstein",
    "wasserstein_unscaled",
]

ONE_SIGMA = 0.158655, 0.841345  # the central 68.27 %


def separation_power(
    reference: ArrayLike, generated: ArrayLike, *, bins: int = BINS, replicas: int = REPLICAS, seed: int = 0
) -> Distance:
    """Measure the separation power, 0 (equal) to 1 (nothing in common).

    Bins over the range of the reference, with one bin below, one above and one for NaN (not available, as the
    centre of an empty layer): every shower counts. The floor falls as 1/n; with all of 49 bins filled it is
    12 (1/n + 1/m).
    """
    return _of_histograms("separation_power", separation, _arrays(reference, generated), bins, replicas, seed)


def separation_power_hgcal(
    reference: ArrayLike, generated: ArrayLike, *, occupancy: bool = False, replicas: int = REPLICAS, seed: int = 0
) -> Distance:
    """Measure the separation power as the HGCal CaloChallenge does, to compare with its tables.

    Its defects are kept: generated values out of the range of the reference are left out and the rest is normalised
    to 1, so that tails beyond it cost nothing (see `separation_power`).

    Parameters
    ----------
    occupancy
        Numbers of hits, for which the challenge takes bins as wide as a whole number.
    """
    name = "separation_power_hgcal"
    ours, theirs = _finite(reference, generated)
    if refused := _refused(name, ours, theirs):
        return refused
    edges = published_edges(ours, occupancy=occupancy)
    counts = histogram(ours, edges)[1:-2], histogram(theirs, edges)[1:-2]
    if not counts[1].any():
        return Distance.not_available(name, "all generated values are out of the range of the reference")
    return measure(name, counts, separation, linear=False, replicas=replicas, seed=seed)


def chi2_ndf(
    reference: ArrayLike, generated: ArrayLike, *, bins: int = BINS, replicas: int = REPLICAS, seed: int = 0
) -> Distance:
    """Measure chi2/ndf of the two histograms, in the bins of `separation_power`; 1 within chance for equal ones.

    It grows with the number of showers where they differ.
    """
    return _of_histograms("chi2_ndf", chi2_per_ndf, _arrays(reference, generated), bins, replicas, seed)


def kolmogorov_smirnov(
    reference: ArrayLike, generated: ArrayLike, *, replicas: int = REPLICAS, seed: int = 0
) -> Distance:
    """Measure the largest difference of the cumulative distributions of the finite values, 0 to 1."""
    name = "kolmogorov_smirnov"
    ours, theirs = _finite(reference, generated)
    if refused := _refused(name, ours, theirs):
        return refused
    places, gap = cumulative.difference(ours, theirs)
    edges = cumulative.cells(places)
    counts = cumulative.counts_in(ours, edges), cumulative.counts_in(theirs, edges)
    statistic = cumulative.largest_of_counts
    found = cumulative.largest(gap)
    return measure(name, counts, statistic, linear=True, value=found, replicas=replicas, seed=seed)


def wasserstein(
    reference: ArrayLike, generated: ArrayLike, *, scaled: bool = True, replicas: int = REPLICAS, seed: int = 0
) -> Distance:
    """Measure the Wasserstein-1 distance of the finite values: how far, on average, they have to be moved.

    Parameters
    ----------
    scaled
        In units of sigma_68 of the reference (half the width of its central 68.27 %), so that different quantities
        compare; its own error is left out of account. Otherwise in the unit of the values.
    """
    name = "wasserstein" if scaled else "wasserstein_unscaled"
    ours, theirs = _finite(reference, generated)
    if refused := _refused(name, ours, theirs):
        return refused
    if scaled:
        low, high = np.quantile(ours, ONE_SIGMA)
        if not high > low:
            return Distance.not_available(name, "sigma_68 of the reference is 0")
        ours, theirs = ours * (2 / (high - low)), theirs * (2 / (high - low))
    places, gap = cumulative.difference(ours, theirs)
    edges = cumulative.cells(places)
    counts = cumulative.counts_in(ours, edges), cumulative.counts_in(theirs, edges)
    statistic = cumulative.area_of_counts(edges)
    found = cumulative.area(places, gap)
    return measure(name, counts, statistic, linear=True, value=found, replicas=replicas, seed=seed)


def wasserstein_unscaled(
    reference: ArrayLike, generated: ArrayLike, *, replicas: int = REPLICAS, seed: int = 0
) -> Distance:
    """Measure the Wasserstein-1 distance in the unit of the values."""
    return wasserstein(reference, generated, scaled=False, replicas=replicas, seed=seed)


DISTANCES: Mapping[str, Callable[..., Distance]] = {
    "separation_power": separation_power,
    "separation_power_hgcal": separation_power_hgcal,
    "chi2_ndf": chi2_ndf,
    "kolmogorov_smirnov": kolmogorov_smirnov,
    "wasserstein": wasserstein,
    "wasserstein_unscaled": wasserstein_unscaled,
}


def _of_histograms(
    name: str, statistic: Statistic, samples: tuple[F64, F64], bins: int, replicas: int, seed: int
) -> Distance:
    """Measure a distance of all values in bins over the range of the reference; see `separation_power`."""
    ours, theirs = samples
    if refused := _refused(name, ours, theirs, n_generated=len(theirs)):
        return refused
    edges = reference_edges(ours, bins)
    counts = histogram(ours, edges), histogram(theirs, edges)
    return measure(name, counts, statistic, linear=False, replicas=replicas, seed=seed)


def _arrays(reference: ArrayLike, generated: ArrayLike) -> tuple[F64, F64]:
    return np.asarray(reference, np.float64).ravel(), np.asarray(generated, np.float64).ravel()


def _finite(reference: ArrayLike, generated: ArrayLike) -> tuple[F64, F64]:
    ours, theirs = _arrays(reference, generated)
    return ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]


def _refused(name: str, reference: F64, generated: F64, *, n_generated: int | None = None) -> Distance | None:
    """Say why two samples cannot be compared, if so; `n_generated` where those without a value count, too."""
    n_finite = int(np.isfinite(reference).sum()), int(np.isfinite(generated).sum())
    if few := too_few(name, n_finite[0], n_finite[1] if n_generated is None else n_generated):
        return few
    both = np.concatenate([reference, generated])
    if both.min() == both.max():
        return Distance.not_available(name, f"all values are {both[0]:g}, in both samples")
    return None
