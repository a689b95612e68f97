"""Run folders of trained regressors: what their tests said, which runs belong together, which can be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.files import check_readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hgcal_gnn.arrays import F64, I64

CONFIG, METRICS, PREDICTIONS = "config.yaml", "metrics.json", "test_predictions.parquet"
COLUMNS = ("row", "incident_energy", "energy")
SEED = "seed"
HARDWARE_SETTINGS = ("device", "devices", "nodes")  # of train: where it ran does not make another method
MOST_DIFFERENCES = 3  # settings named to tell methods of one kind apart


@dataclass(frozen=True, eq=False)
class Run:
    """A finished training with its predictions on the test sample.

    Attributes
    ----------
    folder : Path
    config, metrics
        Contents of `config.yaml` and `metrics.json`.
    row : int64 [n_showers]
        Rows of the test sample, ascending.
    truth, prediction : float64 [n_showers]
        Energies [GeV].
    test_sha256 : str
        Hash of the test sample, empty if it was not written down.
    """

    folder: Path
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    row: I64
    truth: F64
    prediction: F64
    test_sha256: str = ""

    @property
    def kind(self) -> str:
        """Kind of the model."""
        return str(self.config["model"]["kind"])


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises
    ------
    InputError
        If it is none, its training has not finished, or one of its files cannot be used.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        what = "no such folder" if not folder.exists() else f"is no run folder: it has no {CONFIG}"
        msg = f"{folder}: {what}; give folders written by hgcal-gnn train"
        raise InputError(msg)
    if (folder / "samples.png").is_file() and not (folder / PREDICTIONS).is_file():
        msg = f"{folder}: trains a generator; compare generators by their showers: hgcal-gnn generate, then evaluate"
        raise InputError(msg)
    missing = [name for name in (METRICS, PREDICTIONS) if not (folder / name).is_file()]
    if missing:
        msg = f"{folder}: has no {' and no '.join(missing)}: its training has not finished; go on with train --resume"
        raise InputError(msg)
    config = _read_mapping(folder / CONFIG)
    if not isinstance(config.get("model"), dict) or "kind" not in config["model"]:
        msg = f"{folder / CONFIG}: has no model.kind; it is not the configuration of a training"
        raise InputError(msg)
    row, truth, prediction, test_sha256 = _read_predictions(folder / PREDICTIONS)
    return Run(folder, config, _read_mapping(folder / METRICS), row, truth, prediction, test_sha256)


def check_same_showers(runs: Sequence[Run]) -> None:
    """Refuse runs that were tested on different showers.

    Raises
    ------
    InputError
        Naming the first two runs that differ, and how.
    """
    first = runs[0]
    for run in runs[1:]:
        reason = _difference(first, run)
        if reason:
            msg = (
                f"{first.folder} and {run.folder} were not tested on the same showers ({reason}), so their resolutions "
                "cannot be compared; train with the same data.test"
            )
            raise InputError(msg)


def group_runs(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Put runs together that differ in their seed only; methods are named by what tells them apart.

    Returns
    -------
    dict
        Name of a method -> its runs, in the order of the first run of each. Runs in folders NAME-SEED, as training
        makes them, are called NAME if no other method is. Otherwise a name is the kind of the model, with the settings
        in which models of one kind differ, or the folder where these are many.

    Raises
    ------
    UsageError
        If a run is given twice, or two runs have the same settings and seed.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        members = groups.setdefault(json.dumps(_without_seed(run.config), sort_keys=True, default=str), [])
        twin = next((member for member in members if member.config.get(SEED) == run.config.get(SEED)), None)
        if twin is not None:
            msg = f"{twin.folder} and {run.folder}: the same settings and seed {run.config.get(SEED)}; give one of them"
            raise UsageError(msg)
        members.append(run)
    members_of = list(groups.values())
    names = [_folder_name(members) for members in members_of]
    if "" in names or len(set(names)) < len(names):
        names = _names([members[0] for members in members_of])
    return dict(zip(names, members_of, strict=True))


def _folder_name(runs: Sequence[Run]) -> str:
    """Return NAME where all folders of a method are called NAME-SEED, else ''."""
    endings = [f"-{run.config.get(SEED)}" for run in runs]
    names = {
        run.folder.resolve().name.removesuffix(ending) if run.folder.resolve().name.endswith(ending) else ""
        for run, ending in zip(runs, endings, strict=True)
    }
    return names.pop() if len(names) == 1 else ""


def _names(runs: Sequence[Run]) -> list[str]:
    """Name one run of each method, each name different."""
    names = [run.kind for run in runs]
    for kind in {name for name in names if names.count(name) > 1}:
        alike = [number for number, run in enumerate(runs) if run.kind == kind]
        settings = [_flat(_without_seed(runs[number].config)) for number in alike]
        keys = sorted(
            {key for flat in settings for key in flat if len({str(other.get(key)) for other in settings}) > 1}
        )
        for number, flat in zip(alike, settings, strict=True):
            shown = ", ".join(f"{key.rpartition('.')[2]}={flat[key]}" for key in keys if key in flat)
            names[number] = f"{kind} {shown}".strip() if len(keys) <= MOST_DIFFERENCES else runs[number].folder.name
    if len(set(names)) < len(names):
        return [str(run.folder) for run in runs]
    return names


def _without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the seed and where the training ran."""
    kept = {key: value for key, value in config.items() if key != SEED}
    if isinstance(config.get("train"), dict):
        kept["train"] = {key: value for key, value in config["train"].items() if key not in HARDWARE_SETTINGS}
    return kept


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Write {'model': {'hidden': 64}} as {'model.hidden': 64}."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _difference(first: Run, other: Run) -> str:
    """Say how the test samples of two runs differ; empty if they do not."""
    if first.test_sha256 and first.test_sha256 == other.test_sha256 and len(first.truth) == len(other.truth):
        return ""
    if len(first.truth) != len(other.truth):
        return f"{len(first.truth)} and {len(other.truth)} showers"
    unequal = np.flatnonzero((first.truth != other.truth) | (first.row != other.row))
    if len(unequal):
        at = unequal[0]
        values = " and ".join(f"row {run.row[at]} of {run.truth[at]:.6g} GeV" for run in (first, other))
        return f"{len(unequal)} of {len(first.truth)} true energies differ, the first: {values}"
    if first.test_sha256 and other.test_sha256 and first.test_sha256 != other.test_sha256:
        return "equal energies, but the hashes of the samples differ"
    return ""


