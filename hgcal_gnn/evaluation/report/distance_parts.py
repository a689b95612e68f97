"""Parts of a report that follow from the features: distances of each observable and of all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.correlations import correlation_difference
from hgcal_gnn.evaluation.distances import DISTANCES
from hgcal_gnn.evaluation.report.availability import attempt_distance, too_few
from hgcal_gnn.evaluation.report.incident import NEED_INCIDENT, unknown_energies
from hgcal_gnn.evaluation.total_energy import total_energy_chi2

if TYPE_CHECKING:
    from hgcal_gnn.arrays import Array
    from hgcal_gnn.evaluation.distance import Distance
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings

TOTAL_ENERGIES = ("energy", "visible", "E_tot")  # the first of these that is there
WELL_FILLED = 2000  # showers from which on batches have the published sizes
LEFT_OUT = "left out (--skip, or --quick)"


def distances(
    reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings
) -> dict[str, dict[str, Distance]]:
    """Compare each observable by each distance of the settings."""
    unknown = unknown_energies(reference, generated)
    unless = {name: unknown if name in NEED_INCIDENT else "" for name in reference.names}
    return {
        name: {
            distance: _distance(distance, reference.column(name), generated.column(name), settings, unless[name])
            for distance in settings.distances
        }
        for name in reference.names
    }


def correlation(reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings) -> Distance:
    """Compare the correlations between the observables that change from shower to shower."""
    names = correlated(reference, generated)
    rows = [reference.names.index(name) for name in names]
    few = too_few(sizes(reference, generated)) or ("" if len(names) > 1 else "fewer than two observables that vary")

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
    unless = LEFT_OUT if "physics_distance" in settings.skip else too_few(sizes(reference, generated))

    def frechet() -> Distance:
        from hgcal_gnn.evaluation.physics_distance import frechet_physics_distance  # noqa: PLC0415

        # batches are drawn with replacement: of a few hundred showers, larger ones bring nothing but work
        share = min(1.0, min(sizes(reference, generated).values()) / WELL_FILLED)
        smallest, largest = (round(share * size) for size in settings.batch_sizes)
        return frechet_physics_distance(
            reference.values,
            generated.values,
            min_samples=smallest,
            max_samples=largest,
            batches=settings.batches,
        )

    def kernel() -> Distance:
        from hgcal_gnn.evaluation.kernel_distance import kernel_physics_distance  # noqa: PLC0415

        # 10 where the Frechet distance takes 20 of each size, as published
        return kernel_physics_distance(reference.values, generated.values, batches=max(settings.batches // 2, 2))

    return attempt_distance("frechet_physics_distance", frechet, unless=unless), attempt_distance(
        "kernel_physics_distance", kernel, unless=unless
    )


def total_energy(reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings) -> Distance:
    """Compare the total energies over the incident energies, CaloShowerGAN's selection metric."""
    name = next((name for name in TOTAL_ENERGIES if name in reference.names), "")

    def compare() -> Distance:
        totals, incident = zip(*((table.column(name), table.incident_energy) for table in (reference, generated)),
                               strict=True)  # fmt: skip
        return total_energy_chi2(*totals, *incident, replicas=settings.replicas, seed=settings.seed)

    return attempt_distance(
        "total_energy_chi2",
        compare,
        unless=too_few(sizes(reference, generated))
        or ("" if name else "the total energy is not among the observables"),
    )


def _distance(distance: str, reference: Array, generated: Array, settings: EvaluationSettings, unless: str) -> Distance:
    """Compare one observable; what cannot be measured says so itself."""
    options = {"replicas": settings.replicas, "seed": settings.seed}
    return attempt_distance(distance, lambda: DISTANCES[distance](reference, generated, **options), unless=unless)


def _varies(values: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(values.std(axis=0) > 1e-6 * np.abs(values).max(axis=0, initial=0.0))


def sizes(reference: FeatureTable, generated: FeatureTable) -> dict[str, int]:
    """Return the numbers of showers, as `too_few` takes them."""
    return {"the reference": len(reference.values), "the sample": len(generated.values)}
