"""The trainings of quickstart: the energy of pions, and generators of photons."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from hgcal_gnn.cli.quickstart.plan import GENERATORS, REGRESSORS, settings_text

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.cli.quickstart.plan import Files, Size
    from hgcal_gnn.evaluation.comparison_report import ComparisonReport


def regress(files: Files, size: Size) -> None:
    """Train a baseline and a graph network, and print their resolutions."""
    from hgcal_gnn.config.read import read_config
    from hgcal_gnn.config.run import RunConfig
    from hgcal_gnn.training.run import run_training

    for name in REGRESSORS:
        settings = _write_settings(name, files, size)
        run_training(read_config(RunConfig, settings), files.run(name), resume=True)
    comparison = compare_regressors(files).comparison
    for name, table in comparison.tables.items():
        found = ", ".join(
            f"{100 * value:.1f} % at {energy:.0f} GeV"
            for value, energy in zip(table.resolution.value, table.energy, strict=True)
        )
        print(f"    {name}: resolution {found} -> {files.run(name)}")


def compare_regressors(files: Files) -> ComparisonReport:
    """Compare the regressors on the pions of the test."""
    from hgcal_gnn.evaluation.comparison_report import compare_runs
    from hgcal_gnn.evaluation.energy_bins import energy_bins
    from hgcal_gnn.evaluation.run_folders import read_run

    return compare_runs([read_run(files.run(name)) for name in REGRESSORS], lambda truth: energy_bins(truth, "auto"))


def train_voxel_generator(files: Files, size: Size) -> None:
    """Train the voxel generator, and generate as many photons as were simulated for the test."""
    _generator(GENERATORS[0], files, size)


def train_graph_generator(files: Files, size: Size) -> None:
    """Train the graph generator, and generate as many photons as were simulated for the test."""
    _generator(GENERATORS[1], files, size)


def _generator(name: str, files: Files, size: Size) -> None:
    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.config.read import read_config
    from hgcal_gnn.training.generation.run import run_generation

    settings = _write_settings(name, files, size)
    run = run_generation(read_config(GenerationConfig, settings), files.run(name), resume=True)
    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    print(f"    {metrics['n_parameters']:,} parameters, trained for {metrics['seconds']:.0f} s -> {run.path}")
    _generate(name, files)
    print(f"    {metrics['ms_per_shower']:.2g} ms per shower -> {files.showers(name)}")


def _generate(name: str, files: Files) -> None:
    """Generate one shower for each particle of the test sample."""
    from hgcal_gnn.generation.particles import Particles
    from hgcal_gnn.generation.sample_file import write_generated
    from hgcal_gnn.progress import progress_bar
    from hgcal_gnn.showers.store import open_store
    from hgcal_gnn.training.generation.load import load_generator

    particles = Particles.of_store(open_store(files.showers("photons_test")))
    generator = load_generator(files.run(name))
    n = len(particles)
    with progress_bar("generating", total=n, unit="shower") as bar:
        write_generated(
            generator, lambda first, some: particles[first : first + some], n, files.showers(name), seed=1,
            overwrite=True, progress=lambda done: bar.update(done - bar.n),
        )  # fmt: skip


def _write_settings(name: str, files: Files, size: Size) -> Path:
    from hgcal_gnn.files import atomic_path

    path = files.settings(name)
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(settings_text(name, files.folder, size), encoding="utf-8")
    sys.stdout.flush()  # progress goes to standard error
    return path
