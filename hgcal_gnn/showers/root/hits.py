"""From the hits of events as files give them to showers in the rows of a geometry: look-up, checks, counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.showers.cell_lookup import CellLookup
from hgcal_gnn.showers.columns import COLUMNS
from hgcal_gnn.showers.file_report import OTHER_SIDE, UNKNOWN_CELL, FileReport, finite_sum
from hgcal_gnn.showers.input_rules import InputRules, apply_rules, judge_hits
from hgcal_gnn.showers.root.particles import INCIDENT
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.showers.unknown_cells import added_unknown, cee_layers_of, count_unknown, describe_unknown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.root.particles import Incident


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
    showers = _in_known_cells(showers, hits.cell_id, cells, rules, report)
    showers = _with_particles(showers, incident, cells.z_side, report)
    showers = apply_rules(showers, rules, report, expect_particles=incident.expected)
    report.events += hits.n_events
    return showers


def _in_known_cells(
    showers: Showers, ids: NDArray[np.integer], cells: CellRows, rules: InputRules, report: FileReport
) -> Showers:
    """Refuse or drop hits whose cells the geometry does not hold; count them by subdetector and layer."""
    unknown = showers.cell < 0
    if not unknown.any():
        return showers
    counted = count_unknown(ids[unknown], showers.energy[unknown], cells.cee_layers)
    detail = f" ({describe_unknown(counted)}; is this the geometry the file was made with?)"
    judge_hits(UNKNOWN_CELL, unknown, rules.unknown, showers, report, detail)
    report.unknown_cells = added_unknown([*report.unknown_cells, *counted])
    return showers.where(~unknown)


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
