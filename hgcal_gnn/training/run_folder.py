"""The folder a run leaves behind, and what may be done with one that is there already."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hgcal_gnn.config.any_run import read_run
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.config.read import write_config
from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.errors import InputError, OutputError, UsageError
from hgcal_gnn.files import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.config.any_run import AnyRunConfig

CHANGEABLE = {"epochs", "patience", "device", "devices", "nodes"}  # settings of train a resumed run may change
PLOTS = ("training.png", "resolution.png", "linearity.png", "responses.png", "samples.png")

Config = TypeVar("Config", RunConfig, GenerationConfig)
TRAINED = {RunConfig: ("regressor", "predict"), GenerationConfig: ("generator", "generate")}  # and what uses it


@dataclass(frozen=True)
class RunFolder:
    """Names of everything in a run folder.

    Attributes
    ----------
    path
    """

    path: Path

    @property
    def config(self) -> Path:
        """Complete settings, overrides included."""
        return self.path / "config.yaml"

    @property
    def versions(self) -> Path:
        """Packages and hardware."""
        return self.path / "versions.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of ``last.ckpt``, to resume from, and ``best.safetensors``."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """Checkpoint of the last finished epoch."""
        return self.checkpoints / "last.ckpt"

    @property
    def best(self) -> Path:
        """Best weights so far."""
        return self.checkpoints / "best.safetensors"

    @property
    def log(self) -> Path:
        """One row per epoch."""
        return self.path / "log.csv"

    @property
    def nan_batch(self) -> Path:
        """Batch at which the loss was not finite."""
        return self.path / "nan_batch.safetensors"

    @property
    def weights(self) -> Path:
        """Best weights and calibration of a finished run."""
        return self.path / "model.safetensors"

    @property
    def cells(self) -> Path:
        """Hash of the geometry, as text."""
        return self.path / "cells_sha256"

    @property
    def predictions(self) -> Path:
        """Predictions of the test sample."""
        return self.path / "test_predictions.parquet"

    @property
    def pictures(self) -> Path:
        """Folder of the pictures of samples a generator made while it was trained."""
        return self.path / "samples"

    @property
    def metrics(self) -> Path:
        """Numbers of a finished run; written last."""
        return self.path / "metrics.json"

    def plot(self, name: str) -> Path:
        """Return where a plot of `PLOTS` lies."""
        return self.path / name

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        return self.metrics.exists()

    def read_any_config(self) -> AnyRunConfig:
        """Read the settings of a run, whatever it trains.

        Raises
        ------
        InputError
            If the folder is none of a run.
        """
        if not self.config.is_file():
            msg = f"{self.path}: is no folder of a run (it has no config.yaml)"
            raise InputError(msg)
        return read_run(self.config)

    def read_config(self, kind: type[Config]) -> Config:
        """Read the settings of a run that must train what `kind` (`RunConfig` or `GenerationConfig`) says.

        Raises
        ------
        InputError
            If the folder is none of a run, or its run trains something else.
        """
        config = self.read_any_config()
        if not isinstance(config, kind):
            found, command = TRAINED[type(config)]
            wanted, _ = TRAINED[kind]
            msg = f"{self.path}: trains a {found}, a {wanted} is needed here; use it with: hgcal-gnn {command}"
            raise InputError(msg)
        return config

    def finished_weights(self) -> Path:
        """Return `weights` of a finished run.

        Raises
        ------
        InputError
            If the run is not finished.
        """
        if not self.weights.exists():
            msg = (
                f"{self.path}: the run is not finished, it has no {self.weights.name}; "
                f"go on: hgcal-gnn train {self.path} --resume"
            )
            raise InputError(msg)
        return self.weights

    def write_json(self, path: Path, content: dict[str, Any]) -> None:
        """Write numbers for machines."""
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def check(self, config: AnyRunConfig, *, resume: bool, overwrite: bool) -> None:
        """Refuse a folder that cannot take the run, before any work.

        Raises
        ------
        OutputError
            If there is a run already and neither `resume` nor `overwrite` is given, or something that is no run.
        UsageError
            If the settings to resume with are others than those of the run.
        """
        if not self._is_used:
            return
        if not self.config.is_file():
            msg = f"{self.path}: exists already and is no folder of a run; choose another one with -o"
            raise OutputError(msg)
        if resume:
            self._check_same(config)
        elif not overwrite:
            state = "a finished run" if self.is_finished else "an unfinished run"
            msg = f"{self.path}: holds {state}; go on with --resume, replace it with --overwrite, or choose another -o"
            raise OutputError(msg)

    def prepare(self, config: AnyRunConfig, *, resume: bool) -> None:
        """Make the folder and write the settings; unless resumed, remove what an earlier run wrote.

        Raises
        ------
        OutputError
            If the folder cannot be made or written to.
        """
        try:
            self.metrics.unlink(missing_ok=True)  # first: with them, the new settings would look finished
            if self._is_used and not resume:
                self._clear()
            self.path.mkdir(parents=True, exist_ok=True)
            write_config(config, self.config, overwrite=True)  # before all else: it says that this is a run's folder
            self.checkpoints.mkdir(exist_ok=True)
        except OSError as error:
            if isinstance(error, OutputError) or error.errno is None:
                raise
            msg = f"{self.path}: cannot be the folder of a run: {os.strerror(error.errno)}; choose another one with -o"
            raise OutputError(msg) from error

    def remove(self) -> None:
        """Remove what a run wrote, and the folder unless it holds something else."""
        self._clear()
        if not any(self.path.iterdir()):
            self.path.rmdir()

    @property
    def _is_used(self) -> bool:
        """Whether there is anything in the folder, unfinished files of a killed process aside."""
        return self.path.exists() and (
            not self.path.is_dir() or any(not found.name.startswith(".") for found in self.path.iterdir())
        )

    def _check_same(self, config: AnyRunConfig) -> None:
        """Refuse settings that would make another run of it."""
        before, now = (_flat(one.model_dump(mode="json")) for one in (self.read_any_config(), config))
        allowed = {f"train.{name}" for name in CHANGEABLE}
        names = [name for name in {**before, **now} if before.get(name) != now.get(name) and name not in allowed]
        if names:
            lines = [f"{name}: {now.get(name)!r}, in the run {before.get(name)!r}" for name in names]
            advice = "resume with the settings of the run, or start another one with -o"
            raise UsageError("\n  ".join([f"{self.path}: the settings differ; {advice}", *lines]))

    def _clear(self) -> None:
        """Remove what a run writes, and nothing else."""
        for path in (self.checkpoints, self.pictures, self.path / "tensorboard"):
            if path.is_dir():
                shutil.rmtree(path)
        files = (self.config, self.versions, self.log, self.nan_batch, self.weights, self.cells, self.predictions)
        for path in (*files, self.metrics, *map(self.plot, PLOTS)):
            path.unlink(missing_ok=True)


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings under dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found
