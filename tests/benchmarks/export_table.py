"""Exported networks beside PyTorch: agreement and time of every kind, on one thread, in turn, in CPU seconds.

OMP_NUM_THREADS=1 python -m tests.benchmarks.export_table [KIND ...]
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from hgcal_gnn.export.generators import export_generator, use_onnx
from hgcal_gnn.export.onnx_file import Session
from hgcal_gnn.export.regressors import batch_tensors, export_regressor
from hgcal_gnn.generation.graph.base import GraphSizes
from hgcal_gnn.generation.graph.calorimeter import Calorimeter
from hgcal_gnn.generation.graph.generator import HitGenerator
from hgcal_gnn.generation.graph.hits import HitMaker
from hgcal_gnn.generation.models import MODELS as GENERATORS
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.voxel.generator import VoxelGenerator
from hgcal_gnn.generation.weights import TrainedOn
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.regression.inputs import RegressionInputs
from hgcal_gnn.regression.models import MODELS as REGRESSORS
from hgcal_gnn.regression.predictor import NetworkPredictor
from hgcal_gnn.regression.regressor import Regressor
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate
from tests.benchmarks.test_generation_benchmarks import generator as voxel_generator
from tests.benchmarks.test_generation_benchmarks import particles as photons
from tests.regression.models.batches import compact_showers, detector, network_and_batch, stir

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
BEAM = Beam("photon", parse_spectrum("10..100"), eta=2.0, phi=1.57)
VOXELS: dict[str, tuple[str, str, tuple[int, int] | None, dict[str, Any], int]] = {
    "calo_shower_gan": ("calo_shower_gan", "calochallenge-1-photons", None, {}, 1000),
    "calo_shower_gan, split": ("calo_shower_gan", "calochallenge-1-photons", None, {"split": [30.0]}, 1000),
    "calogan": ("calogan", "calogan", None, {}, 256),
    "gan": ("gan", "ild-ecal", None, {}, 8),
    "wgan_gp": ("wgan_gp", "ild-ecal", None, {}, 8),
    "gan3d": ("gan3d", "lcd25", (1, 25), {}, 16),
    "gan3d, angle": ("gan3d", "clic", (1, 25), {"angle": True}, 8),
    "bib_ae": ("bib_ae", "ild-ecal", None, {}, 4),
    "bib_ae, density": ("bib_ae", "ild-ecal", None, {"latent_sampling": "kde"}, 4),
}
GRAPHS = {"tree": 64, "cells": 64}
NETWORKS = ("gcn", "gcn_hlv", "message_passing", "edgeconv", "gat", "gravnet", "dnn", "cnn3d", "googlenet3d")


class Row(NamedTuple):
    """What was measured."""

    difference: float
    torch_ms: float
    onnx_ms: float

    def __str__(self) -> str:
        return f"{self.difference:.1e} | {self.torch_ms:.3g} | {self.onnx_ms:.3g} | {self.torch_ms / self.onnx_ms:.2f}"


def main(kinds: list[str]) -> None:
    """Print a table."""
    torch.set_num_threads(1)
    print("kind | largest difference | torch [ms per shower] | onnx | torch / onnx")  # noqa: T201
    for kind in [*VOXELS, *GRAPHS, *NETWORKS]:
        if not kinds or kind in kinds:
            print(f"{kind} | {_measured(kind)}", flush=True)  # noqa: T201


def _measured(kind: str) -> Row:
    if kind in VOXELS:
        name, where, layers, settings, n = VOXELS[kind]
        made = voxel_generator(name, where, min(n, 256), layers=layers, **settings)
        if name == "bib_ae":
            _wake(made.trained)
            made = VoxelGenerator(made.trained, made.grid, made.trained_on, batch_size=min(n, 256))
        return _generator(made, photons(n))
    if kind in GRAPHS:
        return _generator(_hit_generator(kind, GRAPHS[kind]), Particles.of_beam(BEAM, GRAPHS[kind]))
    return _regressor(kind)


def _wake(model: Any) -> None:
    """Let a post-processor and a density that were never trained do something."""
    model.post_processor.active.fill_(True)
    if model.density is not None:
        model.density.fit(torch.randn(20_000, 24), torch.linspace(10, 100, 20_000))


def _hit_generator(kind: str, n: int) -> HitGenerator:
    """An untrained graph model of the usual size, its scales those of photons."""
    cells = make_detector("hgcal", eta=(1.8, 2.2), phi=(1.37, 1.77), side=1)
    calorimeter = Calorimeter.of(build_graph(cells)[0], load_material("hgcal"))
    showers = simulate(cells, BEAM, 200, seed=1)
    torch.manual_seed(1)
    config = GENERATORS[kind].config_class()
    if kind == "tree":
        config = config.model_copy(update={"threshold": 3e-5})
    model = GENERATORS[kind](config, GraphSizes(energy=(10.0, 100.0)), calorimeter)  # type: ignore[call-arg,arg-type]
    model.fit(HitMaker(calorimeter, (22,), config.threshold)(showers).to_torch())
    return HitGenerator(model, TrainedOn((22,), (10.0, 100.0)), batch_size=n)  # type: ignore[arg-type]


def _generator(made: Any, some: Particles) -> Row:
    engines = {"torch": made.engine}
    use_onnx(made, export_generator(made))
    engines["onnx"] = made.engine

    def run(name: str) -> Any:
        made.engine = engines[name]
        return made.make(some, seed=1)

    found = [run(name) for name in ("torch", "onnx")]
    if isinstance(made, VoxelGenerator):
        difference = float(np.abs(found[1] - found[0]).max() / found[0].max())
    else:  # of the energy of showers: a leaf or a click may fall into the next cell
        sums = [torch.zeros(len(some)).index_add(0, one.shower, one.energy) for one in found]
        difference = float((sums[1] / sums[0] - 1).abs().max())
    return Row(difference, *_times(run, len(some)))


def _regressor(kind: str) -> Row:
    network, _ = network_and_batch(kind, [30])
    stir(network)
    config = REGRESSORS[kind].config_class()
    predictor = NetworkPredictor(Regressor(network, config), RegressionInputs(*detector(), config.needs()))
    batch = predictor.inputs(compact_showers([400] * 20, seed=1))
    tensors, session = batch_tensors(batch), Session(export_regressor(predictor))

    def run(name: str) -> Any:
        if name == "onnx":
            return session(tensors)[0]
        with torch.inference_mode():
            return predictor.regressor(batch).values[:, 0]

    difference = float((run("onnx") / run("torch") - 1).abs().max())
    return Row(difference, *_times(run, len(batch)))


def _times(run: Callable[[str], Any], n: int) -> tuple[float, float]:
    """Return the best times of both engines, in turn [ms per shower]."""
    found: dict[str, list[float]] = {"torch": [], "onnx": []}
    for _ in range(ROUNDS):
        for name, times in found.items():
            start = time.process_time()
            run(name)
            times.append(1e3 * (time.process_time() - start) / n)
    return min(found["torch"]), min(found["onnx"])


if __name__ == "__main__":
    main(sys.argv[1:])
