"""Timings as tables for people and as numbers for programs."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hgcal_gnn.evaluation.published_timing import published_timings
from hgcal_gnn.evaluation.resolution import known
from hgcal_gnn.evaluation.text import UNKNOWN, markdown_table, with_error
from hgcal_gnn.evaluation.timing import GENERATION, READY, speed_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.evaluation.published_timing import PublishedTiming
    from hgcal_gnn.evaluation.timing import Timing

FORMAT = 1
BUSY = 1.0  # load average of a machine from which to warn
COMPARED = (GENERATION, READY)  # stages that a simulation has, too


def timing_json(
    timings: Sequence[Timing], about: str, pdg_id: int, reference: PublishedTiming | None = None
) -> dict[str, Any]:
    """Return numbers under stable names.

    `format`, `about`, `timings` (`Timing.to_json`, with `speed_up` and `speed_up_error` of generation stages where
    there is a reference, otherwise null), `reference` (null or the attributes of `PublishedTiming`), `published` (list
    of the same, of this particle).
    """
    return {
        "format": FORMAT,
        "about": about,
        "timings": [_with_speed_up(timing, reference) for timing in timings],
        "reference": None if reference is None else asdict(reference),
        "published": [asdict(row) for row in published_timings(pdg_id)],
    }


def timing_markdown(
    timings: Sequence[Timing], about: str, pdg_id: int, reference: PublishedTiming | None = None
) -> str:
    """Write our times, how they were measured, and the published ones of the particle."""
    header = ["", "stage", "showers per call", "median [ms]", "16-84 % [ms]", "mean [ms]", "showers/s", "calls"]
    rows = [_row(timing) for timing in timings]
    if reference is not None:
        header.append("speed-up")
        rows = [[*row, _speed_up_text(timing, reference)] for row, timing in zip(rows, timings, strict=True)]
    parts = [f"Time per shower: {about}", markdown_table(header, rows), _conditions(timings)]
    if reference is not None:
        parts.append(f"Speed-up of the generation over {reference.ms:g} ms per shower: {reference.source}")
    return "\n\n".join([*parts, *_published(pdg_id)])


def _row(timing: Timing) -> list[str]:
    spread = f"{timing.low:.4g}-{timing.high:.4g}"
    numbers = f"{timing.median:.4g}", spread, with_error(timing.mean, timing.mean_error)
    counts = f"{timing.showers_per_second:.0f}", str(timing.calls)
    return [timing.name, timing.stage, str(timing.batch_size), *numbers, *counts]


def _with_speed_up(timing: Timing, reference: PublishedTiming | None) -> dict[str, Any]:
    found = speed_up(timing, reference) if reference is not None and timing.stage in COMPARED else None
    numbers = timing.to_json() | {"mean_error": known(timing.mean_error), "load": known(timing.load)}
    return numbers | {"speed_up": found and found.value, "speed_up_error": found and known(found.error)}


def _speed_up_text(timing: Timing, reference: PublishedTiming) -> str:
    if timing.stage not in COMPARED:
        return UNKNOWN
    found = speed_up(timing, reference)
    return with_error(found.value, found.error)


def _conditions(timings: Sequence[Timing]) -> str:
    """Say once what holds for all."""
    hardware = ", ".join(dict.fromkeys(f"{timing.hardware} ({timing.device})" for timing in timings))
    warm_up = max((timing.warm_up_calls for timing in timings), default=0)
    text = f"On {hardware}. Set-up and the first {warm_up} calls at each batch size are not counted."
    load = max((timing.load for timing in timings), default=math.nan)
    if load > BUSY:
        text += f" The load average was {load:.1f} before: other programs ran, and these times may be too long."
    return text


def _published(pdg_id: int) -> list[str]:
    """Tabulate published times, and their sources below."""
    rows = published_timings(pdg_id)
    if not rows:
        return []
    header = ["", "energy", "device", "showers per call", "ms per shower", "source"]
    number = {source: str(count) for count, source in enumerate(dict.fromkeys(row.source for row in rows), 1)}
    alike: dict[tuple[str, ...], list[PublishedTiming]] = {}
    for row in rows:
        alike.setdefault((row.name, row.energy, row.device, number[row.source]), []).append(row)
    cells = [
        [name, energy, device, " / ".join(map(_size, some)), " / ".join(map(_time, some)), source]
        for (name, energy, device, source), some in alike.items()
    ]
    notes = [_source(count, [row for row in rows if row.source == source]) for source, count in number.items()]
    title = "Published times, in other detectors and on other processors:"
    return [title, markdown_table(header, cells), "\n".join(notes)]


def _source(number: str, rows: Sequence[PublishedTiming]) -> str:
    """Say where times were read, and what they were measured with."""
    detectors, processors = (dict.fromkeys(getattr(row, name) for row in rows) for name in ("detector", "hardware"))
    return f"{number}: {rows[0].source}; {', '.join(detectors)}; {', '.join(processors)}"


def _size(row: PublishedTiming) -> str:
    return UNKNOWN if row.batch_size is None else str(row.batch_size)


def _time(row: PublishedTiming) -> str:
    return f"{row.ms:g}" if row.error is None else with_error(row.ms, row.error)
