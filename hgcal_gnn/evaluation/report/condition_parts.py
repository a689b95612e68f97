"""Parts of a report that compare observables in bins: of the incident energy, of eta. Averages may hide differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.conditional import BINS, conditional_distances
from hgcal_gnn.evaluation.report.availability import NotAvailable, attempt, too_few
from hgcal_gnn.evaluation.report.contents import REFERENCE, BinPart
from hgcal_gnn.evaluation.report.distance_parts import LEFT_OUT, sizes
from hgcal_gnn.evaluation.report.samples import known_energies

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.samples import Sample
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings

SAME_ETA = 1e-3  # showers within so much have one eta
SHOWERS_PER_BIN = 120  # at least, on average, so that few bins have less than the 100 that a distance needs
FEWEST_REPLICAS = 20  # behind an error in a bin; else half of those of the whole samples: there are so many bins


def energies(
    reference: FeatureTable, generated: FeatureTable, settings: EvaluationSettings
) -> list[BinPart] | NotAvailable:
    """Compare each observable by each distance of the settings, in bins of incident energy.

    8 bins with equally many reference showers (fewer below 960 showers), or one for each beam energy.
    """
    unknown = [
        name
        for name, table in ((REFERENCE, reference), ("the sample", generated))
        if not len(known_energies(table.incident_energy))
    ]
    missing = f"no incident energies in {' and '.join(unknown)}" if unknown else ""
    few = too_few(sizes(reference, generated))
    along = _positive(reference.incident_energy), _positive(generated.incident_energy)
    return attempt(
        "energies",
        lambda: _parts(reference, generated, along, settings, unit=" GeV"),
        unless=(LEFT_OUT if "energies" in settings.skip else "") or missing or few,
    )


def by_eta(
    reference: FeatureTable, generated: FeatureTable, samples: tuple[Sample, Sample], settings: EvaluationSettings
) -> list[BinPart] | NotAvailable:
    """Compare each observable by each distance of the settings, in bins of eta of the incident particle."""
    if "eta" in settings.skip:
        return NotAvailable(LEFT_OUT)
    along = eta_of(samples[0]), eta_of(samples[1])
    return attempt(
        "eta",
        lambda: _parts(reference, generated, along, settings),
        unless=too_few(sizes(reference, generated)) or _no_eta(along),
    )


def eta_of(sample: Sample) -> F64:
    """Return the pseudorapidity of the incident particles, float64 [n_showers]; infinite along the axis of z."""
    x, y, z = (sample.column(f"direction_{axis}").astype(np.float64) for axis in "xyz")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.arcsinh(z / np.hypot(x, y)))


def _positive(energy: F32) -> F64:
    values = energy.astype(np.float64)
    return np.where(values > 0, values, np.nan)


def _no_eta(along: tuple[F64, F64]) -> str:
    """Say why there are no bins of eta, if so."""
    known = [one[np.isfinite(one)] for one in along]
    if not all(len(one) for one in known):
        return "the directions of the incident particles are not known"
    if max(float(one.max()) for one in known) - min(float(one.min()) for one in known) < SAME_ETA:
        return "all showers have the same eta"
    return ""


def _parts(
    reference: FeatureTable,
    generated: FeatureTable,
    along: tuple[F64, F64],
    settings: EvaluationSettings,
    unit: str = "",
) -> list[BinPart]:
    replicas = min(settings.replicas, max(settings.replicas // 2, FEWEST_REPLICAS))
    bins = int(np.clip(min(len(reference), len(generated)) // SHOWERS_PER_BIN, 1, BINS))
    found = {
        distance: conditional_distances(
            reference, generated, along=along, bins=bins, distance=distance, replicas=replicas, seed=settings.seed
        )
        for distance in settings.distances
    }
    first = found[settings.distances[0]]
    counts = [np.histogram(one[np.isfinite(one)], first.edges)[0].tolist() for one in along]
    known = np.concatenate([one[np.isfinite(one)] for one in along])
    edges = np.clip(first.edges, known.min(), known.max()).tolist()  # the outermost ones are infinite
    return [
        BinPart(
            label=f"{label}{unit}", low=edges[place], high=edges[place + 1], n_reference=counts[0][place],
            n_generated=counts[1][place],
            distances={
                name: measured
                for row, name in enumerate(first.features)
                if (measured := {
                    distance: one.distances[row][place]
                    for distance, one in found.items()
                    if one.distances[row][place].available
                })
            },
        )
        for place, label in enumerate(first.labels)
    ]  # fmt: skip
