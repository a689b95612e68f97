"""What an evaluation found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from scipy.special import kolmogi

from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.ranking import SIGNIFICANT
from hgcal_gnn.evaluation.report.availability import NotAvailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hgcal_gnn.evaluation.after_reconstruction import AfterReconstruction
    from hgcal_gnn.evaluation.amplification import Amplification
    from hgcal_gnn.evaluation.classifier import ClassifierResult
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.hit_spectrum import HitSpectrum
    from hgcal_gnn.evaluation.referee import SeedSpread
    from hgcal_gnn.evaluation.report.samples import Sample
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings

MISSING = NotAvailable("not computed")
REFERENCE = "reference"
KOLMOGOROV_MEAN, KOLMOGOROV_DEVIATION = 0.868731, 0.260333  # sqrt(pi/2) ln 2; sqrt(pi^2/12 - pi/2 ln^2 2)


class BinPart(NamedTuple):
    """The showers of one bin of a condition: of incident energy, of eta.

    Attributes
    ----------
    label
        "50 GeV", "20 to 50 GeV", "1.6 to 1.8".
    low, high
        Edges of the bin [GeV, or none].
    n_reference, n_generated
        Showers in it.
    distances
        Observable -> name of the distance -> value, error and floor; only what could be measured.
    """

    label: str
    low: float
    high: float
    n_reference: int
    n_generated: int
    distances: Mapping[str, Mapping[str, Distance]]

    def column(self, distance: str) -> dict[str, Distance]:
        """Return one distance of all observables."""
        return {name: found[distance] for name, found in self.distances.items() if distance in found}

    def worst(self, distance: str, number: int = 3) -> list[tuple[str, Distance]]:
        """Return the observables that differ most."""
        return ranked(self.column(distance))[:number]


class Worst(NamedTuple):
    """The most significant difference in any bin of a condition.

    Attributes
    ----------
    label, observable, distance
    expected
        Significance that chance gives to the worst of so many comparisons, were they independent and distributed as
        that of Kolmogorov and Smirnov.
    """

    label: str
    observable: str
    distance: Distance
    expected: float


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


class SeedGroup(NamedTuple):
    """Trainings of one model that differ in their seed only.

    Attributes
    ----------
    samples
        Names of what they generated.
    spreads
        Mean and spread of the headline numbers.
    """

    samples: tuple[str, ...]
    spreads: Sequence[SeedSpread]


@dataclass
class Comparison:
    """One generated sample against the reference.

    Attributes
    ----------
    distances
        Observable -> name of the distance -> value, error and floor.
    correlation
        Mean absolute difference of the correlation matrices.
    total_energy
        chi2/ndf of the total energy over the incident energies, CaloShowerGAN's selection metric.
    frechet, kernel
        Physics distances.
    classifier, classifier_hits, classifier_cells
        On observables, hits, cells.
    energies, eta
        Distances by bins of incident energy and of eta.
    reconstruction
        After digitisation, noise and clustering.
    referee
        Memorisation, coverage, tails, correlations of hits, worst bins, amplification.
    amplification
        The curve behind the finding of that name.
    """

    distances: Mapping[str, Mapping[str, Distance]] = field(default_factory=dict)
    correlation: Distance = field(default_factory=lambda: Distance.not_available("correlation", MISSING.reason))
    total_energy: Distance = field(default_factory=lambda: Distance.not_available("total_energy_chi2", MISSING.reason))
    frechet: Distance = field(default_factory=lambda: Distance.not_available("frechet", MISSING.reason))
    kernel: Distance = field(default_factory=lambda: Distance.not_available("kernel", MISSING.reason))
    classifier: ClassifierResult | NotAvailable = MISSING
    classifier_hits: ClassifierResult | NotAvailable = MISSING
    classifier_cells: ClassifierResult | NotAvailable = MISSING
    energies: Sequence[BinPart] | NotAvailable = MISSING
    eta: Sequence[BinPart] | NotAvailable = MISSING
    reconstruction: AfterReconstruction | NotAvailable = MISSING
    referee: Sequence[Finding] | NotAvailable = MISSING
    amplification: Amplification | NotAvailable = MISSING

    @property
    def classifiers(self) -> dict[str, ClassifierResult | NotAvailable]:
        """The classifier tests by what the networks see."""
        return {"observables": self.classifier, "hits": self.classifier_hits, "cells": self.classifier_cells}

    def headline(self, distance: str) -> dict[str, Distance]:
        """Return the numbers that judge the sample as a whole, by name."""
        tests = {f"classifier_{kind}_auc": found for kind, found in self.classifiers.items()}
        return {
            f"{distance}_mean": self.mean_of(distance),
            "frechet_physics_distance": self.frechet,
            "kernel_physics_distance": self.kernel,
            "correlation_difference": self.correlation,
            "total_energy_chi2": self.total_energy,
            **{
                name: Distance.not_available(name, found.reason) if isinstance(found, NotAvailable) else found.auc
                for name, found in tests.items()
            },
        }

    def mean_of(self, distance: str) -> Distance:
        """Return the mean of a distance over the observables, with errors as if they were independent."""
        known = [one for one in self.column(distance).values() if one.available and math.isfinite(one.excess)]
        name, n = f"{distance}_mean", len(known)
        if not n:
            return Distance.not_available(name, "no observable could be compared")

        def together(errors: Sequence[float]) -> float:
            return math.sqrt(sum(error**2 for error in errors if math.isfinite(error))) / n

        return Distance(
            name, sum(one.value for one in known) / n, together([one.error for one in known]),
            sum(one.floor for one in known) / n, together([one.floor_error for one in known]),
        )  # fmt: skip

    def column(self, distance: str) -> dict[str, Distance]:
        """Return one distance of all observables."""
        return {name: found[distance] for name, found in self.distances.items()}

    def differing(self, distance: str) -> list[tuple[str, Distance]]:
        """Return the observables whose distance is known, those that differ most first."""
        return ranked(self.column(distance))

    def mean_excess(self, distance: str) -> tuple[float, float]:
        """Return the mean excess over the floor of all observables and its error, as if they were independent."""
        mean = self.mean_of(distance)
        return mean.excess, mean.error


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
    models
        Name of a model -> its trainings with different seeds.
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
    models: dict[str, SeedGroup] = field(default_factory=dict)
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


def worst_of(parts: Sequence[BinPart], distance: str) -> Worst | None:
    """Return the most significant difference in any bin; None if nothing was measured."""
    entries = [(part.label, name, found) for part in parts for name, found in part.column(distance).items()]
    known = [entry for entry in entries if math.isfinite(entry[2].significance)]
    if not known:
        return None
    # median of the largest of so many; distances are never negative, and their tail is longer than a normal one
    expected = (float(kolmogi(1 - 0.5 ** (1 / len(known)))) - KOLMOGOROV_MEAN) / KOLMOGOROV_DEVIATION
    return Worst(*max(known, key=lambda entry: entry[2].significance), expected)


def _order(distance: Distance) -> tuple[bool, float]:
    if distance.significance > SIGNIFICANT:
        return True, distance.excess
    return False, distance.significance if math.isfinite(distance.significance) else -math.inf
