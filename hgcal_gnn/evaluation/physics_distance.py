"""Frechet physics distance: how far mean and covariance of many features differ between two samples of showers.

Definition and numbers of draws: R. Kansal et al., Phys. Rev. D 107 (2023) 076017 (arXiv:2211.10295), sections III B and
IV, with the defaults of its code (JetNet 0.2.5, ``gen_metrics.fpd``), so that values compare with published tables.

What is found this way
----------------------
The distance is extrapolated to infinite batches, but the batches are drawn with replacement from samples of finite
size. The extrapolation therefore ends at the plain distance of the two samples as they are, whose chance differences
go as 1/n + 1/m: this is the floor, and ``value - floor`` is what the generator is to blame for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.trimming import trimmed
from hgcal_gnn.evaluation.two_samples import TwoSamples

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hgcal_gnn.arrays import F64, I64, Array

CHUNK = 8192  # showers whose moments are summed at a time
SPLITS = 10  # of the reference into halves, for the floor


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of the features of a sample.

    Attributes
    ----------
    mean : float64 [n_features]
    covariance : float64 [n_features, n_features]
        Of N - 1 degrees of freedom.
    """

    mean: F64
    covariance: F64

    @classmethod
    def of(cls, values: Array, scale: F64, *, counts: I64 | None = None) -> Moments:
        """Compute them of ``values / scale``, chunk by chunk.

        Parameters
        ----------
        values : float [n, n_features]
        scale : float64 [n_features]
        counts : int64 [n]
            How often each shower was drawn; None: once.
        """
        rows = np.arange(len(values)) if counts is None else np.flatnonzero(counts)
        origin = values[rows[0]].astype(np.float64)  # sums of squares stay exact around it
        total, square, drawn = np.zeros_like(origin), np.zeros((len(origin), len(origin))), 0.0
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK]
            weight = np.ones(len(some)) if counts is None else counts[some].astype(np.float64)
            part = (values[some] - origin) / scale
            drawn += weight.sum()
            total += weight @ part
            part *= np.sqrt(weight)[:, None]
            square += part.T @ part
        mean = total / drawn
        covariance = (square - drawn * np.outer(mean, mean)) / (drawn - 1)
        return cls(mean + origin / scale, covariance)


def frechet_distance(mean_1: F64, covariance_1: F64, mean_2: F64, covariance_2: F64) -> float:
    """Return the squared 2-Wasserstein distance of two normal distributions.

    |mean_1 - mean_2|^2 + Tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2)) (D. C. Dowson, B. V. Landau, J. Multivariate Anal. 12 (1982)
    450). With C_i = R_i R_i^T the trace of the root is the sum of the singular values of R_1^T R_2, which exists for
    singular covariances (constant features) too and is never complex.
    """
    shift = np.atleast_1d(mean_1) - np.atleast_1d(mean_2)
    covariance_1, covariance_2 = np.atleast_2d(covariance_1), np.atleast_2d(covariance_2)
    overlap = np.linalg.svd(_root(covariance_1).T @ _root(covariance_2), compute_uv=False).sum()
    return float(shift @ shift + np.trace(covariance_1) + np.trace(covariance_2) - 2 * overlap)


def frechet_physics_distance(
    reference: Array,
    generated: Array,
    *,
    min_samples: int = 20_000,
    max_samples: int = 50_000,
    points: int = 10,
    batches: int = 20,
    trim: float = 0.0,
    splits: int = SPLITS,
    seed: int = 42,
    progress: Callable[[int], Any] | None = None,
) -> Distance:
    """Compare mean and covariance of all features; 0 for equal samples, in units of the largest reference values.

    Parameters
    ----------
    reference : float [n, n_features]
    generated : float [m, n_features]
        The features of each shower; NaN (not available) counts as 0.
    min_samples, max_samples, points
        Batch sizes, evenly spaced in 1/N. The CMS HGCal CaloChallenge takes 200,000 at most.
    batches
        Batches of each size.
    trim
        Share of the showers of each sample that is left out: those farthest from the reference (`trimming.trimmed`).
        A handful of diverged showers then no longer makes the distance. 0 is the published definition.
    splits
        Random halvings of the reference the floor is found with.
    seed
        42 draws what the published code draws.
    progress
        Called with 1 after each batch, ``points * batches`` times.

    Returns
    -------
    Distance
        The error joins that of the extrapolation (the only one that is published) with the chance differences of
        samples of these sizes. The floor is the mean over halves of the reference, scaled to the sizes of the samples;
        its error joins their spread with the noise of the batches.

    Raises
    ------
    InputError
        See `TwoSamples.of`.
    UsageError
        For numbers of draws without sense.
    """
    _check_draws(min_samples, max_samples, points, batches)
    samples = TwoSamples.of(reference, generated)
    if trim:
        samples = trimmed(samples, trim)
    sizes = (1 / np.linspace(1 / min_samples, 1 / max_samples, points)).astype(np.int64)
    values = _batch_means(samples, sizes, batches, np.random.default_rng(seed), progress)
    value, fit_error = extrapolate(sizes, values)
    chance = np.array(
        [(_plain(halves, samples.scale), _influence(halves, samples.scale)) for halves in samples.halves(splits, seed)]
    )  # [splits, distance and variance]
    floor = chance[:, 0] * samples.shrinkage
    noise = float(chance[:, 1].mean()) * samples.shrinkage**2
    scatter = float(floor.var(ddof=1))
    return Distance(
        name="frechet_physics_distance" + ("_trimmed" if trim else ""),
        value=value,
        error=float(np.sqrt(max(_influence(samples, samples.scale) - noise, 0.0) + scatter + fit_error**2)),
        floor=float(floor.mean()),
        floor_error=float(np.sqrt(scatter + _drawing_variance(samples, scatter, sizes, batches))),
    )


