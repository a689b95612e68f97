"""Parts of a report that train networks to tell the samples apart: by observables, by hits, by cells.

torch is imported where it is needed: a report without it lacks these parts only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hgcal_gnn.evaluation.report.availability import NotAvailable, attempt, too_few
from hgcal_gnn.evaluation.report.distance_parts import LEFT_OUT, sizes

if TYPE_CHECKING:
    from hgcal_gnn.evaluation.classifier import ClassifierResult
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.samples import Sample
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile

FEW_SHARES = (0.25, 1.0)  # of the learning curve on hits and cells, whose trainings take minutes


def on_observables(
    reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings
) -> ClassifierResult | NotAvailable:
    """Train dense networks on all observables."""

    def train() -> ClassifierResult:
        from hgcal_gnn.evaluation.classifier import classifier_test  # noqa: PLC0415

        return classifier_test(
            reference.values, generated.values, folds=settings.folds, epochs=settings.epochs, seed=settings.seed,
            curve=settings.curve,
        )  # fmt: skip

    unless = LEFT_OUT if "classifier" in settings.skip else too_few(sizes(reference, generated))
    return attempt("classifier", train, unless=unless)


def on_hits(
    samples: tuple[Sample, Sample], graph: CellGraph, material: MaterialProfile, settings: EvaluationSettings
) -> ClassifierResult | NotAvailable:
    """Train graph networks on the hits of at most `settings.hit_showers` showers of each sample."""

    def train() -> ClassifierResult:
        from hgcal_gnn.evaluation.classifier import classifier_test_on_hits  # noqa: PLC0415

        some = _some(samples, settings)
        return classifier_test_on_hits(*some, graph, material, **_options(settings))

    return attempt("classifier on hits", train, unless=_unless("classifier_hits", samples, settings))


def on_cells(
    samples: tuple[Sample, Sample], graph: CellGraph, settings: EvaluationSettings
) -> ClassifierResult | NotAvailable:
    """Train dense networks on all cells of a regular built-in detector; as many showers as on hits."""

    def train() -> ClassifierResult:
        from hgcal_gnn.batching.voxels import VoxelTensors  # noqa: PLC0415
        from hgcal_gnn.evaluation.classifier import classifier_test_on_cells  # noqa: PLC0415

        some = _some(samples, settings)
        return classifier_test_on_cells(*some, VoxelTensors(graph.cells.detector), **_options(settings))

    unless = _unless("classifier_cells", samples, settings) or _irregular(graph)
    return attempt("classifier on cells", train, unless=unless)


def _irregular(graph: CellGraph) -> str:
    """Say why the cells form no arrays, if so."""
    from hgcal_gnn.errors import HgcalError  # noqa: PLC0415
    from hgcal_gnn.geometry.detectors import make_detector, voxel_map  # noqa: PLC0415

    name = graph.cells.detector
    try:
        voxel_map(name)
    except HgcalError:
        return "the cells form no regular arrays"
    is_whole = make_detector(name).sha256 == graph.cells_sha256
    return "" if is_whole else f"the geometry is not the whole {name} detector"


def _some(samples: tuple[Sample, Sample], settings: EvaluationSettings) -> tuple[Any, Any]:
    one, two = (sample.at_most(settings.hit_showers, settings.seed).showers() for sample in samples)
    return one, two


def _options(settings: EvaluationSettings) -> dict[str, Any]:
    from hgcal_gnn.evaluation.classifier import ON_SHOWERS  # noqa: PLC0415

    chosen = replace(ON_SHOWERS, folds=settings.hit_folds, epochs=settings.hit_epochs, seed=settings.seed)
    return {"settings": chosen, "curve": FEW_SHARES if settings.curve else ()}


def _unless(part: str, samples: tuple[Sample, Sample], settings: EvaluationSettings) -> str:
    if part in settings.skip:
        return LEFT_OUT
    return too_few({"the reference": len(samples[0]), "the sample": len(samples[1])})
