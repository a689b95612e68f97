"""Histograms in which two samples are compared: bins over the range of the reference, everything else counted too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.arrays import F64, I64, Array

BINS = 49  # of the HGCal CaloChallenge: 50 edges over the range of the reference
MARGIN = 1e-8  # by which its range is wider than the reference
WIDEST = 50  # steps an integer range is cut into at most, there


def reference_edges(reference: Array, bins: int = BINS) -> F64:
    """Return edges of equally wide bins from the smallest to the largest finite reference value, float64 [bins + 1].

    A constant reference gets one range around it, wide enough for single precision.
    """
    finite = np.asarray(reference, np.float64)[np.isfinite(reference)]
    low, high = float(finite.min()), float(finite.max())
    margin = 0.0 if high > low else max(abs(high) * 1e-6, MARGIN)
    return np.linspace(low - margin, high + margin, bins + 1)


def published_edges(reference: Array, *, occupancy: bool = False) -> F64:
    """Return the edges of the HGCal CaloChallenge (OzAmram/CMSHGCaloChallenge, plotting_utils.make_hist).

    Parameters
    ----------
    reference : float [n]
        Finite.
    occupancy
        Numbers of hits: bins as wide as a whole number, which is 1 up to a range of 50.
    """
    low, high = float(np.min(reference)) - MARGIN, float(np.max(reference)) + MARGIN
    if not occupancy:
        return np.linspace(low, high, BINS + 1)
    step = max(float(np.ceil((high - low) / WIDEST)), 1.0)
    edges = np.arange(low, high + step, step)
    return edges if len(edges) > 1 else np.linspace(low, low + step, 3)


def histogram(values: Array, edges: F64) -> I64:
    """Count all values, int64 [n_bins + 3]: below, in the bins (the last one holds its upper edge), above, NaN."""
    numbers = np.asarray(values, np.float64)
    n_bins = len(edges) - 1
    place = np.searchsorted(edges, numbers, side="right")
    place[numbers == edges[-1]] = n_bins
    place[np.isnan(numbers)] = n_bins + 2
    return np.bincount(place, minlength=n_bins + 3)


def separation(reference: NDArray[np.generic], generated: NDArray[np.generic]) -> F64:
    """Return the separation power of counts [..., n_bins]: half the sum of (p - q)^2 / (p + q), in 0 to 1.

    Triangular discrimination, equation 15 of arXiv:2009.03796.
    """
    p, q = _shares(reference), _shares(generated)
    return np.asarray(0.5 * _ratio((p - q) ** 2, p + q).sum(axis=-1))


def chi2_terms(reference: NDArray[np.generic], generated: NDArray[np.generic]) -> tuple[F64, I64]:
    """Return chi2 and ndf of counts [..., n_bins] for one shape behind both; ndf = bins with entries - 1.

    The test of homogeneity of two histograms with different totals (N. Gagunashvili, physics/0605123).
    """
    r, g = np.asarray(reference, np.float64), np.asarray(generated, np.float64)
    n, m = r.sum(axis=-1, keepdims=True), g.sum(axis=-1, keepdims=True)
    chi2 = (_ratio((m * r - n * g) ** 2, r + g) / (n * m)).sum(axis=-1)
    return np.asarray(chi2), np.asarray((r + g > 0).sum(axis=-1) - 1)


def chi2_per_ndf(reference: NDArray[np.generic], generated: NDArray[np.generic]) -> F64:
    """Return chi2 / ndf (see `chi2_terms`), float64 [...]."""
    chi2, ndf = chi2_terms(reference, generated)
    return np.asarray(chi2 / np.maximum(ndf, 1))


def _shares(counts: NDArray[np.generic]) -> F64:
    numbers = np.asarray(counts, np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(numbers / numbers.sum(axis=-1, keepdims=True))


def _ratio(above: F64, below: F64) -> F64:
    """Divide, where both may be 0: 0 then."""
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)
