"""Bias and resolution of energy predictions in bins of true energy, with their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.bootstrap import REPLICAS, count_blocks
from hgcal_gnn.evaluation.energy_bins import EnergyBins, energy_bins
from hgcal_gnn.evaluation.response_shape import GAUSSIAN_TAIL, Shape, core_chi2, response_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, I64, Bools

FEWEST_SHOWERS = 20  # in a bin with fewer nothing is measured


class Measured(NamedTuple):
    """A number in each bin with its standard error, both float64 [n_bins]; NaN where not measured."""

    value: F64
    error: F64


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


@dataclass(frozen=True, eq=False)
class ResolutionTable:
    """Bias, resolution and tails in bins of true energy.

    Of several seeds (runs that differ in their random numbers only) every value is the mean over the seeds; its error
    is that of the drawn showers (bootstrap, the same draws for all seeds) and the standard error of the mean over
    seeds, added in quadrature. With one seed the latter is unknown and not contained.

    Attributes
    ----------
    bins : EnergyBins
    n : int64 [n_bins]
        Showers.
    energy : float64 [n_bins]
        Mean true energy [GeV].
    bias, resolution, core_mean, core_sigma, rms, tail_low, tail_high : Measured
        See `response_shape.Shape`.
    core_chi2, core_ndf : float64 [n_bins]
        Of the core fit (mean over seeds).
    dropped : Dropped
    n_seeds, replicas
        Number of runs and of bootstrap replicas.
    """

    bins: EnergyBins
    n: I64
    energy: F64
    bias: Measured
    resolution: Measured
    core_mean: Measured
    core_sigma: Measured
    rms: Measured
    tail_low: Measured
    tail_high: Measured
    core_chi2: F64
    core_ndf: F64
    dropped: Dropped
    n_seeds: int = 1
    replicas: int = REPLICAS

    @property
    def linearity(self) -> Measured:
        """Mean true energy times the median response [GeV]: free of the spectrum within wide bins."""
        return Measured(self.energy * (1 + self.bias.value), self.energy * self.bias.error)

    def to_json(self) -> dict[str, Any]:
        """Return numbers under stable names; what was not measured is null.

        `seeds`, `replicas`, `dropped` {truth, outside, not_finite, not_positive}, and `bins`, a list of {low, high,
        showers, energy [GeV], and for bias, resolution, core_mean, core_sigma, rms, tail_low, tail_high each the value
        and NAME_error, core_chi2, core_ndf, tail_low_over_gaussian, tail_high_over_gaussian}.
        """
        columns: dict[str, F64 | I64] = {
            "low": self.bins.edges[:-1], "high": self.bins.edges[1:], "showers": self.n, "energy": self.energy
        }  # fmt: skip
        for name in Shape._fields:
            measured: Measured = getattr(self, name)
            columns |= {name: measured.value, f"{name}_error": measured.error}
        columns |= {"core_chi2": self.core_chi2, "core_ndf": self.core_ndf}
        for name in ("tail_low", "tail_high"):
            columns[f"{name}_over_gaussian"] = columns[name] / GAUSSIAN_TAIL
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        return {
            "seeds": self.n_seeds,
            "replicas": self.replicas,
            "dropped": vars(self.dropped).copy(),
            "bins": [{name: known(value) for name, value in zip(columns, row, strict=True)} for row in rows],
        }


def known(value: float) -> float | None:
    """Return a number for JSON: None instead of NaN and infinity."""
    return value if np.isfinite(value) else None


def measure_resolution(
    truth: ArrayLike,
    prediction: ArrayLike,
    bins: EnergyBins | None = None,
    *,
    replicas: int = REPLICAS,
    seed: int = 0,
) -> ResolutionTable:
    """Measure bias, resolution and tails of predicted energies.

    Parameters
    ----------
    truth, prediction : [n_showers]
        Energies [GeV].
    bins
        By default `energy_bins(truth)`.
    replicas, seed
        Of the bootstrap; the same seed gives the same errors.

    Raises
    ------
    InputError
        If the lengths differ or no shower is usable.
    """
    draws = draw_statistics(truth, [[prediction]], bins, replicas=replicas, seed=seed)
    return resolution_table(draws, 0)


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
    methods = [[_as_column(prediction, energy) for prediction in seeds] for seeds in predictions]
    bins = energy_bins(energy) if bins is None else bins
    place, dropped = _usable(energy, methods, bins)
    rng = np.random.default_rng(seed)
    n_bins = len(bins)
    statistics = [np.full((len(seeds), len(Shape._fields), 1 + replicas, n_bins), np.nan) for seeds in methods]
    chi2 = [np.full((len(seeds), 2, n_bins), np.nan) for seeds in methods]
    members = [np.flatnonzero(place == number) for number in range(n_bins)]
    for number, rows in enumerate(members):
        if len(rows) < FEWEST_SHOWERS:
            continue
        responses = [[values[rows] / energy[rows] for values in seeds] for seeds in methods]
        start = 0
        for counts in count_blocks(len(rows), replicas, rng):
            some = slice(start, start + len(counts))
            for target, seeds in zip(statistics, responses, strict=True):
                for k, response in enumerate(seeds):
                    target[k, :, some, number] = np.stack(response_shape(response, counts))
            start += len(counts)
        for found, target, seeds in zip(statistics, chi2, responses, strict=True):
            for k, response in enumerate(seeds):
                mean, sigma = found[k, [_CORE_MEAN, _CORE_SIGMA], 0, number]
                target[k, :, number] = core_chi2(response, mean, sigma * mean)
    counted = np.array([len(rows) for rows in members])
    mean_energy = np.array([energy[rows].mean() if len(rows) else np.nan for rows in members])
    return Draws(bins, counted, mean_energy, statistics, chi2, dropped)


_CORE_MEAN, _CORE_SIGMA = Shape._fields.index("core_mean"), Shape._fields.index("core_sigma")


def resolution_table(draws: Draws, method: int) -> ResolutionTable:
    """Sum up the replicas and seeds of one method."""
    statistics, chi2 = draws.statistics[method], draws.chi2[method]
    value = statistics[:, :, 0].mean(axis=0)  # [n_statistics, n_bins]
    error = np.hypot(statistics[:, :, 1:].mean(axis=0).std(axis=1, ddof=1), standard_error(statistics[:, :, 0]))
    measured = {name: Measured(value[k], error[k]) for k, name in enumerate(Shape._fields)}
    return ResolutionTable(
        bins=draws.bins,
        n=draws.n,
        energy=draws.energy,
        **measured,
        core_chi2=chi2[:, 0].mean(axis=0),
        core_ndf=chi2[:, 1].mean(axis=0),
        dropped=draws.dropped[method],
        n_seeds=len(statistics),
        replicas=statistics.shape[2] - 1,
    )


def standard_error(values: F64) -> F64:
    """Return the standard error of the mean over the first axis (seeds); 0 for one seed, where it is unknown."""
    n = len(values)
    return np.zeros(values.shape[1:]) if n < 2 else np.asarray(values.std(axis=0, ddof=1) / np.sqrt(n))


def _as_column(prediction: ArrayLike, truth: F64) -> F64:
    values = np.asarray(prediction, np.float64)
    if values.shape != truth.shape or truth.ndim != 1:
        msg = f"truth and prediction must have one energy per shower, got shapes {truth.shape} and {values.shape}"
        raise InputError(msg)
    return values


def _usable(energy: F64, methods: list[list[F64]], bins: EnergyBins) -> tuple[I64, list[Dropped]]:
    """Return the bin of each shower (-1: left out) and what was left out, per method."""
    good = np.isfinite(energy) & (energy > 0)
    place = np.where(good, bins.assign(energy), -1)
    finite: list[Bools] = [np.isfinite(seeds).all(axis=0) for seeds in methods]
    in_bin = place >= 0
    dropped = [
        Dropped(
            truth=int((~good).sum()),
            outside=int((good & ~in_bin).sum()),
            not_finite=int((in_bin & ~fine).sum()),
            not_positive=int((in_bin & fine & (np.min(seeds, axis=0) <= 0)).sum()),
        )
        for seeds, fine in zip(methods, finite, strict=True)
    ]
    usable = in_bin & np.all(finite, axis=0)
    if not usable.any():
        msg = f"none of {len(energy)} showers can be judged: " + "; ".join(dropped[0].warnings() or ["there are none"])
        raise InputError(msg)
    return np.where(usable, place, -1), dropped
