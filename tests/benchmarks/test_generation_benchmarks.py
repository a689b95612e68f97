"""Generators against their bare networks: what conditions, noise and scales cost, and what folding brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.generation.models import MODELS
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.voxel.generator import VoxelGenerator
from hgcal_gnn.generation.weights import TrainedOn
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.simulation.beam import Beam, parse_spectrum

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 7
DENSE = 10_000  # showers
CHUNK = 1000


def generator(
    kind: str, detector: str, batch_size: int, *, layers: tuple[int, int] | None = None, plain: bool = False,
    **settings: object,
) -> VoxelGenerator:  # fmt: skip
    """Make an untrained generator of published size: time does not depend on the weights.

    `plain`: the network as it was trained, without what `VoxelModel.prepare` does.
    """
    torch.manual_seed(0)
    grid = VoxelGrid.of_cells(make_detector(detector, layers=layers))
    model_class = MODELS[kind]
    model = model_class(
        model_class.config_class.model_validate(settings), ImageSizes(grid.shapes, (22,), (10.0, 100.0))
    )
    made = VoxelGenerator(model, grid, TrainedOn((22,), (10.0, 100.0)), batch_size=batch_size)
    if plain:
        made.engine = model.eval().generate
    return made


def particles(n: int) -> Particles:
    """Draw photons of 10 to 100 GeV."""
    return Particles.of_beam(Beam("photon", parse_spectrum("10..100"), direction=(0.0, 0.0, 1.0)), n)


@pytest.mark.benchmark(group="10,000 photons of CaloChallenge data set 1, chunks of 1,000")
def test_dense_generator(benchmark: BenchmarkFixture) -> None:
    """CaloShowerGAN of published size, from particles to images [GeV]."""
    ours, photons = generator("calo_shower_gan", "calochallenge-1-photons", CHUNK), particles(DENSE)
    images = benchmark.pedantic(lambda: ours.make(photons), rounds=ROUNDS, warmup_rounds=2)
    assert images.shape == (DENSE, 368)


@pytest.mark.benchmark(group="10,000 photons of CaloChallenge data set 1, chunks of 1,000")
def test_bare_dense_network(benchmark: BenchmarkFixture) -> None:
    """The peer: the same layers as an nn.Sequential that is given its inputs."""
    network = generator("calo_shower_gan", "calochallenge-1-photons", CHUNK).model.generating[0].layers  # type: ignore[index]
    inputs = torch.rand(DENSE, 101)

    def run() -> Any:
        with torch.inference_mode():
            return np.concatenate([network(inputs[i : i + CHUNK]).numpy() for i in range(0, DENSE, CHUNK)])

    assert benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=2).shape == (DENSE, 368)


@pytest.mark.parametrize("form", ["plain", "prepared"])
@pytest.mark.parametrize(
    ("kind", "detector", "layers", "settings"),
    [
        ("gan", "ild-ecal", None, {}),
        ("wgan_gp", "ild-ecal", None, {}),
        ("bib_ae", "ild-ecal", None, {}),
        ("gan3d", "lcd25", (1, 25), {}),
        ("gan3d", "clic", (1, 25), {"angle": True}),
        ("calogan", "calogan", None, {}),
    ],
    ids=["gan", "wgan_gp", "bib_ae", "gan3d", "gan3d with angle", "calogan"],
)
def test_convolutional_generators(
    benchmark: BenchmarkFixture, kind: str, detector: str, layers: tuple[int, int] | None, settings: dict[str, object],
    form: str,
) -> None:  # fmt: skip
    """20 photons in batches of 10, the network as it is (the peer) and as it is prepared."""
    benchmark.group = f"{kind}{'' if not settings else ' with angle'}, published size, 20 photons in batches of 10"
    made = generator(kind, detector, 10, layers=layers, plain=form == "plain", **settings)
    photons = particles(20)
    images = benchmark.pedantic(lambda: made.make(photons), rounds=5, warmup_rounds=1)
    assert np.isfinite(images).all()
