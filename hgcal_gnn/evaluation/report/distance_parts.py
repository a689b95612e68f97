"""Parts of a report that follow from the features: distances of each observable, of all together, by energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.conditional import conditional_distances
from hgcal_gnn.evaluation.correlations import correlation_difference
from hgcal_gnn.evaluation.distances import DISTANCES
from hgcal_gnn.evaluation.report.availability import NotAvailable, attempt, attempt_distance, too_few
from hgcal_gnn.evaluation.report.contents import REFERENCE, EnergyPart
from hgcal_gnn.evaluation.report.samples import known_energies

if TYPE_CHECKING:
    from hgcal_gnn.arrays import Array
    from hgcal_gnn.evaluation.classifier import ClassifierResult
    from hgcal_gnn.evaluation.distance import Distance
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings

LEFT_OUT = "left out (--skip, or --quick)"


def distances(
    reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings
) -> dict[str, dict[str, Distance]]:
    """Compare each observable by each distance of the settings."""
    return {
        name: {
            distance: _distance(distance, reference.column(name), generated.column(name), settings)
            for distance in settings.distances
        }
        for name in reference.names
    }


def correlation(reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings) -> Distance:
    """Compare the correlations between the observables that change from shower to shower."""
    names = correlated(reference, generated)
    rows = [reference.names.index(name) for name in names]
    few = too_few(_sizes(reference, generated)) or ("" if len(names) > 1 else "fewer than two observables that vary")

    def difference() -> Distance:
        matrices = reference.values[:, rows], generated.values[:, rows]
        return correlation_difference(*matrices, replicas=settings.replicas, seed=settings.seed)

    return attempt_distance(
        "correlation_difference",
        difference,
        unless=LEFT_OUT if "correlation" in settings.skip else few,
    )


def correlated(*tables: FeatureTable) -> list[str]:
    """Return the observables that all showers of all tables have and that vary in each of them."""
    fit = np.logical_and.reduce([np.isfinite(table.values).all(axis=0) & _varies(table.values) for table in tables])
    return [name for name, usable in zip(tables[0].names, fit.tolist(), strict=True) if usable]


def physics_distances(
    reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings
) -> tuple[Distance, Distance]:
    """Frechet and kernel distance of all observables together."""
    unless = LEFT_OUT if "physics_distance" in settings.skip else too_few(_sizes(reference, generated))

    def frechet() -> Distance:
        from hgcal_gnn.evaluation.physics_distance import frechet_physics_distance  # noqa: PLC0415

        smallest, batches = settings.batch_sizes, settings.batches
        return frechet_physics_distance(
            reference.values, generated.values, min_samples=smallest[0], max_samples=smallest[1], batches=batches
        )

    def kernel() -> Distance:
        from hgcal_gnn.evaluation.kernel_distance import kernel_physics_distance  # noqa: PLC0415

        return kernel_physics_distance(reference.values, generated.values, batches=settings.batches)

    return attempt_distance("frechet_physics_distance", frechet, unless=unless), attempt_distance(
        "kernel_physics_distance", kernel, unless=unless
    )


def classifier(
    reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings
) -> ClassifierResult | NotAvailable:
    """Train a network to tell the samples apart by their observables."""

    def train() -> ClassifierResult:
        from hgcal_gnn.evaluation.classifier import classifier_test  # noqa: PLC0415 (needs torch)

        return classifier_test(
            reference.values, generated.values, folds=settings.folds, epochs=settings.epochs, seed=settings.seed
        )

    unless = LEFT_OUT if "classifier" in settings.skip else too_few(_sizes(reference, generated))
    return attempt("classifier", train, unless=unless)


def energies(
    reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings
) -> list[EnergyPart] | NotAvailable:
    """Compare each observable by the first distance of the settings, in bins of incident energy."""
    unknown = [
        name
        for name, table in ((REFERENCE, reference), ("the sample", generated))
        if not len(known_energies(table.incident_energy))
    ]
    missing = f"no incident energies in {' and '.join(unknown)}" if unknown else ""
    return attempt(
        "energies",
        lambda: _energies(reference, generated, settings),
        unless=LEFT_OUT if "energies" in settings.skip else missing or too_few(_sizes(reference, generated)),
    )


def _energies(reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings) -> list[EnergyPart]:
    found = conditional_distances(
        reference, generated, distance=settings.distances[0], replicas=settings.replicas, seed=settings.seed
    )
    counts = [
        np.histogram(table.incident_energy.astype(np.float64), found.edges)[0].tolist()
        for table in (reference, generated)
    ]
    known = np.concatenate([known_energies(table.incident_energy) for table in (reference, generated)])
    edges = np.clip(found.edges, known.min(), known.max()).tolist()  # the outermost ones are infinite
    return [
        EnergyPart(
            label=f"{label} GeV", low=edges[place], high=edges[place + 1], n_reference=counts[0][place],
            n_generated=counts[1][place],
            distances={name: row[place] for name, row in zip(found.features, found.distances, strict=True)},
        )
        for place, label in enumerate(found.labels)
    ]  # fmt: skip


def _distance(distance: str, reference: Array, generated: Array, settings: EvaluationSettings) -> Distance:
    """Compare one observable; what cannot be measured says so itself."""
    options = {"replicas": settings.replicas, "seed": settings.seed}
    return attempt_distance(distance, lambda: DISTANCES[distance](reference, generated, **options))


def _varies(values: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(values.std(axis=0) > 1e-6 * np.abs(values).max(axis=0, initial=0.0))


def _sizes(reference: FeatureTable, generated: FeatureTable) -> dict[str, int]:
    return {"the reference": len(reference.values), "the sample": len(generated.values)}
