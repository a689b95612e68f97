"""Correlations between features: how far apart the correlation matrices of two samples are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.resampling import REPLICAS, too_few
from hgcal_gnn.evaluation.two_samples import same_columns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, Array, Bools
    from hgcal_gnn.evaluation.features import FeatureTable

BLOCKS = 50  # groups of showers that are redrawn together: replicas then cost no pass over the showers
NAME = "correlation_difference"


class Moments(NamedTuple):
    """Sums over blocks of showers of standardised features.

    Attributes
    ----------
    number : float64 [n_blocks]
    first : float64 [n_blocks, d]
    second : float64 [n_blocks, d, d]
    """

    number: F64
    first: F64
    second: F64

    def correlation(self, weights: F64) -> F64:
        """Return the correlation matrix with the blocks weighted (float64 [n_blocks]), [d, d]; NaN where constant."""
        number = weights @ self.number
        mean = weights @ self.first / number
        covariance = np.tensordot(weights, self.second, axes=1) / number - np.outer(mean, mean)
        deviation = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
        deviation[deviation < 1e-6] = np.nan  # of the spread of the reference
        return np.asarray(covariance / np.outer(deviation, deviation))


def correlation_difference(
    reference: ArrayLike, generated: ArrayLike, *, replicas: int = REPLICAS, seed: int = 0
) -> Distance:
    """Measure the mean absolute difference of the correlation coefficients of all pairs of features, 0 to 2.

    A feature that does not exist (NaN) is taken at the mean of the reference; pairs with a feature that is constant
    in either sample are left out. Error: bootstrap over 50 blocks of showers; floor: halves of the blocks of the
    reference, brought to the sizes of the samples by the square root of 1/n + 1/m.

    Parameters
    ----------
    reference : float [n, d]
    generated : float [m, d]

    Raises
    ------
    InputError
        If the samples have different features.
    """
    ours, theirs = same_columns(reference, generated)
    if few := too_few(NAME, len(ours), len(theirs)):
        return few
    mean, deviation = _scale(ours)
    varied = np.isfinite(deviation)
    if varied.sum() < 2:
        return Distance.not_available(NAME, f"{varied.sum()} features vary in the reference, 2 make a pair")
    rng = np.random.default_rng(seed)
    samples = [_moments(values, varied, mean, deviation, rng) for values in (ours, theirs)]
    return _compare(samples[0], samples[1], replicas, rng)


def layer_correlations(
    reference: FeatureTable, generated: FeatureTable, *, replicas: int = REPLICAS, seed: int = 0
) -> Distance:
    """Measure the difference of the correlations between layers: of the shares of the energy in them."""
    layers = [i for i, group in enumerate(reference.groups) if group in ("layer_energy", "longitudinal")]
    if not layers or reference.names != generated.names:
        return Distance.not_available(NAME, "no energies of layers in the tables, or different features")
    return correlation_difference(
        reference.values[:, layers], generated.values[:, layers], replicas=replicas, seed=seed
    )


def _scale(values: Array) -> tuple[F64, F64]:
    """Return mean and standard deviation of the finite values of each feature; NaN where there is no spread."""
    fine = np.isfinite(values)
    number = np.maximum(fine.sum(axis=0), 1)
    mean = np.where(fine, values, 0.0).sum(axis=0, dtype=np.float64) / number
    square = np.where(fine, (values - mean) ** 2, 0.0).sum(axis=0, dtype=np.float64) / number
    deviation = np.sqrt(square)
    deviation[deviation <= 1e-6 * np.abs(mean)] = np.nan  # rounding of single precision
    deviation[deviation == 0] = np.nan
    return mean, deviation


def _moments(values: Array, varied: Bools, mean: F64, deviation: F64, rng: np.random.Generator) -> Moments:
    """Standardise features and sum them and their products by blocks of showers taken at random."""
    blocks = np.array_split(rng.permutation(len(values)), BLOCKS)
    number, first, second = [], [], []
    for rows in blocks:  # 50
        standard = (values[rows][:, varied] - mean[varied]) / deviation[varied]
        standard = np.where(np.isfinite(standard), standard, 0.0)
        number.append(float(len(rows)))
        first.append(standard.sum(axis=0))
        second.append(standard.T @ standard)
    return Moments(np.array(number), np.array(first), np.array(second))


def _compare(reference: Moments, generated: Moments, replicas: int, rng: np.random.Generator) -> Distance:
    def between(first: F64, second: F64) -> float:
        upper = np.triu_indices(len(first), 1)
        gaps = np.abs(first - second)[upper]
        return float(gaps[np.isfinite(gaps)].mean()) if np.isfinite(gaps).any() else np.nan

    ones = np.ones(BLOCKS)
    value = between(reference.correlation(ones), generated.correlation(ones))
    if not np.isfinite(value):
        return Distance.not_available(NAME, "no two features vary in both samples")
    half = (np.arange(BLOCKS) < BLOCKS // 2).astype(np.float64)
    chance, drawn = np.empty(replicas), np.empty(replicas)
    for i in range(replicas):
        mask = rng.permutation(half)
        chance[i] = between(reference.correlation(mask), reference.correlation(1 - mask))
        weights = rng.multinomial(BLOCKS, ones / BLOCKS, size=2).astype(np.float64)
        drawn[i] = between(reference.correlation(weights[0]), generated.correlation(weights[1]))
    n, m = reference.number.sum(), generated.number.sum()
    scale = ((1 / n + 1 / m) / (4 / n)) ** 0.5
    floor, floor_error = scale * np.nanmean(chance), scale * np.nanstd(chance, ddof=1)
    return Distance(NAME, value, float(np.nanstd(drawn, ddof=1)), float(floor), float(floor_error))
