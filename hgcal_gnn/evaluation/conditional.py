"""Distances in bins of the incident energy or of another condition: agreement on average may hide disagreement."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation.distances import DISTANCES, Distance
from hgcal_gnn.evaluation.energy_bins import MOST_BEAMS
from hgcal_gnn.evaluation.ranking import check_same_features
from hgcal_gnn.evaluation.resampling import REPLICAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, I64
    from hgcal_gnn.evaluation.features import FeatureTable

BINS = 8


@dataclass(frozen=True, eq=False)
class Conditional:
    """Distances of features in bins of a condition.

    Attributes
    ----------
    condition
        Its name: "incident energy [GeV]", "eta".
    edges : float64 [n_bins + 1]
    labels : tuple of str
        Of the bins.
    features : tuple of str
    distances : tuple of tuple of Distance
        Of each feature, in each bin.
    """

    condition: str
    edges: F64
    labels: tuple[str, ...]
    features: tuple[str, ...]
    distances: tuple[tuple[Distance, ...], ...]

    def entries(self) -> Iterator[tuple[str, str, Distance]]:
        """Iterate over (feature, bin, distance) of what is available."""
        for feature, row in zip(self.features, self.distances, strict=True):
            for label, distance in zip(self.labels, row, strict=True):
                if distance.available:
                    yield feature, label, distance

    def worst(self) -> tuple[str, str, Distance] | None:
        """Return feature, bin and distance of the largest significance; None if nothing is available."""
        measured = [entry for entry in self.entries() if np.isfinite(entry[2].significance)]
        return max(measured, key=lambda entry: entry[2].significance, default=None)

    @property
    def expected_worst(self) -> float:
        """The largest significance that chance gives in so many comparisons, were they independent and normal.

        Median of the largest of k normal numbers.
        """
        number = sum(1 for _ in self.entries())
        return float(ndtri(0.5 ** (1 / number))) if number else np.nan

    def array(self, field: str) -> F64:
        """Return a number of the distances ("value", "error", "floor", "excess", ...), [n_features, n_bins]."""
        return np.array([[getattr(distance, field) for distance in row] for row in self.distances], np.float64)


def conditional_distances(
    reference: FeatureTable,
    generated: FeatureTable,
    *,
    along: tuple[ArrayLike, ArrayLike] | None = None,
    condition: str = "incident energy [GeV]",
    features: Sequence[str] | None = None,
    bins: int = BINS,
    distance: str = "separation_power",
    replicas: int = REPLICAS,
    seed: int = 0,
) -> Conditional:
    """Measure a distance of features in bins with equally many reference showers each.

    Where the condition takes 20 values or fewer, as beams of fixed energies do, each value is a bin. Bins with fewer
    than 100 showers of a sample are "not available".

    Parameters
    ----------
    along : (float [n], float [m])
        The condition of each reference and generated shower, such as eta. Default: the incident energies.
    condition
        What it is called.
    features
        Default: all of the table.

    Raises
    ------
    InputError
        If the tables have different features, or the condition has not one number per shower.
    UsageError
        For a distance or a feature that does not exist, or fewer than one bin.
    """
    if distance not in DISTANCES or bins < 1:
        msg = f"no distance {distance!r} in {bins} bins; there are {', '.join(DISTANCES)}, in 1 bin or more"
        raise UsageError(msg)
    check_same_features(reference, generated)
    ours, theirs = _condition(reference, generated, along)
    edges, labels = condition_bins(ours, bins)
    places = _assign(ours, edges), _assign(theirs, edges)
    names = reference.names if features is None else tuple(features)
    measure = DISTANCES[distance]
    rows = []
    for name in names:
        columns = reference.column(name), generated.column(name)
        inside = [(columns[0][places[0] == k], columns[1][places[1] == k]) for k in range(len(labels))]
        rows.append(tuple(measure(*pair, replicas=replicas, seed=seed + k) for k, pair in enumerate(inside)))
    return Conditional(condition, edges, labels, names, tuple(rows))


def condition_bins(values: F64, bins: int = BINS) -> tuple[F64, tuple[str, ...]]:
    """Return edges and labels of bins with equally many values, or of one per value if these are few."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.array([-np.inf, np.inf]), ("all",)
    known = np.unique(finite)
    if len(known) <= MOST_BEAMS:
        middle = (known[1:] + known[:-1]) / 2
        return np.concatenate([[-np.inf], middle, [np.inf]]), tuple(f"{value:.4g}" for value in known)
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1)))
    labels = tuple(f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges))
    edges[[0, -1]] = -np.inf, np.inf  # a generated shower just beyond the range belongs to the outermost bin
    return edges, labels


def _assign(values: F64, edges: F64) -> I64:
    return np.where(np.isfinite(values), np.searchsorted(edges, values, side="right") - 1, -1)


def _condition(
    reference: FeatureTable, generated: FeatureTable, along: tuple[ArrayLike, ArrayLike] | None
) -> tuple[F64, F64]:
    found = (reference.incident_energy, generated.incident_energy) if along is None else along
    ours, theirs = (np.asarray(values, np.float64) for values in found)
    if ours.shape != (len(reference),) or theirs.shape != (len(generated),):
        needed = f"{len(reference)} and {len(generated)}"
        msg = f"one condition per shower is needed: {needed} numbers, got shapes {ours.shape} and {theirs.shape}"
        raise InputError(msg)
    return ours, theirs
