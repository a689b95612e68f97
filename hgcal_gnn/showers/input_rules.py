"""What to do with hits and events out of the ordinary: refuse, drop or keep them, and count them in any case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.checks import first
from hgcal_gnn.showers.file_report import (
    BELOW_THRESHOLD,
    EMPTY,
    NEGATIVE,
    NO_PARTICLE,
    NOT_FINITE,
    SAME_CELL,
    UNKNOWN_CELL,
    finite_sum,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.showers.file_report import FileReport
    from hgcal_gnn.showers.showers import Showers

DONE = {"keep": "kept", "drop": "dropped", "refuse": "refused"}
# how messages name the rules
OPTIONS = {
    UNKNOWN_CELL: "unknown='drop' (--unknown-cells drop)",
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
    threshold
        Leave out hits below it [GeV], after adding up; those of NaN energy, if kept, stay.
    """

    unknown: Literal["refuse", "drop"] = "refuse"
    not_finite: Literal["refuse", "drop", "keep"] = "refuse"
    negative: Literal["refuse", "drop", "keep"] = "refuse"
    empty: Literal["keep", "drop", "refuse"] = "keep"
    no_particle: Literal["refuse", "drop", "keep"] = "refuse"
    merge: bool = False
    threshold: float = 0.0


def apply_rules(showers: Showers, rules: InputRules, report: FileReport, *, expect_particles: bool = True) -> Showers:
    """Apply the rules about energies, add up deposits of one cell and apply the threshold if asked, then judge events.

    Parameters
    ----------
    expect_particles
        Whether an event without incident particle (NaN energy) is out of the ordinary.

    Raises
    ------
    InputError
        For what `rules` refuse: with the file, the counts and the first events.
    """
    showers = _without_bad_energies(showers, rules, report)
    if rules.merge:
        merged = showers.merged()
        report.count(SAME_CELL, len(showers.cell) - len(merged.cell), "added up")
        showers = merged
    showers = _above_threshold(showers, rules, report)
    showers = _without_bad_events(showers, rules, report, expect_particles=expect_particles)
    report.count_showers(showers)
    return showers


def judge_hits(
    reason: str, bad: NDArray[np.bool_], action: str, showers: Showers, report: FileReport, detail: str = ""
) -> None:
    """Count hits, or refuse them with an error that names the events.

    Parameters
    ----------
    bad
        Marks the hits, [n_hits].
    action
        What the rules say about them: "refuse", "drop", "keep".
    detail
        Added to the reason in the error.

    Raises
    ------
    InputError
        If there are such hits and they are refused.
    """
    hits = np.flatnonzero(bad)
    if len(hits) and action == "refuse":
        events = np.unique(np.searchsorted(showers.offsets, hits, side="right") - 1)
        msg = (
            f"{report.path}: {len(hits)} of {len(bad)} hits in {len(events)} of {len(showers)} events, from event "
            f"{report.events} on: {reason}{detail}; first in events {first(events + report.events)} (counted "
            f"from 0); correct the file, or allow them by {OPTIONS[reason]}"
        )
        raise InputError(msg)
    report.count(reason, len(hits), DONE[action], finite_sum(showers.energy[hits]))


def _without_bad_energies(showers: Showers, rules: InputRules, report: FileReport) -> Showers:
    usable = showers.energy >= 0  # False for NaN as well
    usable &= showers.energy < np.inf
    if usable.all():
        return showers
    not_finite = ~np.isfinite(showers.energy)
    negative = ~usable & ~not_finite
    judge_hits(NOT_FINITE, not_finite, rules.not_finite, showers, report)
    judge_hits(NEGATIVE, negative, rules.negative, showers, report)
    dropped = (not_finite & (rules.not_finite == "drop")) | (negative & (rules.negative == "drop"))
    return showers.where(~dropped) if dropped.any() else showers


def _above_threshold(showers: Showers, rules: InputRules, report: FileReport) -> Showers:
    low = showers.energy < rules.threshold
    if rules.threshold <= 0 or not low.any():
        return showers
    report.count(BELOW_THRESHOLD, int(low.sum()), DONE["drop"], finite_sum(showers.energy[low]))
    return showers.where(~low)


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
