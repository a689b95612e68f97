"""Statistics of several regressors on the same showers and the same bootstrap replicas of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.bootstrap import REPLICAS, count_blocks
from hgcal_gnn.evaluation.energy_bins import EnergyBins, energy_bins
from hgcal_gnn.evaluation.response_shape import Shape, core_chi2, response_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, I64, Bools

FEWEST_SHOWERS = 20  # in a bin with fewer nothing is measured
_CORE_MEAN, _CORE_SIGMA = Shape._fields.index("core_mean"), Shape._fields.index("core_sigma")


@dataclass(frozen=True)
class Dropped:
    """What of the showers was not or not properly usable.

    Attributes
    ----------
    truth
        True energy NaN, infinite or not above 0; left out.
    outside
        True energy in none of the bins; left out.
    not_finite
        A prediction is NaN or infinite; left out.
    not_positive
        A prediction is 0 or negative; kept, in the lower tail.
    """

    truth: int
    outside: int
    not_finite: int
    not_positive: int

    def warnings(self) -> list[str]:
        """Say what of it should be known to a reader."""
        texts = {
            "with a true energy that is not above 0, left out": self.truth,
            "outside all energy bins, left out": self.outside,
            "with a prediction that is not finite, left out": self.not_finite,
            "with a prediction of 0 or less, kept in the lower tail": self.not_positive,
        }
        return [f"{number} showers {text}" for text, number in texts.items() if number]


class Draws(NamedTuple):
    """Statistics of all replicas of several methods on the same showers.

    Attributes
    ----------
    statistics : list of float64 [n_seeds, n_statistics, 1 + replicas, n_bins]
        One per method; statistics as in `Shape`, the first replica is the sample itself.
    chi2 : list of float64 [n_seeds, 2, n_bins]
        Of the core fit and its degrees of freedom, one per method.
    dropped : list of Dropped
        One per method.
    """

    bins: EnergyBins
    n: I64
    energy: F64
    statistics: list[F64]
    chi2: list[F64]
    dropped: list[Dropped]


def draw_statistics(
    truth: ArrayLike,
    predictions: Sequence[Sequence[ArrayLike]],
    bins: EnergyBins | None = None,
    *,
    replicas: int = REPLICAS,
    seed: int = 0,
) -> Draws:
    """Measure several methods (each with one prediction per seed) on the same showers and the same replicas of them.

    A shower for which any prediction is not finite is left out for all.

    Raises
    ------
    InputError
        If the lengths differ or no shower is usable.
    """
    energy = np.asarray(truth, np.float64)
    methods = [np.stack([_as_column(values, energy) for values in seeds]) for seeds in predictions]
    bins = energy_bins(energy) if bins is None else bins
    place, dropped = _usable(energy, methods, bins)
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(place == number) for number in range(len(bins))]
    draws = Draws(
        bins,
        n=np.array([len(rows) for rows in members]),
        energy=np.array([energy[rows].mean() if len(rows) else np.nan for rows in members]),
        statistics=[np.full((len(seeds), len(Shape._fields), 1 + replicas, len(bins)), np.nan) for seeds in methods],
        chi2=[np.full((len(seeds), 2, len(bins)), np.nan) for seeds in methods],
        dropped=dropped,
    )
    for number, rows in enumerate(members):
        if len(rows) >= FEWEST_SHOWERS:
            _draw_bin(draws, number, [seeds[:, rows] / energy[rows] for seeds in methods], rng)
    return draws


def _draw_bin(draws: Draws, number: int, responses: list[F64], rng: np.random.Generator) -> None:
    """Fill in one bin; `responses` holds float64 [n_seeds, n] of each method."""
    start = 0
    for counts in count_blocks(responses[0].shape[1], draws.statistics[0].shape[2] - 1, rng):
        some = slice(start, start := start + len(counts))
        for statistics, seeds in zip(draws.statistics, responses, strict=True):
            for k, response in enumerate(seeds):
                statistics[k, :, some, number] = np.stack(response_shape(response, counts))
    for statistics, chi2, seeds in zip(draws.statistics, draws.chi2, responses, strict=True):
        for k, response in enumerate(seeds):
            mean, sigma = statistics[k, [_CORE_MEAN, _CORE_SIGMA], 0, number]
            chi2[k, :, number] = core_chi2(response, mean, sigma * mean)


def _as_column(prediction: ArrayLike, truth: F64) -> F64:
    values = np.asarray(prediction, np.float64)
    if values.shape != truth.shape or truth.ndim != 1:
        msg = f"truth and prediction must have one energy per shower, got shapes {truth.shape} and {values.shape}"
        raise InputError(msg)
    return values


def _usable(energy: F64, methods: list[F64], bins: EnergyBins) -> tuple[I64, list[Dropped]]:
    """Return the bin of each shower (-1: left out) and what was left out, per method."""
    good = np.isfinite(energy) & (energy > 0)
    place = np.where(good, bins.assign(energy), -1)
    finite: list[Bools] = [np.asarray(np.isfinite(seeds).all(axis=0)) for seeds in methods]
    in_bin = place >= 0
    dropped = [
        Dropped(
            truth=int((~good).sum()),
            outside=int((good & ~in_bin).sum()),
            not_finite=int((in_bin & ~fine).sum()),
            not_positive=int((in_bin & fine & (seeds.min(axis=0) <= 0)).sum()),
        )
        for seeds, fine in zip(methods, finite, strict=True)
    ]
    usable = in_bin & np.all(finite, axis=0)
    if not usable.any():
        msg = f"none of {len(energy)} showers can be judged: " + "; ".join(dropped[0].warnings() or ["there are none"])
        raise InputError(msg)
    return np.where(usable, place, -1), dropped
