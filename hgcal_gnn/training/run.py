"""A whole run: data, training, calibration, test, results in a folder."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.evaluation.resolution import measure_resolution
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.hardware import hardware
from hgcal_gnn.regression.calibration import MIN_SHOWERS, ResponseCalibration
from hgcal_gnn.regression.models import MODELS, kind_of
from hgcal_gnn.regression.models.base import NetworkConfig, Sizes
from hgcal_gnn.regression.predictor import Weights, make_predictor
from hgcal_gnn.regression.table import collect_table
from hgcal_gnn.training.begin import begun
from hgcal_gnn.training.callbacks import KeptState
from hgcal_gnn.training.data import open_data
from hgcal_gnn.training.machine import is_first_process
from hgcal_gnn.training.results import draw, predict, pulls
from hgcal_gnn.training.run_folder import RunFolder
from hgcal_gnn.training.trainer import Trained, train_network

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.regression.predictor import Predictor
    from hgcal_gnn.training.data import RunData
    from hgcal_gnn.training.results import Predictions

log = logging.getLogger(__name__)
METRICS_FORMAT = 1
POOREST = 0.5  # median response of something that has learned


def run_training(config: RunConfig, path: Path, *, resume: bool = False, overwrite: bool = False) -> RunFolder:
    """Train and test a regressor.

    Parameters
    ----------
    path
        Run folder.
    resume
        Go on with the run in the folder, if there is one; a finished one is left as it is unless more epochs are
        asked for.
    overwrite
        Replace the run in the folder.

    Raises
    ------
    UsageError, InputError, OutputError, TrainingError
        If settings, data or folder cannot be used, or the training fails.
    """
    folder = RunFolder(path)
    if resume and folder.is_finished and folder.read_config(RunConfig) == config:
        log.info("%s: the run is finished; ask for more train.epochs to go on", path)
        return folder
    if is_first_process():
        folder.check(config, resume=resume, overwrite=overwrite)
    data = open_data(config.data)
    is_network = isinstance(config.model, NetworkConfig)
    with begun(folder, config, data.graph.cells_sha256, resume=resume):
        trained = train_network(config, data, folder) if is_network else _fit_baseline(config, data)
    if trained is not None:
        _finish(config, data, folder, trained)
    return folder


def _fit_baseline(config: RunConfig, data: RunData) -> Trained:
    """Fit a baseline to the variables of the training sample."""
    started = time.monotonic()
    numbers = CellNumbers.of(data.graph.cells, data.material)
    names = config.model.variables
    tables = [collect_table(sample.store, sample.rows, numbers, names) for sample in (data.train, data.validation)]
    baseline = MODELS[kind_of(config.model)](config.model)
    baseline.fit(*tables)
    arrays = baseline.state()
    n_parameters = sum(values.size for name, values in arrays.items() if name != "names")
    seconds = round(time.monotonic() - started, 3)
    return Trained(Weights(arrays, data.graph.cells_sha256, Sizes()), KeptState(seconds=seconds), n_parameters, "cpu")


def _finish(config: RunConfig, data: RunData, folder: RunFolder, trained: Trained) -> None:
    """Calibrate, test, and write the results; the metrics last, as the sign that all is there."""
    weights = trained.weights
    numbers = CellNumbers.of(data.graph.cells, data.material)

    def predictor() -> Predictor:
        return make_predictor(config.model, weights, data.graph, data.material, device=trained.device)

    if config.train.calibrate:
        if len(data.validation) < MIN_SHOWERS:
            log.warning("not calibrated: %d showers to validate are too few (%d)", len(data.validation), MIN_SHOWERS)
        else:
            seen = predict(predictor(), data.validation.store, data.validation.rows, numbers)
            _look_at(seen)
            weights = weights.calibrated(ResponseCalibration.fit(seen.energy, seen.truth))
    weights.save(folder.weights, overwrite=True)
    started = time.monotonic()
    about = {"test_sha256": data.test.sha256, "model": kind_of(config.model)}
    tested = predict(predictor(), data.test.store, data.test.rows, numbers, **about)
    seconds = time.monotonic() - started
    tested.save(folder.predictions, overwrite=True)
    if weights.calibration is None:
        _look_at(tested)
    draw(folder, tested, kind_of(config.model))
    metrics = _metrics(config, data, trained, calibrated=weights.calibration is not None)
    metrics["test_showers_per_second"] = round(len(data.test) / max(seconds, 1e-9), 1)
    metrics["pull"] = pulls(tested)
    metrics["test"] = measure_resolution(tested.truth, tested.energy).to_json()
    folder.write_json(folder.metrics, metrics)


def _look_at(found: Predictions) -> None:
    """Warn of a training that failed: the calibration makes energies of any response look reasonable."""
    response = float(np.median(found.energy / found.truth))
    if not POOREST < response < 1 / POOREST:
        log.warning(
            "the median of predicted / true energy is %.3g before calibration: the training diverged or hardly began; "
            "look at log.csv, train for longer, or with a smaller train.learning_rate",
            response,
        )


def _metrics(config: RunConfig, data: RunData, trained: Trained, *, calibrated: bool) -> dict[str, Any]:
    """Return numbers under stable names.

    `format`, `kind`, `seed`, `n_parameters`, `epochs` (trained), `best_epoch` (counted from 1), `best_validation_loss`
    (null for baselines), `loss`, `stopped_early`, `seconds` (of training), `showers_per_second` (while training,
    validation included; null for baselines), `hardware`, `calibrated`, `showers` {train, validation, test},
    `empty_showers` left out {train, test}, `cells_sha256`, `test_sha256`, `test_showers_per_second`, `pull`
    (`results.pulls`; null without uncertainties), `test` (`ResolutionTable.to_json`).
    """
    kept = trained.kept
    is_network = np.isfinite(kept.best_loss)
    n_seen = kept.epochs * len(data.train)
    return {
        "format": METRICS_FORMAT,
        "kind": kind_of(config.model),
        "seed": config.seed,
        "n_parameters": trained.n_parameters,
        "epochs": kept.epochs,
        "best_epoch": kept.best_epoch + 1,
        "best_validation_loss": kept.best_loss if is_network else None,
        "loss": config.train.loss if is_network else None,
        "stopped_early": kept.stopped,
        "seconds": round(kept.seconds, 3),
        "showers_per_second": round(n_seen / kept.seconds, 1) if is_network and kept.seconds else None,
        "hardware": hardware(trained.device),
        "calibrated": calibrated,
        "showers": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        "empty_showers": {"train": data.train.n_empty, "test": data.test.n_empty},
        "cells_sha256": data.graph.cells_sha256,
        "test_sha256": data.test.sha256,
    }
