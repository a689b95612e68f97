"""The table of a study of generators: what the report found, beside what each training took."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.evaluation.histograms import separation
from hgcal_gnn.evaluation.text import UNKNOWN, markdown_table, with_error
from hgcal_gnn.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = (
    "model", "response", "its width", "hits", "separation power, above the floor", "Frechet distance",
    "AUC on observables", "Wasserstein of the response", "separation of hit energies", "MIP peak at", "its width",
    "parameters", "training [min]", "ms per shower",
)  # fmt: skip
REFERENCE = "reference"


def study_table(output: Path, names: Sequence[str]) -> str:
    """Return the table in Markdown.

    Parameters
    ----------
    output
        Folder of the study, with a finished run for each name and comparison/metrics.json.
    names
        Of the runs, which are those of their samples.
    """
    found = json.loads((output / "comparison" / "metrics.json").read_text(encoding="utf-8"))
    spectra = found["hit_energies"]
    peak = _peak(spectra.get(REFERENCE, {}))
    runs = {name: json.loads(RunFolder(output / name).metrics.read_text(encoding="utf-8")) for name in names}
    rows = [[REFERENCE, "1", "1", "1", *[UNKNOWN] * 5, *peak, *[UNKNOWN] * 3]]
    for name in names:
        run = runs[name]
        test, one = run["test"], found["samples"][name]
        rows.append([
            name, *(_number(test[key], 3) for key in ("response", "response_width", "occupancy")),
            _mean_excess(one["distances"]), _measured(one["frechet_physics_distance"]),
            _measured(one["classifier"].get("auc", {})),
            _measured(one["distances"].get("response", {}).get("wasserstein", {})),
            _spectrum_separation(spectra, name), *_peak(spectra.get(name, {})),
            f"{run['n_parameters']:,}", _number(run["seconds"] / 60, 3), _number(run["ms_per_shower"], 2),
        ])  # fmt: skip
    notes = (
        "Response, its width and hits: generated over reference. Distances: in brackets the floor, what another sample "
        "of the reference kind and size would give; that of hit energies is small beside the last digit. MIP peak in "
        "E_MIP; none: the spectrum has no peak. Training: "
        + "; ".join(sorted({run["hardware"] for run in runs.values()}))
        + "."
    )
    return f"{markdown_table(HEADER, rows)}\n\n{notes}\n"


def _number(value: float | None, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}g}"


def _measured(distance: dict[str, float | None]) -> str:
    """Write value, error and floor of a distance."""
    value, error, floor = (distance.get(key) for key in ("value", "error", "floor"))
    if value is None or error is None:
        return UNKNOWN
    return with_error(value, error) + ("" if floor is None else f" ({floor:.2g})")


def _mean_excess(distances: dict[str, dict[str, dict[str, float | None]]]) -> str:
    """Return the mean separation power above the floor, of all observables that have one."""
    some = [one.get("separation_power", {}).get("excess") for one in distances.values()]
    known = [value for value in some if value is not None]
    return _number(float(np.mean(known)), 3) if known else UNKNOWN


def _spectrum_separation(spectra: dict[str, Any], name: str) -> str:
    """Return the separation power of the spectra of hit energies in MIPs."""
    if not all("mips" in spectra.get(one, {}) for one in (REFERENCE, name)):
        return UNKNOWN
    counts = [np.asarray(spectra[one]["mips"]["mean"]) for one in (REFERENCE, name)]
    return _number(float(separation(*counts)), 3)


def _peak(spectrum: dict[str, Any]) -> tuple[str, str]:
    peak = spectrum.get("mip_peak", {})
    if peak.get("position") is None:
        return "none", UNKNOWN
    return _number(peak["position"], 3), _number(peak["width"], 3)
