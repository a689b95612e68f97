"""Tables of a report about whole models: classifier tests, spread over training seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.tables import Table, sigma, words
from hgcal_gnn.evaluation.text import UNKNOWN, with_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hgcal_gnn.evaluation.classifier import ClassifierResult
    from hgcal_gnn.evaluation.referee import SeedSpread
    from hgcal_gnn.evaluation.report.contents import Evaluation


def classifier_tables(found: Evaluation) -> Iterator[Table]:
    """Say how well networks tell each sample from the reference."""
    header = (
        "sample",
        "seen by the network",
        "AUC",
        "floor",
        "significance",
        "AUC of halves",
        "showers",
        "calibration",
    )
    rows = [
        [name, kind, *_classifier_cells(result)]
        for name, one in found.comparisons.items()
        for kind, result in one.classifiers.items()
    ]
    note = (
        "AUC: area under the curve of showers scored out of fold; 0.5: they cannot be told apart, 1: always. Of "
        "halves: the same test of the reference against itself, 0.5 within its error or the test is wrong. "
        "Calibration: mean difference between probabilities given and shares found. Networks on hits and cells see "
        "at most "
        f"{found.settings.hit_showers:,} showers of each sample."
    )
    yield Table("Networks that tell generated from reference showers", header, rows, note)


def seed_tables(found: Evaluation) -> Iterator[Table]:
    """Say how much the trainings of each model differ."""
    for model, group in found.models.items():
        header = ("measure", "mean over seeds", "spread of seeds", "best", "worst", "floor", "trainings")
        rows = [[words(spread.name), *_spread_cells(spread)] for spread in group.spreads if spread.number]
        note = (
            f"Trainings: {', '.join(group.samples)}. Spread: standard deviation between trainings, without that of "
            "finite samples; 0 if the latter explains it all."
        )
        yield Table(f"{model}: spread over training seeds", header, rows, note)


def _classifier_cells(result: ClassifierResult | NotAvailable) -> list[str]:
    if isinstance(result, NotAvailable):
        return [str(result), *[UNKNOWN] * 5]
    auc, halves = result.auc, result.halves
    return [
        with_error(auc.value, auc.error),
        with_error(auc.floor, auc.floor_error),
        sigma(auc),
        UNKNOWN if halves is None else with_error(halves.value, halves.floor_error),
        f"{result.n_reference:,} + {len(result.probability) - result.n_reference:,}",
        f"{result.calibration.mean_difference:.3f}",
    ]


def _spread_cells(spread: SeedSpread) -> list[str]:
    return [
        with_error(spread.mean, spread.error),
        with_error(spread.spread, spread.spread_error),
        f"{spread.best:.4g}",
        f"{spread.worst:.4g}",
        f"{spread.floor:.3g}",
        f"{spread.number}",
    ]
