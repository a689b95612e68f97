"""train --sweep: one run for each combination of settings, and a table of what came out."""

from __future__ import annotations

import json
import logging
import re
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.errors import TrainingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hgcal_gnn.config.any_run import AnyRunConfig

log = logging.getLogger(__name__)
COMMAS = re.compile(r",(?![^\[\]{}]*[\]}])")  # those between values, not those inside of [1, 2]
OF_GENERATORS = ("response", "response_width", "occupancy", "separation")


class SweepRun(NamedTuple):
    """One combination.

    Attributes
    ----------
    name
        Of its folder: ``model.critic_steps=5,train.batch_size=64``.
    changes
        Of the settings, as ``--set`` takes them.
    """

    name: str
    changes: list[str]


def sweep_runs(sweep: Sequence[str]) -> list[SweepRun]:
    """Return all combinations of ["model.critic_steps=1,5", "train.batch_size=64,256"].

    Raises
    ------
    UsageError
        For text without values, and settings or values that come twice.
    """
    pairs = [args.parse_pair(item, "--sweep", "model.critic_steps=1,5,8") for item in sweep]
    names = [name for name, _ in pairs]
    values = [[value.strip() for value in COMMAS.split(text)] for _, text in pairs]
    for name, some in zip(names, values, strict=True):
        if names.count(name) > 1 or len(set(some)) < len(some) or not all(some):
            msg = f"--sweep {name}: give each setting once, with different values: --sweep {name}=1,2"
            raise UsageError(msg)
    found = []
    for chosen in product(*values):
        changes = [f"{name}={value}" for name, value in zip(names, chosen, strict=True)]
        found.append(SweepRun(",".join(changes).replace("/", "_").replace(" ", ""), changes))
    return found


def run_sweep(
    sweep: Sequence[str],
    read: Callable[[list[str]], AnyRunConfig],
    train: Callable[[AnyRunConfig, Path], Any],
    folder: Path,
) -> list[dict[str, Any]]:
    """Train all combinations in folders of their own, and write ``sweep.json``.

    A training that fails is told and left out; others go on.

    Parameters
    ----------
    sweep
        As `sweep_runs` takes it.
    read
        From changes to settings.
    train
        Trains settings in a folder; leaves finished runs as they are.
    folder

    Returns
    -------
    list of dict
        One per run: `run`, `seconds`, and its measures.

    Raises
    ------
    UsageError
        If settings cannot be used; before anything is trained.
    TrainingError
        If no training succeeded.
    """
    runs = [(run, read(run.changes)) for run in sweep_runs(sweep)]
    rows = []
    for number, (run, config) in enumerate(runs, 1):
        log.info("%s (%d of %d)", run.name, number, len(runs))
        try:
            train(config, folder / run.name)
        except TrainingError as error:
            log.warning("%s: %s", run.name, error)
            continue
        metrics = json.loads((folder / run.name / "metrics.json").read_text(encoding="utf-8"))
        rows.append({"run": run.name, "seconds": metrics["seconds"], **_measures(metrics)})
    if not rows:
        msg = f"{folder}: none of the {len(runs)} trainings succeeded"
        raise TrainingError(msg)
    from hgcal_gnn.files import atomic_path

    with atomic_path(folder / "sweep.json", overwrite=True) as temporary:
        temporary.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return rows


def _measures(metrics: dict[str, Any]) -> dict[str, float]:
    """Return what tells runs apart: of regressors the means over the bins of energy."""
    test = metrics["test"]
    if metrics.get("task") == "generation":
        return {name: test[name] for name in OF_GENERATORS if test[name] is not None}
    loss = metrics.get("best_validation_loss")
    found = {} if loss is None else {"validation_loss": loss}
    for name in ("bias", "resolution"):
        known = [abs(one[name]) for one in test["bins"] if one[name] is not None]
        if known:
            found[f"mean_{name}"] = sum(known) / len(known)
    return found


def sweep_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table for the terminal."""
    columns = [name for name in dict.fromkeys(chain.from_iterable(rows)) if name != "run"]
    width = max(len(row["run"]) for row in rows)
    lines = [f"{'run':<{width}}  " + "  ".join(f"{name.replace('_', ' '):>15}" for name in columns)]
    for row in rows:
        shown = (f"{row[name]:>15.4g}" if name in row else " " * 15 for name in columns)
        lines.append(f"{row['run']:<{width}}  " + "  ".join(shown))
    return "\n".join(lines)
