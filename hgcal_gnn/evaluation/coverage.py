"""Does the generated sample look like the reference, and does it cover it: precision, recall, density, coverage.

Precision and recall: T. Kynkaanniemi et al., arXiv:1904.06991; density and coverage: M. Naeem et al.,
arXiv:2002.09797. Balls about every shower reach to its k-th nearest neighbour in its own sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.nearest import nearest_distances, numbers_within, standardised
from hgcal_gnn.evaluation.two_samples import same_columns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64

NEIGHBOURS = 5
MOST = 2000  # showers of a sample that are looked at
FEWEST = 100
NAMES = ("precision", "recall", "density", "coverage")
REPEATS = 10  # splits of the reference for the spread of the floor


@dataclass(frozen=True)
class Coverage:
    """Four numbers of which more is better; compare each with its floor, which is not 1.

    Attributes
    ----------
    precision
        Share of generated showers in the ball of any reference shower: realistic ones.
    recall
        Share of reference showers in the ball of any generated shower: those that could have been generated.
    density
        Balls of reference showers a generated one lies in, over k; about 1 for a perfect generator.
    coverage
        Share of reference showers with a generated one in their ball.
    """

    precision: Distance
    recall: Distance
    density: Distance
    coverage: Distance


def coverage(
    reference: ArrayLike,
    generated: ArrayLike,
    *,
    neighbours: int = NEIGHBOURS,
    most: int = MOST,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Coverage:
    """Measure precision, recall, density and coverage.

    All depend on the sizes of the samples, so three equal ones are compared: a part of the reference with the
    generated showers (the value) and with another part of the reference (the floor), averaged over `repeats` such
    choices at random. The floor error is the spread of the floor over the choices, the error that of the value, or
    that of the floor if larger (where the generated showers are few, all choices share them).

    Parameters
    ----------
    reference : float [n, d]
        Features, standardised here by the reference.
    generated : float [m, d]
    neighbours
        k: which neighbour a ball reaches.
    most
        Showers in each of the three samples; the time grows as its square.

    Raises
    ------
    InputError
        If the samples have different features.
    """
    ours, theirs = same_columns(reference, generated)
    size = min(len(ours) // 2, len(theirs), most)
    if size < FEWEST:
        reason = f"{len(ours)} reference and {len(theirs)} generated showers; {2 * FEWEST} and {FEWEST} are needed"
        return _not_available(reason)
    ours, theirs = standardised(ours, theirs)
    if not ours.shape[1]:
        return _not_available("no feature varies in the reference")
    rng = np.random.default_rng(seed)
    values, floors = np.empty((2, repeats, len(NAMES)))
    for i in range(repeats):
        chosen = rng.permutation(len(ours))[: 2 * size]
        first, second = ours[chosen[:size]], ours[chosen[size:]]
        radii = _radii(first, neighbours)
        values[i] = _scores(theirs[rng.permutation(len(theirs))[:size]], first, radii, neighbours)
        floors[i] = _scores(second, first, radii, neighbours)
    return Coverage(*(_result(name, values[:, i], floors[:, i]) for i, name in enumerate(NAMES)))


def _scores(generated: F64, reference: F64, our_radii: F64, k: int) -> tuple[float, float, float, float]:
    their_radii = _radii(generated, k)
    inside = numbers_within(generated, reference, our_radii)
    reached = numbers_within(reference, generated, their_radii)
    covered = nearest_distances(reference, generated)[:, 0] <= our_radii
    return float((inside > 0).mean()), float((reached > 0).mean()), float(inside.mean() / k), float(covered.mean())


def _radii(sample: F64, k: int) -> F64:
    """Return the distance of each shower to its k-th neighbour; the nearest one of all is the shower itself."""
    return nearest_distances(sample, sample, k + 1)[:, k]


def _result(name: str, values: F64, floors: F64) -> Distance:
    floor_error = float(floors.std(ddof=1))
    error = max(float(values.std(ddof=1)), floor_error)
    return Distance(name, float(values.mean()), error, float(floors.mean()), floor_error)


def _not_available(reason: str) -> Coverage:
    return Coverage(*(Distance.not_available(name, reason) for name in NAMES))
