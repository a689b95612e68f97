"""From the hits of events as files give them to showers in the rows of a geometry: look-up, checks, counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.cell_lookup import CellLookup
from hgcal_gnn.showers.checks import first
from hgcal_gnn.showers.columns import COLUMNS
from hgcal_gnn.showers.convert_report import (
    EMPTY,
    NEGATIVE,
    NO_PARTICLE,
    NOT_FINITE,
    OTHER_SIDE,
    SAME_CELL,
    UNKNOWN_CELL,
    FileReport,
    finite_sum,
)
from hgcal_gnn.showers.root_particles import INCIDENT
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.showers.unknown_cells import added_unknown, cee_layers_of, count_unknown, describe_unknown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.root_particles import Incident


DONE = {"keep": "kept", "drop": "dropped", "refuse": "refused"}
# how messages name the rules
OPTIONS = {
    UNKNOWN_CELL: "unknown='drop' (--unknown drop)",
    NOT_FINITE: "not_finite='drop' or 'keep' (--not-finite)",
    NEGATIVE: "negative='drop' or 'keep' (--negative)",
    EMPTY: "empty='drop' or 'keep' (--empty)",
    NO_PARTICLE: "no_particle='drop' or 'keep' (--no-particle)",
}


@dataclass(frozen=True)
class InputRules:
    """What to do with hits and events out of the ordinary; all are counted in the report.

    Attributes
    ----------
    unknown
        Hits whose cell id the geometry does not hold: they have no row, so they cannot be kept.
    not_finite, negative
        Hits with such energies.
    empty
        Events (after the above) without hits.
    no_particle
        Events without an incident particle; kept ones have NaN energy.
    merge
        Add up the deposits of one event in one cell.
    """

    unknown: Literal["refuse", "drop"] = "refuse"
    not_finite: Literal["refuse", "drop", "keep"] = "refuse"
    negative: Literal["refuse", "drop", "keep"] = "refuse"
    empty: Literal["keep", "drop", "refuse"] = "keep"
    no_particle: Literal["refuse", "drop", "keep"] = "refuse"
    merge: bool = False


@dataclass(frozen=True)
class CellRows:
    """What a conversion needs of a geometry; small enough to travel to other processes.

    Attributes
    ----------
    lookup
    z_side : int8 [n_cells]
    cells_sha256
    cee_layers
        CE-E layers counted before those of CE-H, to name the layer of unknown DetIds.
    """

    lookup: CellLookup
    z_side: NDArray[np.int8]
    cells_sha256: str
    cee_layers: int

    @classmethod
    def of(cls, cells: CellTable) -> CellRows:
        """Index a geometry table."""
        return cls(CellLookup(cells.cell_id), np.asarray(cells.z_side), cells.sha256, cee_layers_of(cells))


@dataclass(frozen=True)
class EventHits:
    """Hits of some events.

    Attributes
    ----------
    offsets : int64 [n_events + 1]
    cell_id : integers [n_hits]
    energy : float32 [n_hits]
        [GeV]
    time : float32 [n_hits] or None
        [ns], NaN where not measured.
    event : mapping of column to array [n_events]
        Columns of the store with one value per event: event_id, weight, simulated truth.
    """

    offsets: NDArray[np.int64]
    cell_id: NDArray[np.integer]
    energy: NDArray[np.float32]
    time: NDArray[np.float32] | None
    event: dict[str, NDArray[Any]]

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.offsets) - 1


def build_showers(
    hits: EventHits,
    incident: Incident,
    cells: CellRows,
    rules: InputRules,
    report: FileReport,
    metadata: ShowerMetadata,
) -> Showers:
    """Turn events into showers and count in `report` what was met.

    Raises
    ------
    InputError
        For what `rules` refuse: with the file, the counts and the first events.
    """
    showers = Showers(
        offsets=hits.offsets,
        cell=cells.lookup.rows(hits.cell_id),
        energy=hits.energy,
        time=hits.time,
        **{name: COLUMNS[name].filled(hits.n_events) for name in INCIDENT},
        **hits.event,
        metadata=metadata,
    )
    showers = _without_bad_hits(showers, hits.cell_id, cells, rules, report)
    showers = _with_particles(showers, incident, cells.z_side, report)
    showers = _without_bad_events(showers, rules, report, expect_particles=incident.expected)
    if rules.merge:
        merged = showers.merged()
        report.count(SAME_CELL, len(showers.cell) - len(merged.cell), "added up")
        showers = merged
    report.events += hits.n_events
    report.count_showers(showers)
    return showers


def _without_bad_hits(
    showers: Showers, ids: NDArray[np.integer], cells: CellRows, rules: InputRules, report: FileReport
) -> Showers:
    """Refuse, drop or keep hits in unknown cells and of impossible energies."""
    unknown = showers.cell < 0
    usable = showers.energy >= 0  # False for NaN as well
    usable &= showers.energy < np.inf
    if usable.all() and not unknown.any():
        return showers
    if unknown.any():
        counted = count_unknown(ids[unknown], showers.energy[unknown], cells.cee_layers)
        detail = f" ({describe_unknown(counted)}); is this the geometry the file was made with?"
        _judge(UNKNOWN_CELL, unknown, rules.unknown, showers, report, detail)
        report.unknown_cells = added_unknown([*report.unknown_cells, *counted])
    not_finite = ~np.isfinite(showers.energy) & ~unknown
    negative = (showers.energy < 0) & ~unknown & ~not_finite
    _judge(NOT_FINITE, not_finite, rules.not_finite, showers, report)
    _judge(NEGATIVE, negative, rules.negative, showers, report)
    keep = ~unknown
    for bad, action in ((not_finite, rules.not_finite), (negative, rules.negative)):
        if action == "drop":
            keep &= ~bad
    return showers.where(keep)


def _judge(
    reason: str, bad: NDArray[np.bool_], action: str, showers: Showers, report: FileReport, detail: str = ""
) -> None:
    """Count hits, or refuse them with an error that names the events."""
    hits = np.flatnonzero(bad)
    if len(hits) and action == "refuse":
        events = np.unique(np.searchsorted(showers.offsets, hits, side="right") - 1)
        msg = (
            f"{report.path}: {len(hits)} of {len(bad)} hits in {len(events)} of {len(showers)} events from event "
            f"{report.events} on: {reason}{detail or '; correct the file'}; first in events "
            f"{first(events + report.events)} (counted from 0); allow them by "
            f"{OPTIONS[reason]}"
        )
        raise InputError(msg)
    report.count(reason, len(hits), DONE[action], finite_sum(showers.energy[hits]))


def _with_particles(showers: Showers, incident: Incident, z_side: NDArray[np.int8], report: FileReport) -> Showers:
    """Give each shower its incident particle, and the hits of its endcap if particles were told apart by endcap."""
    if incident.side is None:
        return showers.replace(**incident.columns)
    backward = z_side[showers.cell] < 0
    is_backward = incident.side < 0
    parts = [
        showers.where(~backward)[incident.event[~is_backward]],
        showers.where(backward)[incident.event[is_backward]],
    ]
    order = np.empty(len(incident.event), np.int64)
    order[np.concatenate([np.flatnonzero(~is_backward), np.flatnonzero(is_backward)])] = np.arange(len(order))
    split = Showers.concatenate(parts)[order].replace(**incident.columns)
    lost = len(showers.cell) - len(split.cell)
    report.count(OTHER_SIDE, lost, "dropped", finite_sum(showers.energy) - finite_sum(split.energy))
    return split


def _without_bad_events(showers: Showers, rules: InputRules, report: FileReport, *, expect_particles: bool) -> Showers:
    """Refuse, drop or keep events without hits or without an incident particle."""
    empty = showers.n_hits == 0
    lonely = np.isnan(showers.incident_energy) if expect_particles else np.zeros(len(showers), bool)
    keep = np.ones(len(showers), bool)
    for reason, bad, action in ((EMPTY, empty, rules.empty), (NO_PARTICLE, lonely, rules.no_particle)):
        events = np.flatnonzero(bad)
        if len(events) and action == "refuse":
            msg = (
                f"{report.path}: {reason}: {len(events)} of {len(showers)} from event {report.events} on, first "
                f"{first(events + report.events)} (counted from 0); allow them by {OPTIONS[reason]}"
            )
            raise InputError(msg)
        report.count(reason, len(events), DONE[action])
        if action == "drop":
            keep &= ~bad
    return showers if keep.all() else showers[keep]
