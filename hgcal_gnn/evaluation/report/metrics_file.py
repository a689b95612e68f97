"""metrics.json: everything a report says in numbers, under stable names (described in docs/evaluation.md)."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn import __version__
from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.contents import REFERENCE
from hgcal_gnn.evaluation.report.ranking import rank_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.evaluation.amplification import Amplification
    from hgcal_gnn.evaluation.classifier import ClassifierResult
    from hgcal_gnn.evaluation.distance import Distance
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.contents import BinPart, Comparison, Evaluation, SeedGroup
    from hgcal_gnn.evaluation.report.samples import Sample

FORMAT = "hgcal_gnn evaluation"
FORMAT_VERSION = 1
DIGITS = 8  # of a number in the file


def metrics(found: Evaluation) -> dict[str, Any]:
    """Return an evaluation as plain values for JSON; numbers that are not known are None."""
    ranking = [{"sample": name, "ahead": lead} for name, lead in rank_samples(found)]
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "hgcal_gnn": __version__,
        "geometry": {"detector": found.detector, "cells_sha256": found.cells_sha256},
        "settings": asdict(found.settings),
        "reference": _sample(found.reference),
        "observables": _observables(found.tables[REFERENCE]),
        "ranking": ranking,
        "samples": {
            name: {**_sample(sample), **_comparison(found.comparisons[name], found.settings.distances[0])}
            for name, sample in found.generated.items()
        },
        "models": {name: _model(group) for name, group in found.models.items()},
        "hit_energies": {name: _spectrum(one) for name, one in found.spectra.items()},
        "seconds": {name: round(value, 3) for name, value in found.seconds.items()},
    }
    plain: dict[str, Any] = _plain(content)
    return plain


def distance_json(one: Distance) -> dict[str, Any]:
    """Return a distance: value, error, floor, floor_error, excess, significance; or the reason why there is none."""
    if not one.available:
        return {"value": None, "not_available": one.reason}
    return {
        "value": one.value, "error": one.error, "floor": one.floor, "floor_error": one.floor_error,
        "excess": one.excess, "significance": one.significance,
    }  # fmt: skip


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "source": sample.source,
        "showers": len(sample.data),
        "showers_used": len(sample),
        "content": sample.described(),
        "remarks": list(sample.remarks),
    }


def _observables(table: FeatureTable) -> dict[str, Any]:
    rows = zip(table.names, table.groups, table.units, strict=True)
    return {name: {"group": group, "unit": unit} for name, group, unit in rows}


def _comparison(one: Comparison, ranking: str) -> dict[str, Any]:
    return {
        "distances": {
            name: {kind: distance_json(value) for kind, value in found.items()} for name, found in one.distances.items()
        },
        "most_different": [name for name, _ in one.differing(ranking)[:20]],
        "correlation_difference": distance_json(one.correlation),
        "total_energy_chi2": distance_json(one.total_energy),
        "frechet_physics_distance": distance_json(one.frechet),
        "kernel_physics_distance": distance_json(one.kernel),
        "classifier": _classifier(one.classifier),
        "classifier_hits": _classifier(one.classifier_hits),
        "classifier_cells": _classifier(one.classifier_cells),
        "energies": _bins(one.energies, ranking),
        "eta": _bins(one.eta, ranking),
        "reconstruction": _missing(one.reconstruction) or one.reconstruction.to_json(),  # type: ignore[union-attr]
        "amplification": _amplification(one.amplification),
        "referee": _missing(one.referee)
        or {
            finding.name: {measure.name: distance_json(measure) for measure in finding.measures}
            for finding in one.referee  # type: ignore[union-attr]
        },
    }


def _missing(part: object) -> dict[str, str] | None:
    return {"not_available": part.reason} if isinstance(part, NotAvailable) else None


def _classifier(result: ClassifierResult | NotAvailable) -> dict[str, Any]:
    if isinstance(result, NotAvailable):
        return {"not_available": result.reason}
    weights, curve = result.weights, result.learning_curve
    return {
        "auc": distance_json(result.auc),
        "auc_of_halves": None if result.halves is None else distance_json(result.halves),
        "showers": [result.n_reference, len(result.probability) - result.n_reference],
        "fold_aucs": result.fold_aucs,
        "best_epochs": result.best_epochs,
        "calibration_error": result.calibration.mean_difference,
        "calibration": asdict(result.calibration),
        "log_weights": asdict(weights),
        "learning_curve": None if curve is None else asdict(curve),
    }


def _bins(parts: Sequence[BinPart] | NotAvailable, ranking: str) -> Any:
    if isinstance(parts, NotAvailable):
        return {"not_available": parts.reason}
    return [
        {
            "label": part.label,
            "edges": [part.low, part.high],
            "reference": part.n_reference,
            "generated": part.n_generated,
            "worst": [name for name, _ in part.worst(ranking)],
            "distances": {
                name: {kind: distance_json(one) for kind, one in found.items()}
                for name, found in part.distances.items()
            },
        }
        for part in parts
    ]


def _model(group: SeedGroup) -> dict[str, Any]:
    measures = {
        spread.name: {key: value for key, value in asdict(spread).items() if key != "name"} for spread in group.spreads
    }
    return {"samples": group.samples, "measures": measures}


def _amplification(curve: Amplification | NotAvailable) -> dict[str, Any]:
    if isinstance(curve, NotAvailable):
        return {"not_available": curve.reason}
    return {key: value for key, value in asdict(curve).items() if key != "reason"}


def _spectrum(one: Any) -> dict[str, Any]:
    return _missing(one) or one.to_json()


def _plain(value: Any) -> Any:
    """Replace what JSON does not know: NumPy numbers and arrays, NaN and infinities (None)."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
