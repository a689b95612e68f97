"""Methods compared on the same showers: whose resolution is better, and by how many standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.bootstrap import REPLICAS
from hgcal_gnn.evaluation.draws import draw_statistics
from hgcal_gnn.evaluation.resolution import ResolutionTable, known, resolution_table, standard_error
from hgcal_gnn.evaluation.response_shape import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.evaluation.energy_bins import EnergyBins

_RESOLUTION = Shape._fields.index("resolution")


@dataclass(frozen=True, eq=False)
class Ratio:
    """Resolution of a method over that of the baseline.

    Attributes
    ----------
    value, error : float64 [n_bins]
    overall, overall_error
        Geometric mean over the bins where both are known.
    """

    value: F64
    error: F64
    overall: float
    overall_error: float

    @property
    def significance(self) -> F64:
        """Standard errors by which the method is better (positive) or worse than the baseline, float64 [n_bins]."""
        return _in_errors(self.value, self.error)

    @property
    def overall_significance(self) -> float:
        """Standard errors by which the method is better (positive) or worse over all bins."""
        return float(_in_errors(np.array(self.overall), np.array(self.overall_error)))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Methods on the same showers.

    Attributes
    ----------
    tables
        Bias, resolution and tails of each method: the baseline, then the others in the order given.
    baseline
        The method others are compared with.
    ratios
        Resolution of each method over that of the baseline, which has 1 with error 0.
    """

    tables: Mapping[str, ResolutionTable]
    baseline: str
    ratios: Mapping[str, Ratio]

    @property
    def bins(self) -> EnergyBins:
        """The bins of true energy, the same for all methods."""
        return self.tables[self.baseline].bins

    def to_json(self) -> dict[str, Any]:
        """Return `baseline` and, per method, its table with ratio, ratio_error, ratio_significance in each bin.

        `overall` {ratio, error, significance} is the geometric mean over the bins.
        """
        methods = {}
        for name, table in self.tables.items():
            content, ratio = table.to_json(), self.ratios[name]
            columns = {"ratio": ratio.value, "ratio_error": ratio.error, "ratio_significance": ratio.significance}
            for k, row in enumerate(content["bins"]):
                row.update({key: known(float(values[k])) for key, values in columns.items()})
            overall = (ratio.overall, ratio.overall_error, ratio.overall_significance)
            content["overall"] = dict(zip(("ratio", "error", "significance"), map(known, overall), strict=True))
            methods[name] = content
        return {"baseline": self.baseline, "methods": methods}


def compare_methods(
    truth: ArrayLike,
    predictions: Mapping[str, Sequence[ArrayLike]],
    *,
    baseline: str | None = None,
    bins: EnergyBins | None = None,
    replicas: int = REPLICAS,
    seed: int = 0,
) -> Comparison:
    """Compare methods that predicted the energies of the same showers.

    The error of a ratio holds two parts, added in quadrature: that of the drawn showers, from bootstrap replicas which
    are the same for both methods (what both find hard cancels), and the standard errors of the means over the seeds of
    either method. With three seeds the latter is itself uncertain by half: 2 standard errors are then a hint only.

    Parameters
    ----------
    truth : [n_showers]
        True energies [GeV].
    predictions
        Name of a method -> predicted energies [GeV], each [n_showers], one per seed.
    baseline
        Name of the method to compare with; by default the first.
    bins
        By default `energy_bins(truth)`.

    Raises
    ------
    UsageError
        Without a method, for a method without predictions, or an unknown baseline.
    InputError
        If lengths differ or no shower is usable.
    """
    names = list(predictions)
    empty = [name for name in names if not len(predictions[name])]
    if not names or empty:
        msg = f"nothing to compare: no predictions of {', '.join(empty) or 'any method'}"
        raise UsageError(msg)
    baseline = names[0] if baseline is None else baseline
    if baseline not in predictions:
        msg = f"unknown baseline {baseline!r}: the methods are {', '.join(names)}"
        raise UsageError(msg)
    names.sort(key=lambda name: name != baseline)  # baseline first, the others stay in their order
    draws = draw_statistics(truth, [predictions[name] for name in names], bins, replicas=replicas, seed=seed)
    resolutions = [_logarithm(statistics[:, _RESOLUTION]) for statistics in draws.statistics]
    return Comparison(
        tables={name: resolution_table(draws, k) for k, name in enumerate(names)},
        baseline=baseline,
        ratios={
            name: _ratio(logarithm, resolutions[0], same=name == baseline)
            for name, logarithm in zip(names, resolutions, strict=True)
        },
    )


def _logarithm(resolution: F64) -> F64:
    """Return ln(resolution); NaN where it is 0, which no ratio can be taken of."""
    return np.log(np.where(resolution > 0, resolution, np.nan))


def _ratio(method: F64, reference: F64, *, same: bool) -> Ratio:
    """Compare ln(resolution), float64 [n_seeds, 1 + replicas, n_bins]; the mean over seeds is geometric."""
    value, error = _difference(method, reference, same=same)
    known_bins = np.isfinite(value)
    if not known_bins.any():
        return Ratio(value, error, np.nan, np.nan)
    overall = [values[:, :, known_bins].mean(axis=2, keepdims=True) for values in (method, reference)]
    mean, spread = _difference(overall[0], overall[1], same=same)
    ratio, average = np.exp(value), float(np.exp(mean[0]))
    return Ratio(ratio, ratio * error, average, average * float(spread[0]))


def _difference(method: F64, reference: F64, *, same: bool) -> tuple[F64, F64]:
    """Return the difference of means over seeds and its error, float64 [n_bins]."""
    difference = method.mean(axis=0) - reference.mean(axis=0)  # [1 + replicas, n_bins]
    of_seeds = 0.0 if same else np.hypot(standard_error(method[:, 0]), standard_error(reference[:, 0]))
    return difference[0], np.hypot(difference[1:].std(axis=0, ddof=1), of_seeds)


def _in_errors(ratio: F64, error: F64) -> F64:
    has_error = np.isfinite(error) & (error > 0)
    return np.where(has_error, (1 - ratio) / np.where(has_error, error, 1.0), np.nan)
