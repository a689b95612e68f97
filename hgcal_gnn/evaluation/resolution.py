"""Bias and resolution of energy predictions in bins of true energy, with their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hgcal_gnn.evaluation.bootstrap import REPLICAS
from hgcal_gnn.evaluation.draws import Draws, draw_statistics
from hgcal_gnn.evaluation.response_shape import GAUSSIAN_TAIL, Shape

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, I64
    from hgcal_gnn.evaluation.draws import Dropped
    from hgcal_gnn.evaluation.energy_bins import EnergyBins


class Measured(NamedTuple):
    """A number in each bin with its standard error, both float64 [n_bins]; NaN where not measured."""

    value: F64
    error: F64


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
