"""What a referee asks, answered as findings: each a few numbers with errors and floors, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.conditional import conditional_distances
from hgcal_gnn.evaluation.coverage import coverage
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.memorisation import memorisation
from hgcal_gnn.evaluation.referee import layer_correlations
from hgcal_gnn.evaluation.report.contents import Finding
from hgcal_gnn.evaluation.tails import tails
from hgcal_gnn.evaluation.two_point import compare_pairs, pair_correlation

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.samples import Sample
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings
    from hgcal_gnn.geometry.cell_numbers import CellNumbers

TAILED = ("response", "E_ratio", "energy", "E_tot")  # the first of these that is there
SMALL_GROUPS = ("energy", "longitudinal", "radial", "shape")  # neighbours mean little in hundreds of dimensions
MOST_PAIRS = 2000  # showers whose pairs of hits are counted: the time grows as the square of their hits


def coverage_findings(reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings) -> Finding:
    """Tell whether generated showers are realistic and whether all kinds of reference showers are among them."""
    found = coverage(_compact(reference, reference), _compact(generated, reference), seed=settings.seed)
    measures = [found.precision, found.recall, found.density, found.coverage]
    meaning = "precision, density: generated showers look like the reference; recall, coverage: none are missing"
    return Finding("coverage", meaning, measures)


def tail_findings(reference: FeatureTable, generated: FeatureTable) -> Finding:
    """Compare the tails of the response."""
    name = next((name for name in TAILED if name in reference.names), reference.names[0])
    found = tails(reference.column(name), generated.column(name))
    measures = [found.low_quantile, found.high_quantile, found.low_share, found.high_share]
    return Finding("tails", f"{name}: 0.1 % quantiles and shares beyond them, generated over reference: 1", measures)


def layer_findings(reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings) -> Finding:
    """Compare the correlations between layers."""
    found = layer_correlations(reference, generated, replicas=settings.replicas, seed=settings.seed)
    return Finding("layers", "mean difference of the correlations between the energies of layers", [found])


def eta_findings(
    reference: FeatureTable, generated: FeatureTable, samples: tuple[Sample, Sample], settings: EvaluationSettings
) -> Finding:
    """Find the worst distance in bins of eta."""
    name = "worst_in_eta"
    eta = _eta(samples[0]), _eta(samples[1])
    if not all(np.isfinite(one).any() for one in eta):
        reason = "the directions of the incident particles are not known"
        return Finding("eta", reason, [Distance.not_available(name, reason)])
    if max(float(np.nanmax(one)) for one in eta) - min(float(np.nanmin(one)) for one in eta) < 1e-3:
        reason = "all showers have the same eta"
        return Finding("eta", reason, [Distance.not_available(name, reason)])
    found = conditional_distances(
        reference, generated, along=eta, condition="eta", distance=settings.distances[0],
        replicas=settings.replicas, seed=settings.seed,
    )  # fmt: skip
    worst = found.worst()
    if worst is None:
        return Finding("eta", "worst bin of eta", [Distance.not_available(name, "too few showers in every bin")])
    meaning = f"{worst[0]} at eta {worst[1]}; by chance alone the worst is {found.expected_worst:.1f} sigma"
    return Finding("eta", meaning, [worst[2]])


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
        return Finding("memory", meaning, [Distance.not_available("nearest_in_training", "give --training FILE")])
    tables = (_compact(table, training) for table in (training, reference, generated))
    found = memorisation(*tables, seed=settings.seed)
    return Finding("memory", meaning, [found.nearest_in_training, found.closest_1_percent])


def _compact(table: FeatureTable, like: FeatureTable) -> F32:
    """Return the features of whole showers that vary in `like`, NaN as 0: float32 [n_showers, n_features]."""
    values = like.filled().values
    varies = values.std(axis=0) > 1e-6 * np.abs(values).max(axis=0, initial=0.0)
    columns = [
        number
        for number, (name, group) in enumerate(zip(like.names, like.groups, strict=True))
        if group in SMALL_GROUPS and varies[number] and not any(letter.isdigit() for letter in name)
    ]
    return table.filled().values[:, columns or np.flatnonzero(varies).tolist()]


def _eta(sample: Sample) -> F64:
    x, y, z = (sample.column(f"direction_{axis}").astype(np.float64) for axis in "xyz")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.arcsinh(z / np.hypot(x, y)))


def _pairs(sample: Sample, numbers: CellNumbers) -> F64:
    chunks, left = [], MOST_PAIRS
    for showers in sample.chunks():
        some = showers[:left]
        chunks.append(pair_correlation(some, numbers))
        left -= len(some)
        if not left:
            break
    return np.concatenate(chunks)
