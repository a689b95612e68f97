"""Trainings of one model that differ in their seed only: mean and spread of what judges them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.referee import spread_over_seeds
from hgcal_gnn.evaluation.report.contents import SeedGroup

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hgcal_gnn.evaluation.report.contents import Evaluation


def check_models(same_model: Mapping[str, Sequence[str]], generated: Collection[str]) -> None:
    """Refuse groups of trainings that are none.

    Raises
    ------
    UsageError
        If a model has fewer than two different samples, or one that is not there.
    """
    for model, names in same_model.items():
        unknown = [name for name in names if name not in generated]
        if unknown:
            msg = f"model {model}: no generated samples {', '.join(unknown)}; there are {', '.join(generated)}"
            raise UsageError(msg)
        if len(set(names)) < 2 or len(set(names)) < len(names):
            msg = f"model {model}: {', '.join(names)} are not two or more different samples"
            raise UsageError(msg)


def seed_groups(found: Evaluation, same_model: Mapping[str, Sequence[str]]) -> dict[str, SeedGroup]:
    """Summarise the headline numbers of the trainings of each model."""
    groups = {}
    for model, names in same_model.items():
        numbers = [found.comparisons[name].headline(found.settings.distances[0]) for name in names]
        groups[model] = SeedGroup(
            tuple(names), [spread_over_seeds([replace(one[kind], name=kind) for one in numbers]) for kind in numbers[0]]
        )
    return groups
