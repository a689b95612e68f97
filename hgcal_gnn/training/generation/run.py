"""A whole run of a generator: data, training, test, results in a folder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.evaluation.features import compute_features
from hgcal_gnn.generation.models import kind_of
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.weights import GeneratorWeights, TrainedOn
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.hardware import hardware
from hgcal_gnn.training.begin import begun
from hgcal_gnn.training.data import open_data
from hgcal_gnn.training.generation.domain import make_domain
from hgcal_gnn.training.generation.judge import CHECKED, compare
from hgcal_gnn.training.generation.load import generator_of
from hgcal_gnn.training.generation.pictures import Pictures
from hgcal_gnn.training.generation.trainer import TrainedGenerator, train_generator
from hgcal_gnn.training.geometry import load_geometry
from hgcal_gnn.training.machine import is_first_process
from hgcal_gnn.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.generation.generator import AnyGenerator
    from hgcal_gnn.training.data import RunData, Sample

METRICS_FORMAT = 1
MOST_TESTED = 5000  # showers generated for the figures of the run folder; `evaluate` takes as many as one likes


def run_generation(config: GenerationConfig, path: Path, *, resume: bool = False, overwrite: bool = False) -> RunFolder:
    """Train and test a generator.

    Parameters
    ----------
    path
        Run folder.
    resume
        Go on with the run in the folder, if there is one; a finished one is left as it is.
    overwrite
        Replace the run in the folder.

    Raises
    ------
    UsageError, InputError, OutputError, TrainingError
        If settings, data or folder cannot be used, or the training fails.
    """
    folder = RunFolder(path)
    if resume and folder.is_finished and folder.read_any_config() == config:
        return folder
    is_first = is_first_process()
    if is_first:
        folder.check(config, resume=resume, overwrite=overwrite)
    geometry = load_geometry(config.data)
    domain = make_domain(config, *geometry)
    data = open_data(config.data, geometry)  # last: it may simulate for hours
    with begun(folder, config, data.graph.cells_sha256, resume=resume):
        numbers = CellNumbers.of(data.graph.cells, data.material)
        trained_on = describe_particles(data.train, config)
        pictures = Pictures(folder, numbers, f"{kind_of(config.model)} in {data.graph.cells.detector}")
        outside = domain.share_outside(data.train)
        picture = pictures if is_first else None
        trained = train_generator(config, data, domain, numbers, trained_on, folder, picture)
    if trained is not None:
        weights = GeneratorWeights(trained.arrays, domain.cells, trained_on)
        weights.save(folder.weights, overwrite=True)
        generator = generator_of(config, weights, source=str(path), geometry=geometry)
        _finish(config, data, folder, trained, generator, numbers, outside, pictures)
    return folder


def describe_particles(sample: Sample, config: GenerationConfig) -> TrainedOn:
    """Look at the particles of a training sample."""
    read = {name: sample.store.column(name)[sample.rows] for name in ("incident_energy", "pdg_id")}
    vectors = {
        name: np.stack([sample.store.column(f"{name}_{axis}")[sample.rows] for axis in "xyz"], axis=1).astype(float)
        for name in ("direction", "vertex")
    }
    x, y, z = vectors["direction"].T
    is_known, has_vertex = (bool(np.isfinite(vectors[name]).all()) for name in ("direction", "vertex"))
    theta, phi = np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)
    simulate = config.data.train.simulate
    return TrainedOn(
        pdg_ids=tuple(np.unique(read["pdg_id"]).tolist()),
        energy=(float(read["incident_energy"].min()), float(read["incident_energy"].max())),
        theta=(float(theta.min()), float(theta.max())) if is_known else None,
        phi=(float(phi.min()), float(phi.max())) if is_known else None,
        vertex=_three(vectors["vertex"].mean(axis=0)) if has_vertex else None,
        vertex_spread=_three(vectors["vertex"].std(axis=0)) if has_vertex else (0.0, 0.0, 0.0),
        direction=_mean_direction(vectors["direction"]) if is_known else None,
        beam={} if simulate is None else simulate.model_dump(mode="json"),
    )


def _mean_direction(direction: np.ndarray) -> tuple[float, float, float]:
    mean = direction.mean(axis=0)
    return _three(mean / max(np.linalg.norm(mean), 1e-12))


def _three(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z


def _finish(
    config: GenerationConfig, data: RunData, folder: RunFolder, trained: TrainedGenerator, generator: AnyGenerator,
    numbers: CellNumbers, outside: float, pictures: Pictures,
) -> None:  # fmt: skip
    """Test, and write the results; the metrics last, as the sign that all is there."""
    rows = data.test.rows[:MOST_TESTED]
    reference = data.test.store[rows].cells_above(config.model.threshold)
    started = time.monotonic()
    generated = generator.sample(Particles.of(reference), seed=config.seed + 1)
    seconds = time.monotonic() - started
    tables = [compute_features(showers, numbers, CHECKED) for showers in (reference, generated)]
    metrics: dict[str, Any] = {
        "format": METRICS_FORMAT,
        "task": "generation",
        "kind": kind_of(config.model),
        "seed": config.seed,
        "n_parameters": trained.n_parameters[0],
        "n_parameters_training": trained.n_parameters[1],
        "stages": trained.stages,
        "checks": trained.checks,
        "seconds": round(trained.seconds, 3),
        "hardware": hardware(trained.device),
        "showers": {"train": len(data.train), "validation": len(data.validation), "test": len(rows)},
        "cells_sha256": data.graph.cells_sha256,
        "ms_per_shower": round(1e3 * seconds / len(rows), 4),
        "outside_of_voxels": outside,
        "test": {name: value if np.isfinite(value) else None for name, value in compare(*tables).items()},
    }
    pictures.finish(reference, generated)
    folder.write_json(folder.metrics, metrics)
