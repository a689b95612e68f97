"""The numbers of a study of generators, gathered from the report, the trainings, the timings and the showers."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.evaluation.features import compute_features
from hgcal_gnn.evaluation.histograms import separation
from hgcal_gnn.evaluation.timing import GENERATION, READY
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hgcal_gnn.cli.study_samples import StudySample
    from hgcal_gnn.geometry.cell_numbers import CellNumbers

REFERENCE = "reference"
FORMAT, FORMAT_VERSION = "hgcal_gnn study", 1
OBSERVED = ("response", "n_hits")
Number = float | None
Measured = dict[str, Number]  # value, error, floor, excess, as far as they are known


def study_numbers(
    output: Path,
    samples: Sequence[StudySample],
    ratios: Mapping[str, Mapping[str, Number]],
    *,
    is_simulated: bool,
) -> dict[str, Any]:
    """Return what a study found, under stable names.

    Parameters
    ----------
    output
        Folder of the study, with comparison/metrics.json, a finished run for each training, and NAME.timing.json and
        NAME.generation.json for each sample.
    samples
    ratios
        Of each sample: `ratios_to_reference`.
    is_simulated
        Whether the reference is of the parametrised simulation, whose time the timings tell.

    Returns
    -------
    dict
        `format`, `format_version`; `reference` (mip_peak, ms_per_shower); `samples` by name: method, run, steps,
        response, response_width, occupancy (generated over reference), separation (mean excess of all observables),
        frechet, auc, wasserstein (of the response), occupancy_separation ({value, error, floor, excess} each),
        hit_energy_separation, mip_peak {position, width}, regressed {response, resolution} ({value, error}, generated
        over reference), parameters, training_seconds, hardware, ms_per_shower {value, error}, peak_memory_mib. What
        is not known is None.
    """
    found = _read(output / "comparison" / "metrics.json")
    spectra = found["hit_energies"]
    timings = {sample.name: _read(output / f"{sample.name}.timing.json")["timings"] for sample in samples}
    simulation = _typical([_time(rows, GENERATION, simulated=True) for rows in timings.values()])
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        REFERENCE: {"mip_peak": _peak(spectra, REFERENCE), "ms_per_shower": simulation if is_simulated else None},
        "samples": {
            sample.name: {
                "method": sample.method,
                "run": sample.run,
                "steps": sample.steps,
                **ratios[sample.name],
                **_of_report(found["samples"][sample.name]),
                "hit_energy_separation": _spectrum_separation(spectra, sample.name),
                "mip_peak": _peak(spectra, sample.name),
                **_of_run(_read(RunFolder(output / sample.run).metrics)),
                "ms_per_shower": _time(timings[sample.name], READY, simulated=False),
                "peak_memory_mib": _read(output / f"{sample.name}.generation.json")["peak_memory_mib"],
            }
            for sample in samples
        },
    }


def ratios_to_reference(
    files: Mapping[str, Path], numbers: CellNumbers, threshold: float = 0.0
) -> dict[str, dict[str, Number]]:
    """Return mean and width of the response, and the mean number of hits, over those of the reference.

    Parameters
    ----------
    files
        Stores by name, "reference" among them.
    numbers
        Of the cells.
    threshold
        Cells of at most this energy [GeV] are left out.
    """
    found = {name: _moments(path, numbers, threshold) for name, path in files.items()}
    ours = found.pop(REFERENCE)
    names = "response", "response_width", "occupancy"
    return {
        name: {key: _ratio(one, two) for key, one, two in zip(names, theirs, ours, strict=True)}
        for name, theirs in found.items()
    }


def _moments(path: Path, numbers: CellNumbers, threshold: float) -> tuple[float, float, float]:
    """Return mean and standard deviation of the response, and the mean number of hits."""
    tables = [compute_features(chunk.cells_above(threshold), numbers, OBSERVED) for chunk in open_store(path).chunks()]
    response, hits = (np.concatenate([table.column(name) for table in tables]).astype(np.float64) for name in OBSERVED)
    return float(np.nanmean(response)), float(np.nanstd(response)), float(np.nanmean(hits))


def _ratio(above: float, below: float) -> Number:
    return _known(above / below) if below else None


def _known(value: float) -> Number:
    return value if math.isfinite(value) else None


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _of_report(one: dict[str, Any]) -> dict[str, Any]:
    distances = one["distances"]
    return {
        "separation": _mean_excess(distances),
        "frechet": _distance(one["frechet_physics_distance"]),
        "auc": _distance(one["classifier"].get("auc", {})),
        "wasserstein": _distance(distances.get("response", {}).get("wasserstein", {})),
        "occupancy_separation": _distance(distances.get("n_hits", {}).get("separation_power", {})),
        "regressed": _regressed(one["reconstruction"].get("energies", {}).get("regressed_energy")),
    }


def _of_run(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "parameters": run["n_parameters"], "training_seconds": run["seconds"], "hardware": run["hardware"],
    }  # fmt: skip


def _distance(distance: dict[str, Number]) -> Measured:
    return {key: distance.get(key) for key in ("value", "error", "floor", "excess")}


def _mean_excess(distances: dict[str, dict[str, Measured]]) -> Number:
    """Return the mean separation power above the floor, of all observables that have one."""
    some = [one.get("separation_power", {}).get("excess") for one in distances.values()]
    known = [value for value in some if value is not None]
    return float(np.mean(known)) if known else None


def _regressed(agreement: dict[str, list[Measured]] | None) -> dict[str, Measured] | None:
    """Return the means over the bins of energy of what a regressor says."""
    if agreement is None:
        return None
    return {name: _mean(agreement[f"{name}_ratio"]) for name in ("response", "resolution")}


def _mean(bins: list[Measured]) -> Measured:
    known = [(one["value"], one["error"]) for one in bins if one["value"] is not None and one["error"] is not None]
    if not known:
        return {"value": None, "error": None}
    values, errors = np.array(known, np.float64).T
    return {"value": float(values.mean()), "error": float(np.hypot.reduce(errors) / len(errors))}


def _spectrum_separation(spectra: dict[str, Any], name: str) -> Number:
    """Return the separation power of the spectra of hit energies in MIPs."""
    if not all("mips" in spectra.get(one, {}) for one in (REFERENCE, name)):
        return None
    counts = [np.asarray(spectra[one]["mips"]["mean"]) for one in (REFERENCE, name)]
    return _known(float(separation(*counts)))


def _peak(spectra: dict[str, Any], name: str) -> Measured:
    peak = spectra.get(name, {}).get("mip_peak", {})
    return {key: peak.get(key) for key in ("position", "width")}


def _typical(times: list[Measured]) -> Measured:
    """Return the middle one of several times of the same."""
    return sorted(times, key=lambda time: time["value"] or 0.0)[len(times) // 2]


def _time(timings: Sequence[dict[str, Any]], stage: str, *, simulated: bool) -> Measured:
    """Return the time of the generator, or of the simulation that was timed beside it, at the last batch size."""
    some = [one for one in timings if one["stage"] == stage and one["name"].startswith("generator") is not simulated]
    return {"value": some[-1]["mean"], "error": some[-1]["mean_error"]}
