"""One step of a ROOT tree, as uproot reads it, in the types and units of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.checks import first
from hgcal_gnn.showers.columns import COLUMNS
from hgcal_gnn.showers.file_report import PADDING
from hgcal_gnn.showers.ragged import copy_segments, offsets_of
from hgcal_gnn.showers.root.arrays import Ragged, join, ragged
from hgcal_gnn.showers.root.branches import ENERGY_IN_GEV, TIME_IN_NS
from hgcal_gnn.showers.root.hits import EventHits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.showers.file_report import FileReport
    from hgcal_gnn.showers.root.branches import BranchMap
    from hgcal_gnn.showers.root.tree import TreeBranches

HITS = ("cell_id", "energy")
DEPOSITS = ("deposit_begin", "deposit_end", "deposit_time")
TIMES = ("time", *DEPOSITS)


def event_hits(
    arrays: Any, found: TreeBranches, branches: BranchMap, source: str, start: int, report: FileReport
) -> EventHits:
    """Convert one step to the store's types and units."""
    timed = any("time" in entries or "deposit_time" in entries for entries in found.hits)
    collections = [_collection(arrays, entries, branches, source, report, timed=timed) for entries in found.hits]
    joined = {entry: join([hits[entry] for hits in collections]) for entry in collections[0]}
    energy, time = joined["energy"], joined.get("time")
    n_events = len(energy.offsets) - 1
    event = {entry: _one_per_event(arrays[name], name, source) for entry, name in found.event.items()}
    event.setdefault("event_id", np.arange(start, start + n_events))
    if "leaked_energy" in event:
        event["leaked_energy"] = _scaled(event["leaked_energy"], ENERGY_IN_GEV[branches.energy_unit])
    return EventHits(
        offsets=energy.offsets,
        cell_id=joined["cell_id"].values,
        energy=_scaled(energy.values, ENERGY_IN_GEV[branches.energy_unit]),
        time=None if time is None else _scaled(time.values, TIME_IN_NS[branches.time_unit]),
        event={entry: values.astype(COLUMNS[entry].dtype) for entry, values in event.items()},
    )


def _collection(
    arrays: Any, entries: dict[str, str], branches: BranchMap, source: str, report: FileReport, *, timed: bool
) -> dict[str, Ragged]:
    """Return ids, energies and (if `timed`) times of one hit collection; all lists have the same lengths."""
    hits = {entry: ragged(arrays[entries[entry]], entries[entry]) for entry in HITS}
    if "time" in entries:
        time = ragged(arrays[entries["time"]], entries["time"])
        unset = np.isin(time.values, branches.hits.no_time) if branches.hits.no_time else None
        hits["time"] = time if unset is None else Ragged(time.offsets, np.where(unset, np.nan, time.values))
    elif set(DEPOSITS) <= set(entries):
        begin, end, times = (ragged(arrays[entries[entry]], entries[entry]) for entry in DEPOSITS)
        hits["time"] = Ragged(begin.offsets, _earliest(begin, end, times, source))
    elif timed:  # other collections have times
        hits["time"] = Ragged(hits["energy"].offsets, np.full(len(hits["energy"].values), np.nan, np.float32))
    for entry, values in hits.items():
        bad = np.flatnonzero(values.counts != hits["energy"].counts)
        if len(bad):
            msg = (
                f"{source}: branches {entries['energy']} and {entries.get(entry, entry)} have different numbers of "
                f"values in {len(bad)} events, first {first(bad)} of this step"
            )
            raise InputError(msg)
    return _without_padding(arrays, entries, hits, branches, source, report)


def _without_padding(
    arrays: Any, entries: dict[str, str], hits: dict[str, Ragged], branches: BranchMap, source: str, report: FileReport
) -> dict[str, Ragged]:
    """Leave out what fills up branches of fixed size: entries beyond the count, or with the padding id."""
    ids = hits["cell_id"]
    keep: NDArray[np.bool_] | None = None
    if "count" in entries:
        valid = _one_per_event(arrays[entries["count"]], entries["count"], source)
        bad = np.flatnonzero((valid < 0) | (valid > ids.counts))
        if len(bad):
            msg = (
                f"{source}: {entries['count']} exceeds the number of values in {len(bad)} events, first {first(bad)} "
                "of this step"
            )
            raise InputError(msg)
        keep = np.arange(len(ids.values)) - np.repeat(ids.offsets[:-1], ids.counts) < np.repeat(valid, ids.counts)
    elif branches.hits.padding_id is not None:
        keep = ids.values != branches.hits.padding_id
    if keep is None or keep.all():
        return hits
    report.count(PADDING, int((~keep).sum()), "dropped")
    offsets = np.concatenate([[0], np.cumsum(keep)])[ids.offsets]
    return {entry: Ragged(offsets, values.values[keep]) for entry, values in hits.items()}


def _earliest(begin: Ragged, end: Ragged, times: Ragged, source: str) -> NDArray[np.float32]:
    """Return the earliest deposit time of each hit, [n_hits]; NaN for hits without deposits."""
    shift = np.repeat(times.offsets[:-1], begin.counts)
    start = begin.values.astype(np.int64) + shift
    counts = end.values.astype(np.int64) - begin.values.astype(np.int64)
    if len(counts) and (counts.min() < 0 or (start + counts > np.repeat(times.offsets[1:], begin.counts)).any()):
        msg = f"{source}: the ranges of deposits of the hits do not fit the list of deposits; the file is damaged"
        raise InputError(msg)
    earliest = np.full(len(start), np.nan, np.float32)
    filled = np.flatnonzero(counts)
    if len(filled):
        offsets = offsets_of(counts[filled])
        deposits = copy_segments(times.values, start[filled], offsets)
        earliest[filled] = np.minimum.reduceat(deposits, offsets[:-1])
    return earliest


def _one_per_event(array: Any, branch: str, source: str) -> NDArray[Any]:
    """Return a branch with one value per event, [n_events]; lists must have exactly one."""
    values = ragged(array, branch)
    bad = np.flatnonzero(values.counts != 1)
    if len(bad):
        msg = f"{source}: branch {branch} needs one value per event, {len(bad)} events have none or several"
        raise InputError(msg)
    return values.values


def _scaled(values: NDArray[Any], factor: float) -> NDArray[np.float32]:
    """Return values in the unit of the store; multiplied in double precision so that rounding happens once."""
    if factor == 1.0:
        return values.astype(np.float32, copy=False)
    return (values.astype(np.float64) * factor).astype(np.float32)
