"""Does a generator give its training showers again? Nearest neighbours in training against held-out showers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.nearest import nearest_points, standardised

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, I64, Array

MOST = 10_000  # showers of a sample that are looked at
FEWEST = 100
LOWEST = 0.01  # share of generated showers closest to a training shower, in which copies would be
NAMES = ("nearest_in_training", "closest_1_percent")


@dataclass(frozen=True)
class Memorisation:
    """How a generated sample lies between the training showers and as many held-out ones.

    Attributes
    ----------
    nearest_in_training
        Share of generated showers whose nearest neighbour among both is a training shower: 0.5 without
        memorisation, however good or bad the generator is.
    closest_1_percent
        The same among the 1 % of generated showers that are closest to any shower: copies are among them.
    distance_to_training, distance_to_held_out
        Median distance to the nearest one [standard deviations of a feature].
    reference_distance
        Median distance of a held-out shower to the nearest training shower: what a fresh shower has.
    """

    nearest_in_training: Distance
    closest_1_percent: Distance
    distance_to_training: float
    distance_to_held_out: float
    reference_distance: float


def memorisation(
    training: ArrayLike, held_out: ArrayLike, generated: ArrayLike, *, most: int = MOST, seed: int = 0
) -> Memorisation:
    """Compare the distances of generated showers to training and to held-out showers.

    As many of both are drawn. The floor is 0.5. Its error is that of exchanging training and held-out ones at random:
    many generated showers near one shower of these are one vote. `significance` is the evidence for memorisation.

    Parameters
    ----------
    training, held_out, generated : float [n, d]
        Features, standardised here by the training showers.
    most
        Showers looked at of each sample.

    Raises
    ------
    InputError
        If the samples have different features.
    """
    samples = [np.asarray(sample) for sample in (training, held_out, generated)]
    if any(sample.ndim != 2 or sample.shape[1:] != samples[0].shape[1:] for sample in samples):
        msg = f"samples with the same features are needed, got shapes {[list(sample.shape) for sample in samples]}"
        raise InputError(msg)
    size = min(len(samples[0]), len(samples[1]), most)
    n_generated = min(len(samples[2]), most)
    if min(size, n_generated) < FEWEST:
        numbers = " / ".join(str(len(sample)) for sample in samples)
        return _not_available(f"{numbers} training, held-out and generated showers; each needs {FEWEST}")
    rng = np.random.default_rng(seed)
    ours, fresh, made = standardised(
        *(_some(s, k, rng) for s, k in zip(samples, (size, size, n_generated), strict=True))
    )
    if not ours.shape[1]:
        return _not_available("no feature varies in the training showers")
    (to_training, our_number), (to_held_out, fresh_number) = nearest_points(made, ours), nearest_points(made, fresh)
    closer = np.where(to_training == to_held_out, 0.5, to_training < to_held_out)
    owner = np.where(to_training <= to_held_out, our_number, size + fresh_number)
    closest = np.argsort(np.minimum(to_training, to_held_out))[: max(math.ceil(LOWEST * n_generated), 10)]
    return Memorisation(
        _share(NAMES[0], closer, owner, 2 * size),
        _share(NAMES[1], closer[closest], owner[closest], 2 * size),
        float(np.median(to_training)),
        float(np.median(to_held_out)),
        float(np.median(nearest_points(fresh, ours)[0])),
    )


def _some(sample: Array, number: int, rng: np.random.Generator) -> Array:
    return np.asarray(sample[rng.permutation(len(sample))[:number]])


def _share(name: str, closer: F64, owner: I64, n_points: int) -> Distance:
    """Return the share of generated showers that are closer to training.

    Parameters
    ----------
    closer : float64 [n]
        1 or 0 of each generated shower, 0.5 in a tie.
    owner : int64 [n]
        The training or held-out shower it is closest to, of `n_points`.
    """
    # half of the points are training showers: variance of the sum of votes over a random half
    votes = np.bincount(owner, minlength=n_points)
    variance = ((votes - votes.mean()) ** 2).sum() / 4 * n_points / (n_points - 1)
    error = float(variance**0.5) / len(closer)
    value = float(closer.mean())
    return Distance(name, value, 2 * error * math.sqrt(max(value * (1 - value), 0.0)), 0.5, error)


def _not_available(reason: str) -> Memorisation:
    shares = [Distance.not_available(name, reason) for name in NAMES]
    return Memorisation(shares[0], shares[1], math.nan, math.nan, math.nan)
