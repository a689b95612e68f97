"""Correlation of hit pairs: the two-point energy correlator of a calorimeter shower.

As the energy correlators of jets (P. Komiske et al., arXiv:2201.07800), with distances in space [cm] instead of angles:
of all pairs of different hits, E_i E_j / (sum of E)^2 by the distance of the cells. Generators that place energy
well on average, but hits independently of each other, fail here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.resampling import too_few

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import F32, F64, I32, I64
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers

EDGES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0, 150.0, np.inf)  # cm
NAME = "pair_correlation"


@dataclass(frozen=True, eq=False)
class PairCorrelation:
    """Mean correlators of two samples.

    Attributes
    ----------
    edges : float64 [n_bins + 1]
        Of the distance [cm].
    reference, reference_error, generated, generated_error : float64 [n_bins]
        Means over the showers and their errors.
    distance
        Difference of the means squared over its covariance matrix, per bin: 1 +- sqrt(2 / n_bins) for equal samples.
    """

    edges: F64
    reference: F64
    reference_error: F64
    generated: F64
    generated_error: F64
    distance: Distance


def pair_correlation(showers: Showers, numbers: CellNumbers, edges: Sequence[float] = EDGES) -> F64:
    """Return the correlator of each shower, float64 [n_showers, n_bins].

    Energies are calibrated. Each shower's bins sum to 1 - sum of E^2 / (sum of E)^2, less pairs out of the edges;
    showers with fewer than two hits give 0. The time grows as the square of the hits.

    Raises
    ------
    InputError
        If the edges are not ascending from 0 or more.
    """
    limits = np.asarray(edges, np.float64)
    if len(limits) < 2 or limits[0] < 0 or not (np.diff(limits) > 0).all():
        msg = f"edges of distances {list(edges)}: give two or more ascending distances in cm, from 0"
        raise InputError(msg)
    return _pairs(showers.offsets, showers.cell, showers.energy, numbers.place, numbers.weight, limits**2)


def compare_pairs(reference: F64, generated: F64, edges: Sequence[float] = EDGES) -> PairCorrelation:
    """Compare correlators of two samples (float64 [n_showers, n_bins] each)."""
    ours, theirs = (sample[np.isfinite(sample).all(axis=1)] for sample in (reference, generated))
    if few := too_few(NAME, len(ours), len(theirs)):
        unknown = np.full(reference.shape[1], np.nan)
        return PairCorrelation(np.asarray(edges, np.float64), unknown, unknown, unknown, unknown, few)
    means = ours.mean(axis=0), theirs.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(sample, rowvar=False)) / len(sample) for sample in (ours, theirs)]
    errors = [np.sqrt(np.diagonal(covariance)) for covariance in covariances]
    distance = _distance(means[1] - means[0], covariances[0] + covariances[1])
    return PairCorrelation(np.asarray(edges, np.float64), means[0], errors[0], means[1], errors[1], distance)


def _distance(difference: F64, covariance: F64) -> Distance:
    deviation = np.sqrt(np.diagonal(covariance))
    varied = deviation > 1e-12
    if not varied.any():
        return Distance.not_available(NAME, "no pairs of hits")
    correlation = covariance[np.ix_(varied, varied)] / np.outer(deviation[varied], deviation[varied])
    pulls = difference[varied] / deviation[varied]
    values, vectors = np.linalg.eigh(correlation)
    strong = values > 1e-6 * values.max()  # bins that follow from the others add nothing
    freedom = int(strong.sum())
    square = float((((pulls @ vectors)[strong] ** 2) / values[strong]).sum())
    # chi2 of a difference known to one standard deviation each: noncentral, variance 2 (k + 2 lambda)
    error = (2 * (freedom + 2 * max(square - freedom, 0.0))) ** 0.5 / freedom
    return Distance(NAME, square / freedom, error, 1.0, (2 / freedom) ** 0.5)


@njit(cache=True, parallel=True)
def _pairs(offsets: I64, cell: I32, deposit: F32, place: F32, weight: F32, squares: F64) -> F64:
    n_bins = len(squares) - 1
    found = np.zeros((len(offsets) - 1, n_bins))
    for shower in prange(len(offsets) - 1):
        start, stop = offsets[shower], offsets[shower + 1]
        total = 0.0
        for i in range(start, stop):
            energy = np.float64(deposit[i]) * weight[cell[i]]
            total += energy
            x, y, z = place[cell[i], 0], place[cell[i], 1], place[cell[i], 2]
            for j in range(start, i):
                dx, dy, dz = place[cell[j], 0] - x, place[cell[j], 1] - y, place[cell[j], 2] - z
                square = dx * dx + dy * dy + dz * dz
                if square < squares[0]:
                    continue
                k = 0
                while k < n_bins and square >= squares[k + 1]:
                    k += 1
                if k < n_bins:
                    found[shower, k] += 2 * energy * deposit[j] * weight[cell[j]]
        if total > 0:
            for k in range(n_bins):
                found[shower, k] /= total * total
    return found
