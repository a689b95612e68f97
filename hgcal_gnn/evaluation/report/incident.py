"""Observables that need the incident energy, for samples that do not tell it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.report.samples import known_energies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.evaluation.features import FeatureTable

NEED_INCIDENT = ("response", "EnergyRatio", "IncidentEnergy")


def unknown_energies(*tables: FeatureTable) -> str:
    """Say how many showers have no incident energy; empty if all have one."""
    n_unknown = sum(len(table) - len(known_energies(table.incident_energy)) for table in tables)
    n_showers = sum(map(len, tables))
    return f"{n_unknown:,} of {n_showers:,} showers have no incident energy" if n_unknown else ""


def comparable(*tables: FeatureTable) -> Sequence[FeatureTable]:
    """Return tables without the observables that need incident energies, if any shower has none.

    A missing response would else count as one that differs, and tell all showers of one sample from those of another.
    """
    if not unknown_energies(*tables):
        return tables
    return [_without(table, NEED_INCIDENT) for table in tables]


def _without(table: FeatureTable, left_out: Sequence[str]) -> FeatureTable:
    kept = np.flatnonzero([name not in left_out for name in table.names]).tolist()
    names, groups, units = (tuple(each[i] for i in kept) for each in (table.names, table.groups, table.units))
    return replace(table, names=names, groups=groups, units=units, values=table.values[:, kept])
