"""Which features of a generated sample differ most from the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation.distances import DISTANCES, Distance
from hgcal_gnn.evaluation.resampling import REPLICAS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.evaluation.features import FeatureTable

SIGNIFICANT = 3.0  # standard deviations of chance


@dataclass(frozen=True)
class RankedFeature:
    """One feature and how far apart the samples are in it."""

    feature: str
    group: str
    unit: str
    distance: Distance

    @property
    def significant(self) -> bool:
        """Whether the samples differ by more than 3 standard deviations of chance."""
        return self.distance.significance > SIGNIFICANT


def rank_features(
    reference: FeatureTable,
    generated: FeatureTable,
    *,
    distance: str = "separation_power",
    replicas: int = REPLICAS,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> list[RankedFeature]:
    """Order features by how much they differ.

    First those that differ significantly, by the size of the difference (the excess over chance: it does not depend
    on the number of showers), then the others by significance, last those that cannot be measured.

    Parameters
    ----------
    distance
        Of `DISTANCES`.
    progress
        Called with the number of features done.

    Raises
    ------
    UsageError
        For a distance that does not exist.
    InputError
        If the tables have different features.
    """
    if distance not in DISTANCES:
        msg = f"no distance {distance!r}; there are {', '.join(DISTANCES)}"
        raise UsageError(msg)
    check_same_features(reference, generated)
    ranked = []
    for column, (name, group, unit) in enumerate(zip(reference.names, reference.groups, reference.units, strict=True)):
        found = DISTANCES[distance](
            reference.values[:, column], generated.values[:, column], replicas=replicas, seed=seed + column
        )
        ranked.append(RankedFeature(name, group, unit, found))
        if progress is not None:
            progress(column + 1)
    return sorted(ranked, key=_key, reverse=True)


def check_same_features(reference: FeatureTable, generated: FeatureTable) -> None:
    """Refuse tables of different features.

    Raises
    ------
    InputError
        If there are any.
    """
    if reference.names != generated.names:
        odd = sorted(set(reference.names) ^ set(generated.names))
        msg = f"the samples have different features ({', '.join(odd[:5]) or 'in another order'}); compute both alike"
        raise InputError(msg)


def _key(entry: RankedFeature) -> tuple[int, float]:
    distance = entry.distance
    if not distance.available:
        return (0, 0.0)
    if entry.significant:
        return (3, distance.excess)
    return (2, distance.significance) if distance.floor_error > 0 else (1, distance.excess)
