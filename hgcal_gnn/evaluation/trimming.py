"""Leaving out the showers that lie farthest from the reference, so that a few outliers do not make a distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.two_samples import TwoSamples

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, Array, Bools

CHUNK = 8192  # showers whose distances are computed at a time
SMALLEST = 1e-6  # eigenvalue of the correlation matrix; directions with less spread say nothing of their own


def trimmed(samples: TwoSamples, share: float) -> TwoSamples:
    """Leave out the same share of both samples: the showers of largest Mahalanobis distance to the reference.

    The reference alone says what is far: first by median and central 68 % of each feature, then by mean and covariance
    of the showers kept. Since each sample loses the same share, a generator cannot hide many wrong showers.

    Parameters
    ----------
    share
        0 <= share < 0.5

    Raises
    ------
    UsageError
        For other shares.
    """
    if not 0 <= share < 0.5:
        msg = f"the share of showers to leave out must lie in [0, 0.5), got {share}"
        raise UsageError(msg)
    median, width = _spread(samples.reference)
    near = _nearest(mahalanobis(samples.reference, median, width, np.eye(samples.n_features)), share)
    core = samples.reference[near]
    correlation = np.atleast_2d(np.cov((core - median) / width, rowvar=False))
    centre = core.mean(axis=0, dtype=np.float64)
    kept = [
        values[_nearest(mahalanobis(values, centre, width, correlation), share)]
        for values in (samples.reference, samples.generated)
    ]
    return TwoSamples(*kept)


def mahalanobis(values: Array, centre: F64, width: F64, covariance: F64) -> F64:
    """Return the squared distance of each shower, (x - centre)^T C^-1 (x - centre), x in units of `width`.

    Parameters
    ----------
    values : float [n, n_features]
    centre, width : float64 [n_features]
    covariance : float64 [n_features, n_features]
        In units of `width`; directions without spread (`SMALLEST` of the largest) are taken with that spread, so that
        showers outside the reference's subspace are far.
    """
    spreads, vectors = np.linalg.eigh(covariance)
    whiten = vectors / np.sqrt(np.maximum(spreads, SMALLEST * max(float(spreads.max()), SMALLEST)))
    distance = np.empty(len(values))
    for start in range(0, len(values), CHUNK):
        part = ((values[start : start + CHUNK] - centre) / width) @ whiten
        distance[start : start + CHUNK] = np.einsum("ij,ij->i", part, part)
    return distance


def _spread(values: Array) -> tuple[F64, F64]:
    """Return median and half the central 68 % of each feature; where that is 0 the standard deviation, else 1."""
    low, median, high = np.quantile(values, [0.16, 0.5, 0.84], axis=0)
    width = (high - low) / 2
    width = np.where(width > 0, width, values.std(axis=0, dtype=np.float64))
    return median.astype(np.float64), np.where(width > 0, width, 1.0)


def _nearest(distance: F64, share: float) -> Bools:
    """Say which showers are kept when the `share` of largest distances goes."""
    keep = np.ones(len(distance), dtype=np.bool_)
    n_out = int(share * len(distance))
    if n_out:
        keep[np.argpartition(distance, -n_out)[-n_out:]] = False
    return keep
