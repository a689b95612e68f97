"""What a referee asks, answered as findings: each a few numbers with errors and floors, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.amplification import Amplification, amplification
from hgcal_gnn.evaluation.coverage import coverage
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.memorisation import memorisation
from hgcal_gnn.evaluation.referee import layer_correlations
from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.contents import Finding, worst_of
from hgcal_gnn.evaluation.tails import tails
from hgcal_gnn.evaluation.text import counted
from hgcal_gnn.evaluation.two_point import compare_pairs, pair_correlation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import F32, F64
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.contents import BinPart
    from hgcal_gnn.evaluation.report.samples import Sample
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings
    from hgcal_gnn.geometry.cell_numbers import CellNumbers

TAILED = ("response", "E_ratio", "energy", "E_tot")  # the first of these that is there
COMPACT_GROUPS = ("energy", "longitudinal", "radial", "occupancy", "shape")
COMPONENTS = 16  # dimensions in which neighbours are looked for
SMALLEST = 1e-6  # variance of a component, of the largest one
QUANTILES = 20
NO_TRAINING = "give --training FILE"
MOST_PAIRS = 2000  # showers whose pairs of hits are counted: the time grows as the square of their hits


def coverage_findings(reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings) -> Finding:
    """Tell whether generated showers are realistic and whether all kinds of reference showers are among them."""
    found = coverage(_compact(reference, reference), _compact(generated, reference), seed=settings.seed)
    measures = [found.precision, found.recall, found.density, found.coverage]
    meaning = "precision, density: generated showers look like the reference; recall, coverage: none are missing"
    return Finding("coverage", meaning, measures)


def tail_findings(reference: FeatureTable, generated: FeatureTable) -> Finding:
    """Compare the tails of the response."""
    name = _tailed(reference)
    found = tails(reference.column(name), generated.column(name))
    measures = [found.low_quantile, found.high_quantile, found.low_share, found.high_share]
    return Finding("tails", f"{name}: 0.1 % quantiles and shares beyond them, generated over reference: 1", measures)


def layer_findings(reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings) -> Finding:
    """Compare the correlations between layers."""
    found = layer_correlations(reference, generated, replicas=settings.replicas, seed=settings.seed)
    return Finding("layers", "mean difference of the correlations between the energies of layers", [found])


def worst_findings(parts: Sequence[BinPart] | NotAvailable, condition: str, settings: EvaluationSettings) -> Finding:
    """Name the worst bin of a condition ("energy", "eta") and what differs there, by each distance."""
    name = f"worst in {condition}"
    if isinstance(parts, NotAvailable):
        return Finding(name, parts.reason, [Distance.not_available(settings.distances[0], parts.reason)])
    measures, told = [], []
    for distance in settings.distances:
        worst = worst_of(parts, distance)
        if worst is None:
            measures.append(Distance.not_available(distance, "too few showers in every bin"))
            continue
        measures.append(worst.distance)
        told.append(
            f"{distance.replace('_', ' ')}: {worst.observable} at {worst.label}, by chance alone the worst is at "
            f"{worst.expected:.1f} sigma"
        )
    return Finding(name, "; ".join(told), measures)


def amplification_findings(curve: Amplification | NotAvailable) -> Finding:
    """Tell how many independent showers the generated sample is worth, against those it was trained on."""
    name = "amplification"
    if isinstance(curve, NotAvailable):
        return Finding(name, "", [Distance.not_available(name, curve.reason)])
    chance = float(curve.independent[-1])
    # a sum of q - 1 squares: its root scatters by 1 / sqrt(2 (q - 1))
    whole = Distance(
        "error", float(curve.error[-1]), float(curve.error_error[-1]), chance, chance / (2 * (QUANTILES - 1)) ** 0.5
    )
    meaning = (
        f"error of the shares in {QUANTILES} quantiles, {counted(int(curve.sizes[-1]), 'generated shower')}; floor: as "
        f"many independent ones; amplification: independent showers it is worth, over "
        f"{counted(curve.training_size, 'training shower')}"
    )
    return Finding(name, meaning, [whole, _factor(curve)])


def amplification_of(
    training: FeatureTable | None, reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings
) -> Amplification:
    """Measure the error of the response against the number of generated showers.

    Raises
    ------
    InputError
        If no training showers were given, or a sample has too few values.
    """
    if training is None:
        raise InputError(NO_TRAINING)
    name = _tailed(reference)
    columns = (table.column(name) for table in (training, reference, generated))
    curve = amplification(*columns, quantiles=QUANTILES, replicas=settings.replicas, seed=settings.seed)
    if curve.reason:
        raise InputError(curve.reason)
    return curve


def _factor(curve: Amplification) -> Distance:
    if not np.isfinite(curve.factor):
        reason = f"no error left that so few reference showers could tell (worth {curve.equivalent_low:,.0f} or more)"
        return Distance.not_available("amplification", reason)
    width = (curve.equivalent_high - curve.equivalent_low) / 2 / curve.training_size
    return Distance("amplification", curve.factor, float(width) if np.isfinite(width) else np.nan, np.nan, np.nan)


def pair_findings(samples: tuple[Sample, Sample], numbers: CellNumbers) -> Finding:
    """Compare the two-point energy correlator of hits."""
    found = compare_pairs(_pairs(samples[0], numbers), _pairs(samples[1], numbers))
    meaning = f"energy-weighted distances between two hits of a shower, at most {MOST_PAIRS:,} showers: 1"
    return Finding("pairs of hits", meaning, [found.distance])


def memory_findings(
    training: FeatureTable | None, reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings
) -> Finding:
    """Tell whether generated showers are copies of training showers."""
    meaning = "share of generated showers nearer to a training shower than to a held-out one: 0.5 without memory"
    if training is None:
        return Finding("memory", meaning, [Distance.not_available("nearest_in_training", NO_TRAINING)])
    tables = (_compact(table, training) for table in (training, reference, generated))
    found = memorisation(*tables, seed=settings.seed)
    return Finding("memory", meaning, [found.nearest_in_training, found.closest_1_percent])


def _compact(table: FeatureTable, like: FeatureTable) -> F32:
    """Return the leading principal components of the observables of `like`: float32 [n_showers, n_components].

    Neighbours mean little in hundreds of dimensions, and most observables of layers and rings say the same. Of the
    observables that vary, but for centres and widths of layers (NaN where empty), standardised.
    """
    values = like.filled().values
    varies = values.std(axis=0) > 1e-6 * np.abs(values).max(axis=0, initial=0.0)
    columns = [number for number, group in enumerate(like.groups) if group in COMPACT_GROUPS and varies[number]]
    columns = columns or np.flatnonzero(varies).tolist()
    mean, spread = (part[columns].astype(np.float64) for part in (values.mean(axis=0), values.std(axis=0)))
    standard = (values[:, columns] - mean) / spread
    variances, directions = np.linalg.eigh(standard.T @ standard / len(standard))
    kept = directions[:, ::-1][:, : min(COMPONENTS, int((variances > SMALLEST * variances.max(initial=0.0)).sum()))]
    return np.asarray((table.filled().values[:, columns] - mean) / spread @ kept, np.float32)


def _tailed(table: FeatureTable) -> str:
    return next((name for name in TAILED if name in table.names), table.names[0])


def _pairs(sample: Sample, numbers: CellNumbers) -> F64:
    chunks, left = [], MOST_PAIRS
    for showers in sample.chunks():
        some = showers[:left]
        chunks.append(pair_correlation(some, numbers))
        left -= len(some)
        if not left:
            break
    return np.concatenate(chunks)