def _read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML or JSON file that holds names and values."""
    check_readable(path)
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise InputError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: names and values are expected, found {type(content).__name__}"
        raise InputError(msg)
    return content


def _read_predictions(path: Path) -> tuple[I64, F64, F64, str]:
    """Return row, truth, prediction, sorted by row, and the hash of the test sample."""
    check_readable(path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        msg = f"{path}: is no Parquet file: {error}"
        raise InputError(msg) from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        msg = f"{path}: has no column {', '.join(missing)}; its columns are {', '.join(table.column_names)}"
        raise InputError(msg)
    try:
        values = [np.asarray(table[name].to_numpy(), np.float64) for name in COLUMNS]
    except (pa.ArrowException, TypeError, ValueError) as error:
        msg = f"{path}: the columns {', '.join(COLUMNS)} must hold numbers ({error})"
        raise InputError(msg) from error
    row, truth, prediction = values
    if not np.isfinite(row).all():
        msg = f"{path}: the column row has values that are no numbers"
        raise InputError(msg)
    order = np.argsort(row, kind="stable")
    metadata = table.schema.metadata or {}
    test_sha256 = metadata.get(b"test_sha256", b"").decode(errors="replace")
    return row[order].astype(np.int64), truth[order], prediction[order], test_sha256
