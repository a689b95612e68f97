"""Kernel physics distance: maximum mean discrepancy of many features between two samples of showers.

Definition: R. Kansal et al., Phys. Rev. D 107 (2023) 076017 (arXiv:2211.10295), sections III B and IV: polynomial
kernel of degree 4, median over batches, with the defaults of its code (JetNet 0.2.5, ``gen_metrics.kpd``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.trimming import trimmed
from hgcal_gnn.evaluation.two_samples import TwoSamples

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hgcal_gnn.arrays import F64, Array

DEGREE = 4  # of the kernel
BLOCK = 1024  # rows of the kernel matrix held at a time
SEED_STEP = 1000  # between the seeds of batches, as published


def kernel_mmd(one: Array, two: Array, *, degree: int = DEGREE) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy (may be negative).

    Mean kernel within each sample, without the diagonal, minus twice the mean kernel between them, for
    k(x, y) = (x y / n_features + 1)^degree (A. Gretton et al., J. Mach. Learn. Res. 13 (2012) 723, equation 3).

    Parameters
    ----------
    one, two : float [n, n_features], [m, n_features]
    """
    of_one, of_two = witness(np.asarray(one, np.float64), np.asarray(two, np.float64), degree)
    return float(of_one.mean() - of_two.mean())


def witness(x: F64, y: F64, degree: int = DEGREE) -> tuple[F64, F64]:
    """Return the mean kernel with sample x minus the one with sample y, of every shower of each sample.

    A shower is not compared with itself. The discrepancy is the mean over x minus the mean over y, and to first order
    each shower adds twice its number to it.

    Returns
    -------
    of_x : float64 [n]
    of_y : float64 [m]
    """
    own_x, own_y = (_kernel(np.einsum("ij,ij->i", part, part), part.shape[1], degree) for part in (x, y))
    with_x, with_y = (_own_sums(part, degree) for part in (x, y))
    across, back = _kernel_sums(x, y, degree)
    n, m = len(x), len(y)
    return (with_x - own_x) / (n - 1) - across / m, back / n - (with_y - own_y) / (m - 1)


def kernel_physics_distance(
    reference: Array,
    generated: Array,
    *,
    batches: int = 10,
    batch_size: int = 5_000,
    trim: float = 0.0,
    seed: int = 42,
    progress: Callable[[int], Any] | None = None,
) -> Distance:
    """Compare all moments of the features up to the fourth; about 0 for equal samples.

    Parameters
    ----------
    reference : float [n, n_features]
    generated : float [m, n_features]
        The features of each shower, divided by the largest absolute value of the reference; NaN counts as 0.
    batches, batch_size
        Batches drawn with replacement, showers of each sample in them.
    trim
        Share of the showers of each sample that is left out first, see `trimming.trimmed`.
    seed
        42 draws what the published code draws on one thread.
    progress
        Called with 1 after each batch, ``3 * batches`` times.

    Returns
    -------
    Distance
        Median over the batches. The floor is that of halves of the reference, each two batches from another halving,
        scaled to the sizes of the samples; its error holds the scatter of batches and of halvings. The error of the
        value has the chance differences of samples of these sizes besides, to first order. (The published error is the
        spread of single batches, about 2.5 times the one of the median of ten.)

    Raises
    ------
    InputError
        See `TwoSamples.of`.
    UsageError
        For batches without sense.
    """
    if batches < 2 or batch_size < 2:
        msg = f"{batches} batches of {batch_size} showers have no median and no spread; give at least 2 of each"
        raise UsageError(msg)
    samples = TwoSamples.of(reference, generated)
    if trim:
        samples = trimmed(samples, trim)
    told = progress or (lambda _: None)

    def drawn(number: int, pair: TwoSamples) -> tuple[float, float]:
        told(1)
        return _batch(pair, samples.scale, batch_size, np.random.default_rng(seed + number * SEED_STEP))

    values, variance = np.array([drawn(number, samples) for number in range(batches)]).T  # [batches] each
    chance = np.array(
        [
            (drawn(2 * number, halves), drawn(2 * number + 1, halves))
            for number, halves in enumerate(samples.halves(batches, seed))
        ]
    )  # [batches, 2, discrepancy and variance]
    scatter, floors = _scatter(chance[..., 0], batches, samples.shrinkage), chance[..., 0]
    noise = float(np.median(chance[..., 1])) * samples.shrinkage
    skewness = float(floors.mean() - np.median(floors))  # of batches, whatever the sizes of the samples
    return Distance(
        name="kernel_physics_distance" + ("_trimmed" if trim else ""),
        value=float(np.median(values)),
        error=float(np.sqrt(max(float(np.median(variance)) - noise, 0.0) + scatter)),
        floor=float(floors.mean()) * samples.shrinkage - skewness,
        floor_error=float(np.sqrt(scatter)),
    )


def _scatter(floors: F64, batches: int, shrinkage: float) -> float:
    """Return the variance of the median of some batches of equal samples.

    Parameters
    ----------
    floors : float64 [n_halvings, 2]
        Discrepancy of two batches of each halving.
    """
    within = float(floors.var(axis=1, ddof=1).mean())
    between = max(float(floors.mean(axis=1).var(ddof=1)) - within / 2, 0.0)
    return np.pi / 2 * within / batches + between * shrinkage**2


def _batch(samples: TwoSamples, scale: F64, size: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the discrepancy of one batch, and its variance since the samples are finite."""
    one, two = (
        values[rng.choice(len(values), size=size)].astype(np.float64) / scale
        for values in (samples.reference, samples.generated)
    )
    of_one, of_two = witness(one, two)
    variance = 4 * (of_one.var() / len(samples.reference) + of_two.var() / len(samples.generated))
    return float(of_one.mean() - of_two.mean()), float(variance)


def _kernel_sums(x: F64, y: F64, degree: int) -> tuple[F64, F64]:
    """Sum the kernel over all y for each x, and over all x for each y; a block of rows at a time."""
    of_x, of_y = np.zeros(len(x)), np.zeros(len(y))
    for start in range(0, len(x), BLOCK):
        block = slice(start, start + BLOCK)
        _add_kernel(x[block] @ y.T, x.shape[1], degree, of_x[block], of_y)
    return of_x, of_y


def _own_sums(x: F64, degree: int) -> F64:
    """Sum the kernel over all x for each x; blocks on one side of the diagonal stand for those on the other."""
    sums, unused = np.zeros(len(x)), np.zeros(len(x))
    for start in range(0, len(x), BLOCK):
        block, rest = slice(start, start + BLOCK), slice(start + BLOCK, None)
        _add_kernel(x[block] @ x[block].T, x.shape[1], degree, sums[block], unused[block])
        _add_kernel(x[block] @ x[rest].T, x.shape[1], degree, sums[block], sums[rest])
    return sums


@njit(cache=True, fastmath={"reassoc"})
def _add_kernel(product: F64, n_features: int, degree: int, of_rows: F64, of_columns: F64) -> None:
    """Add the kernel of a matrix of products to the sums over its rows and over its columns."""
    for row in range(product.shape[0]):
        total = 0.0
        for column in range(product.shape[1]):
            value = product[row, column] / n_features + 1.0
            square = value * value
            power = square * square if degree == DEGREE else value**degree  # a general power is far slower
            total += power
            of_columns[column] += power
        of_rows[row] += total


def _kernel(product: F64, n_features: int, degree: int) -> F64:
    power: F64 = (product / n_features + 1.0) ** degree
    return power
