"""What chance does to a distance between binned samples: its error and its floor, from counts alone.

*Error.* Bootstrap: a sample drawn with replacement from n showers has multinomial counts, so the replicas of a
histogram need no shower. For a distance that grows with the square of the differences, replicas scatter around the
observed differences, which already hold the chance of one drawing; near the floor their variance is that of the
distance plus twice that of the floor, which is taken off again. For one that grows with the differences themselves
the plain spread is given, near the floor about a quarter too much.

*Floor.* The reference is split at random into halves, without replacement: two independent samples of the reference
kind and of n/2 showers, with multivariate hypergeometric counts. The mean of their distance is without bias for
that size; it is brought to the sizes n and m by the law every distance here follows between equal populations, a
power of 1/n + 1/m.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.distance import Distance

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    from hgcal_gnn.arrays import F64, I64

    Counts: TypeAlias = NDArray[Any]  # [..., n_bins]; negative at times in the normal approximation
    Statistic: TypeAlias = Callable[[Counts, Counts], F64]

REPLICAS = 100
FEWEST = 100  # finite values of each sample, with fewer nothing is measured
MANY = 1000  # showers from which on sums of counts are as good as normal
SQUARE, LINEAR, FREE = 1.0, 0.5, 0.0  # powers of 1/n + 1/m


def measure(
    name: str,
    counts: tuple[I64, I64],
    statistic: Statistic,
    *,
    power: float,
    value: float | None = None,
    beyond: float = 0.0,
    replicas: int = REPLICAS,
    seed: int = 0,
) -> Distance:
    """Measure a distance between binned samples with its error and its floor.

    Parameters
    ----------
    counts : (int64 [n_bins], int64 [n_bins])
        Of the reference and the generated sample.
    statistic
        Gives the distance of counts [..., n_bins]: float64 [...].
    power
        The power of (1/n + 1/m) that the distance of equal populations follows: SQUARE, LINEAR or FREE.
    value
        The distance, where it is known better than from the counts.
    beyond
        Added to the floor: what the halves of the reference cannot show.
    """
    rng = np.random.default_rng(seed)
    reference, generated = counts
    n, m = int(reference.sum()), int(generated.sum())
    smooth = power == LINEAR and min(n, m) >= MANY
    first, second = halves(reference, replicas, rng, smooth=smooth)
    scale = ((1 / n + 1 / m) / (1 / (n // 2) + 1 / (n - n // 2))) ** power
    chance = scale * statistic(first, second)
    drawn = statistic(
        redrawn(reference, replicas, rng, smooth=smooth), redrawn(generated, replicas, rng, smooth=smooth)
    )
    error, floor_error = quadratic(drawn, chance)
    if power == LINEAR:
        error = float(np.std(drawn, ddof=1))
    return Distance(
        name,
        value=float(statistic(reference, generated)) if value is None else value,
        error=error,
        floor=float(chance.mean()) + beyond,
        floor_error=floor_error,
    )


def quadratic(drawn: F64, chance: F64) -> tuple[float, float]:
    """Return error and floor error of a distance of squares, from bootstrap and floor replicas (float64 [replicas])."""
    floor_variance = float(np.var(chance, ddof=1))
    variance = float(np.var(drawn, ddof=1)) - 2 * floor_variance
    return max(variance, floor_variance) ** 0.5, floor_variance**0.5


def halves(counts: I64, replicas: int, rng: np.random.Generator, *, smooth: bool = False) -> tuple[Counts, Counts]:
    """Split a binned sample at random into halves, several times; two arrays [replicas, n_bins].

    Parameters
    ----------
    smooth
        Normal numbers with the same means and covariances, much faster with many bins.
    """
    first: Counts
    if smooth:
        first = (counts + _noise(counts, replicas, rng)) / 2
    else:
        first = rng.multivariate_hypergeometric(counts, int(counts.sum()) // 2, size=replicas, method="marginals")
    return first, counts - first


def redrawn(counts: I64, replicas: int, rng: np.random.Generator, *, smooth: bool = False) -> Counts:
    """Draw as many showers as there are, with replacement, several times; [replicas, n_bins]. `smooth` as above."""
    if smooth:
        return np.asarray(counts + _noise(counts, replicas, rng))
    total = int(counts.sum())
    return rng.multinomial(total, counts / total, size=replicas)


def _noise(counts: I64, replicas: int, rng: np.random.Generator) -> F64:
    """Draw differences from `counts` with the covariance of a multinomial distribution; each row sums to 0."""
    noise = np.sqrt(counts) * rng.standard_normal((replicas, len(counts)))
    return np.asarray(noise - counts / counts.sum() * noise.sum(axis=1, keepdims=True))


def too_few(name: str, reference: int, generated: int) -> Distance | None:
    """Say that there are too few usable showers, if so."""
    if min(reference, generated) >= FEWEST:
        return None
    return Distance.not_available(
        name, f"{reference} reference and {generated} generated showers with a finite value; each needs {FEWEST}"
    )
