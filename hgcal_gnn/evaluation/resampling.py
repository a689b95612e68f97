"""What chance does to a distance between binned samples: its error and its floor, from counts alone.

*Error.* Bootstrap: a sample drawn with replacement from n showers has multinomial counts, so the replicas of a
histogram need no shower. For a distance that grows with the square of the differences, replicas scatter around the
observed differences, which already hold the chance of one drawing; near the floor their variance is that of the
distance plus twice that of the floor, which is taken off again. For one that grows with the differences themselves
the plain spread is given, near the floor about a quarter too much.

*Floor.* What two samples of one kind, of the sizes n and m, give.

- Histograms: all showers of both samples are dealt out again at random, n and m of them (multivariate
  hypergeometric counts). Were both of one kind, this is exact for any sizes, also where bins hold one shower or none
  and where a sample reaches beyond the other; parts of the reference alone miss the bins that only a larger sample
  fills. Where the samples differ, the bins of the generated one count too, which changes it little.
- Cumulative distributions, which know no bins but whose floor grows with the width of the distribution: random halves
  of the reference, brought to the sizes n and m by the square root of 1/n + 1/m. Halves lack what lies beyond their
  sample: at 600 showers a Wasserstein floor is some 4 % (an eighth of its spread) too low, at 1,000 1 %.
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
ROUNDING = 1e-9  # relative spread that is none
MANY = 1000  # showers from which on sums of counts are as good as normal


def measure(
    name: str,
    counts: tuple[I64, I64],
    statistic: Statistic,
    *,
    linear: bool,
    value: float | None = None,
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
    linear
        Whether it grows with the differences of cumulative distributions, not with the squares of those of bins.
    value
        The distance, where it is known better than from the counts.
    """
    rng = np.random.default_rng(seed)
    reference, generated = counts
    n, m = int(reference.sum()), int(generated.sum())
    smooth = linear and min(n, m) >= MANY
    if linear:
        scale = ((1 / n + 1 / m) / (1 / (n // 2) + 1 / (n - n // 2))) ** 0.5
        chance = scale * statistic(*halves(reference, replicas, rng, smooth=smooth))
    else:
        chance = statistic(*dealt(reference, generated, replicas, rng))
    drawn = statistic(
        redrawn(reference, replicas, rng, smooth=smooth), redrawn(generated, replicas, rng, smooth=smooth)
    )
    error, floor_error = quadratic(drawn, chance)
    if linear:
        error = float(np.std(drawn, ddof=1))
    return Distance(
        name,
        value=float(statistic(reference, generated)) if value is None else value,
        error=error,
        floor=float(chance.mean()),
        floor_error=floor_error,
    )


def quadratic(drawn: F64, chance: F64) -> tuple[float, float]:
    """Return error and floor error of a distance of squares, from bootstrap and floor replicas (float64 [replicas])."""
    floor_variance = float(np.var(chance, ddof=1))
    if floor_variance <= (ROUNDING * float(chance.mean())) ** 2:
        floor_variance = 0.0
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


def dealt(reference: I64, generated: I64, replicas: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
    """Deal out all showers of two binned samples again, several times; two arrays [replicas, n_bins]."""
    both = reference + generated
    first = rng.multivariate_hypergeometric(both, int(reference.sum()), size=replicas, method="marginals")
    return first, both - first


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