def extrapolate(sizes: I64, values: F64) -> tuple[float, float]:
    """Fit ``value + slope / N`` with both at least 0 and return the value at infinite N and its error.

    Parameters
    ----------
    sizes : int64 [n_points]
        Batch sizes N.
    values : float64 [n_points]
        Mean over the batches of each size.

    Returns
    -------
    value, error
        The error follows from the scatter around the line.
    """
    design = np.stack([np.ones(len(sizes)), 1 / sizes], axis=1)
    width = np.array([1.0, 1 / sizes.min()])  # columns of order 1
    found, residual = nnls(design / width, values)
    variance = residual**2 / (len(sizes) - 2)
    error = np.sqrt(variance * np.linalg.inv((design / width).T @ (design / width))[0, 0])
    return float(found[0]), float(error)


def _influence(samples: TwoSamples, scale: F64) -> float:
    """Return the variance of the plain distance since the samples are finite, to first order.

    A shower x of sample 1 adds 2 (mean_1 - mean_2) (x - mean_1) + (x - mean_1)^T (1 - T) (x - mean_1) to the distance,
    where T is the linear map that carries the covariance of sample 1 into that of sample 2: the derivative of the
    distance with respect to mean and covariance. The variance of this over the sample, divided by its size, is the
    sample's share. It would vanish for equal distributions, but for the noise of the derivative.
    """
    one, two = Moments.of(samples.reference, scale), Moments.of(samples.generated, scale)
    variance = _influence_variance(samples.reference, scale, one, two) / len(samples.reference)
    return variance + _influence_variance(samples.generated, scale, two, one) / len(samples.generated)


def _influence_variance(values: Array, scale: F64, own: Moments, other: Moments) -> float:
    gradient = np.eye(len(own.mean)) - _transport(own.covariance, other.covariance)
    shift = 2 * (own.mean - other.mean)
    added = np.empty(len(values))
    for start in range(0, len(values), CHUNK):
        part = values[start : start + CHUNK] / scale - own.mean
        added[start : start + CHUNK] = part @ shift + np.einsum("ij,ij->i", part @ gradient, part)
    return float(added.var())


def _transport(own: F64, other: F64) -> F64:
    """Return the symmetric T with T own T = other; directions without spread in `own` are left alone (1).

    With own = R R^T and the singular values of other's root S^T R = U s V^T: T = R^-T V s V^T R^-1.
    """
    values, vectors = np.linalg.eigh(own)
    there = values > 1e-10 * values.max()
    root = vectors[:, there] * np.sqrt(values[there])
    inverse = vectors[:, there] / np.sqrt(values[there])  # R^-T
    _, overlap, directions = np.linalg.svd(_root(other).T @ root, full_matrices=False)
    middle = (directions.T * overlap) @ directions
    blind = vectors[:, ~there]
    carried: F64 = inverse @ middle @ inverse.T + blind @ blind.T
    return carried


def _root(covariance: F64) -> F64:
    """Return R with R R^T = covariance; rounding below 0 is cut off."""
    values, vectors = np.linalg.eigh(covariance)
    root: F64 = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def _batch_means(
    samples: TwoSamples,
    sizes: I64,
    batches: int,
    rng: np.random.Generator,
    progress: Callable[[int], Any] | None,
) -> F64:
    """Return the mean distance of batches of each size, float64 [n_sizes]."""
    scale = samples.scale
    means = np.zeros(len(sizes))
    for point, size in enumerate(sizes.tolist()):
        for _ in range(batches):
            one, two = (
                Moments.of(values, scale, counts=np.bincount(rng.choice(len(values), size=size), minlength=len(values)))
                for values in (samples.reference, samples.generated)
            )
            means[point] += frechet_distance(one.mean, one.covariance, two.mean, two.covariance) / batches
            if progress is not None:
                progress(1)
    return means


def _drawing_variance(samples: TwoSamples, scatter: float, sizes: I64, batches: int) -> float:
    """Return the variance of the extrapolated distance of equal samples since it rests on few batches.

    The distance is quadratic in the chance difference of the samples, of size a = 1/n + 1/m, and that of the batches
    from them, of size b = 2/N; its variance is `scatter` = V a^2 for whole samples, so V (b^2 + 2 a b) for batches.
    """
    a, b = 1 / len(samples.reference) + 1 / len(samples.generated), 2 / sizes
    of_means = scatter * (b**2 + 2 * a * b) / a**2 / batches
    intercept = np.linalg.pinv(np.stack([np.ones(len(sizes)), sizes.min() / sizes], axis=1))[0]
    return float(intercept**2 @ of_means)


def _plain(samples: TwoSamples, scale: F64) -> float:
    one, two = Moments.of(samples.reference, scale), Moments.of(samples.generated, scale)
    return frechet_distance(one.mean, one.covariance, two.mean, two.covariance)


def _check_draws(min_samples: int, max_samples: int, points: int, batches: int) -> None:
    if not 1 < min_samples < max_samples or points < 3 or batches < 1:
        msg = (
            f"cannot extrapolate from {points} batch sizes between {min_samples} and {max_samples}, {batches} batches "
            "each: give min_samples < max_samples, at least 3 points and 1 batch"
        )
        raise UsageError(msg)
