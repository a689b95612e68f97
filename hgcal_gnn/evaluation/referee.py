"""What a referee asks beyond a table of distances, in one place; see the modules for the definitions.

Conditional distances with the worst bin, tails, precision and recall, density and coverage, memorisation, correlations
of hit pairs and of layers, amplification, spread over training seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.amplification import Amplification, amplification
from hgcal_gnn.evaluation.conditional import Conditional, conditional_distances
from hgcal_gnn.evaluation.correlations import layer_correlations
from hgcal_gnn.evaluation.coverage import Coverage, coverage
from hgcal_gnn.evaluation.memorisation import Memorisation, memorisation
from hgcal_gnn.evaluation.tails import Tails, tails
from hgcal_gnn.evaluation.two_point import PairCorrelation, compare_pairs, pair_correlation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.evaluation.distance import Distance

__all__ = [
    "Amplification",
    "Conditional",
    "Coverage",
    "Memorisation",
    "PairCorrelation",
    "SeedSpread",
    "Tails",
    "amplification",
    "compare_pairs",
    "conditional_distances",
    "coverage",
    "layer_correlations",
    "memorisation",
    "pair_correlation",
    "spread_over_seeds",
    "tails",
]


@dataclass(frozen=True)
class SeedSpread:
    """One distance of several trainings that differ by their seed only.

    Attributes
    ----------
    name
    number
        Trainings with a value.
    mean
    error
        Of the mean, from the observed spread; NaN with fewer than two trainings.
    spread
        Standard deviation between trainings, that of finite samples (their `error`) taken off; 0 if they
        explain it all.
    spread_error
        For a normal spread: observed standard deviation / sqrt(2 (number - 1)).
    best, worst
        Smallest and largest value.
    floor
        Mean of the floors.
    """

    name: str
    number: int
    mean: float
    error: float
    spread: float
    spread_error: float
    best: float
    worst: float
    floor: float


def spread_over_seeds(distances: Sequence[Distance]) -> SeedSpread:
    """Summarise one distance, measured for each of several training seeds."""
    name = distances[0].name if distances else ""
    usable = [distance for distance in distances if distance.available]
    if not usable:
        return SeedSpread(name, 0, *[np.nan] * 7)
    values = np.array([distance.value for distance in usable])
    errors = np.array([distance.error for distance in usable])
    n = len(values)
    observed = float(values.std(ddof=1)) if n > 1 else np.nan
    between = max(observed**2 - float(np.nanmean(errors**2)), 0.0) ** 0.5 if n > 1 else np.nan
    return SeedSpread(
        name,
        n,
        float(values.mean()),
        observed / n**0.5,
        between,
        observed / (2 * max(n - 1, 1)) ** 0.5,
        float(values.min()),
        float(values.max()),
        float(np.mean([distance.floor for distance in usable])),
    )
