"""What an evaluation found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.ranking import SIGNIFICANT
from hgcal_gnn.evaluation.report.availability import NotAvailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hgcal_gnn.evaluation.after_reconstruction import AfterReconstruction
    from hgcal_gnn.evaluation.classifier import ClassifierResult
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.hit_spectrum import HitSpectrum
    from hgcal_gnn.evaluation.report.samples import Sample
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings

MISSING = NotAvailable("not computed")
REFERENCE = "reference"


class EnergyPart(NamedTuple):
    """The showers of one bin of incident energy.

    Attributes
    ----------
    label
        "50 GeV", "20-50 GeV".
    low, high
        Edges of the bin [GeV].
    n_reference, n_generated
        Showers in it.
    distances
        Observable -> ranking distance.
    """

    label: str
    low: float
    high: float
    n_reference: int
    n_generated: int
    distances: Mapping[str, Distance]

    def worst(self, number: int = 3) -> list[tuple[str, Distance]]:
        """Return the observables that differ most."""
        return ranked(self.distances)[:number]


class Finding(NamedTuple):
    """One answer to a question that a referee would ask.

    Attributes
    ----------
    name
    meaning
        One sentence: what it says and what a perfect generator gives.
    measures
        Name -> value with error and floor.
    """

    name: str
    meaning: str
    measures: Sequence[Distance]


@dataclass
class Comparison:
    """One generated sample against the reference.

    Attributes
    ----------
    distances
        Observable -> name of the distance -> value, error and floor.
    correlation
        Mean absolute difference of the correlation matrices.
    frechet, kernel
        Physics distances.
    classifier
    energies
        The same by bins of incident energy.
    reconstruction
        After digitisation, noise and clustering.
    referee
        Memorisation, coverage, tails, correlations of hits.
    """

    distances: Mapping[str, Mapping[str, Distance]] = field(default_factory=dict)
    correlation: Distance = field(default_factory=lambda: Distance.not_available("correlation", MISSING.reason))
    frechet: Distance = field(default_factory=lambda: Distance.not_available("frechet", MISSING.reason))
    kernel: Distance = field(default_factory=lambda: Distance.not_available("kernel", MISSING.reason))
    classifier: ClassifierResult | NotAvailable = MISSING
    energies: Sequence[EnergyPart] | NotAvailable = MISSING
    reconstruction: AfterReconstruction | NotAvailable = MISSING
    referee: Sequence[Finding] | NotAvailable = MISSING

    def column(self, distance: str) -> dict[str, Distance]:
        """Return one distance of all observables."""
        return {name: found[distance] for name, found in self.distances.items()}

    def differing(self, distance: str) -> list[tuple[str, Distance]]:
        """Return the observables whose distance is known, those that differ most first."""
        return ranked(self.column(distance))

    def mean_excess(self, distance: str) -> tuple[float, float]:
        """Return the mean excess over the floor of all observables and its error, as if they were independent."""
        known = [one for one in self.column(distance).values() if one.available and math.isfinite(one.excess)]
        if not known:
            return math.nan, math.nan
        error = math.sqrt(sum(one.error**2 for one in known if math.isfinite(one.error)))
        return sum(one.excess for one in known) / len(known), error / len(known)


@dataclass
class Evaluation:
    """Everything a report shows.

    Attributes
    ----------
    settings
    detector, cells_sha256
        The geometry.
    samples
        Name -> sample; the first one, called `REFERENCE`, is the reference.
    tables
        Name -> features.
    spectra
        Name -> hit energies.
    comparisons
        Name of a generated sample -> what differs.
    seconds
        Part -> how long it took.
    """

    settings: EvaluationSettings
    detector: str
    cells_sha256: str
    samples: dict[str, Sample]
    tables: dict[str, FeatureTable] = field(default_factory=dict)
    spectra: dict[str, HitSpectrum | NotAvailable] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def reference(self) -> Sample:
        """What the others are compared to."""
        return self.samples[REFERENCE]

    @property
    def generated(self) -> dict[str, Sample]:
        """The samples that are judged."""
        return {name: sample for name, sample in self.samples.items() if name != REFERENCE}


def ranked(distances: Mapping[str, Distance]) -> list[tuple[str, Distance]]:
    """Sort what is available as `ranking.rank_features` does.

    First what differs significantly, the largest excess over the floor first; then the others by significance.
    """
    known = [pair for pair in distances.items() if pair[1].available]
    return sorted(known, key=lambda pair: _order(pair[1]), reverse=True)


def _order(distance: Distance) -> tuple[bool, float]:
    if distance.significance > SIGNIFICANT:
        return True, distance.excess
    return False, distance.significance if math.isfinite(distance.significance) else -math.inf
