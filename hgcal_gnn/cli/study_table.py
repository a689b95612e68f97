"""The table of a study of generators: how good the showers are, beside what training and generating take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hgcal_gnn.cli.study_numbers import REFERENCE
from hgcal_gnn.evaluation.text import UNKNOWN, markdown_table, with_error

if TYPE_CHECKING:
    from hgcal_gnn.cli.study_numbers import Measured, Number

HEADER = (
    "model", "response", "its width", "hits", "separation power, above the floor", "Frechet distance",
    "AUC on observables", "Wasserstein of the response", "separation of hits", "separation of hit energies",
    "MIP peak at", "its width", "regressed energy", "its resolution", "parameters", "training [min]", "ms per shower",
    "peak memory [MiB]",
)  # fmt: skip
NOTES = (
    "Response, its width and hits, regressed energy and its resolution: generated over reference. Distances: in "
    "brackets the floor, what another sample of the reference kind and size would give; that of hit energies is small "
    "beside the last digit. MIP peak in E_MIP; none: the spectrum has no peak. Time per shower: {batch} at a time, to "
    "the finished shower. Memory: of the whole process that generates, libraries included. Training: "
    "{hardware}."
)


def study_table(found: dict[str, Any], batch: int) -> str:
    """Return the table in Markdown.

    Parameters
    ----------
    found
        What `study_numbers` gathered.
    batch
        Showers at a time when the times were taken.
    """
    ours = found[REFERENCE]
    time = ours["ms_per_shower"]
    unknown = [UNKNOWN] * 6, [UNKNOWN] * 4
    reference = ["1", "1", "1", *unknown[0], *_peak(ours["mip_peak"]), *unknown[1], _milliseconds(time), UNKNOWN]
    rows = [[REFERENCE, *reference]]
    rows += [[name, *_row(one)] for name, one in found["samples"].items()]
    hardware = "; ".join(sorted({one["hardware"] for one in found["samples"].values()}))
    return f"{markdown_table(HEADER, rows)}\n\n{NOTES.format(batch=batch, hardware=hardware)}\n"


def _row(one: dict[str, Any]) -> list[str]:
    regressed = one["regressed"] or {}
    return [
        *(_number(one[key], 3) for key in ("response", "response_width", "occupancy", "separation")),
        *(_measured(one[key]) for key in ("frechet", "auc", "wasserstein", "occupancy_separation")),
        _number(one["hit_energy_separation"], 3), *_peak(one["mip_peak"]),
        *(_measured(regressed.get(key, {})) for key in ("response", "resolution")),
        f"{one['parameters']:,}", _number(one["training_seconds"] / 60, 3), _milliseconds(one["ms_per_shower"]),
        _number(one["peak_memory_mib"], 4),
    ]  # fmt: skip


def _number(value: Number, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}g}"


def _milliseconds(time: Measured | None) -> str:
    return UNKNOWN if time is None else _number(time["value"], 2)


def _measured(distance: Measured) -> str:
    """Write value, error and floor of a distance."""
    value, error, floor = (distance.get(key) for key in ("value", "error", "floor"))
    if value is None or error is None:
        return UNKNOWN
    return with_error(value, error) + ("" if floor is None else f" ({floor:.2g})")


def _peak(peak: Measured) -> tuple[str, str]:
    if peak["position"] is None:
        return "none", UNKNOWN
    return _number(peak["position"], 3), _number(peak["width"], 3)
