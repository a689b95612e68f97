"""Every voxel model in onnxruntime makes the showers that it makes in PyTorch, from the same noise."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.export.generators import WHOLE, export_generator, use_onnx
from hgcal_gnn.export.onnx_file import Session
from hgcal_gnn.generation.models import MODELS
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.voxel.generator import VoxelGenerator
from hgcal_gnn.generation.weights import TrainedOn
from hgcal_gnn.simulation.beam import Beam, parse_spectrum

CUBE = {"ECAL": (8, 8, 6)}
LARGE = {"ECAL": (16, 15, 17)}
LAYERS = {"layer_1": (3, 12), "layer_2": (12, 12), "layer_3": (12, 6)}
POST = {"channels": 4, "window": 10, "stride": 10, "cells": 50}
BIB_AE = {"channels": 1, "hidden": (12, 8), "critic_channels": 2, "latent": 3, "latent_noise": 5, "kde_showers": 6}
CASES = {
    "calo_shower_gan": ("calo_shower_gan", LAYERS, {"generator": (20, 30)}),
    "split": ("calo_shower_gan", LAYERS, {"generator": (20, 30), "split": (30.0, 60.0), "latents": (5, 6, 7)}),
    "gan": ("gan", CUBE, {"channels": (16, 8, 4), "latent": 10, "discriminator": (4, 4, 4), "per_energy": True}),
    "wgan_gp": ("wgan_gp", {"ECAL": (10, 9, 8), "HCAL": (5, 5, 7)}, {"channels": 2, "critic_channels": 2}),
    "gan3d": ("gan3d", {"ECAL": (25, 25, 25)}, {"channels": (8, 3, 3), "discriminator": (2, 2, 2, 2)}),
    "gan3d with angle": ("gan3d", {"ECAL": (51, 51, 25)}, {"angle": True, "channels": (3, 2, 2, 2, 2, 2)}),
    "calogan": ("calogan", LAYERS, {"latent": 16, "channels": (4, 4, 3)}),
    "bib_ae": ("bib_ae", LARGE, {**BIB_AE, "post_processor": None}),
    "bib_ae corrected": ("bib_ae", LARGE, {**BIB_AE, "post_processor": POST, "angle": True}),
    "bib_ae from its density": ("bib_ae", LARGE, {**BIB_AE, "post_processor": POST, "latent_sampling": "kde"}),
}
PDG_IDS = {"calogan": (11, 22)}


def generator(kind, shapes, settings):
    """One with weights of its own in a grid that no detector has."""
    torch.manual_seed(1)
    pdg_ids = PDG_IDS.get(kind, (22,))
    energy = (10.0, 100.0)
    model = MODELS[kind](
        MODELS[kind].config_class.model_validate(settings), ImageSizes(shapes, pdg_ids=pdg_ids, energy=energy)
    )
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2.0)
    if getattr(model, "post_processor", None) is not None and "from" not in str(settings.get("latent_sampling")):
        model.post_processor.active.fill_(True)
    if getattr(model, "density", None) is not None:
        model.density.fit(torch.randn(20, 3), torch.linspace(*energy, 20))
    sizes = [math.prod(shape) for shape in shapes.values()]
    row = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    rows = {name: rows.reshape(shape) for (name, shape), rows in zip(shapes.items(), row, strict=True)}
    axes = {name: ("z", "y", "x")[-len(shape) :] for name, shape in shapes.items()}
    grid = VoxelGrid("made", "0" * 64, sum(sizes), rows, axes)
    return VoxelGenerator(model, grid, TrainedOn(pdg_ids, energy), batch_size=5)


@cache
def exported(case):
    """A generator and its exported network."""
    made = generator(*CASES[case])
    return made, export_generator(made)


@pytest.mark.parametrize("case", CASES)
def test_the_same_showers(case):
    """For numbers of showers that the network was not traced with, with a rest of one."""
    made, files = exported(case)
    session = Session(files[WHOLE])
    for n, seed in ((11, 3), (1, 4)):
        beam = Beam(
            "electron" if CASES[case][0] == "calogan" else "photon", parse_spectrum("10..100"), eta=3.0, phi=1.0
        )
        particles = Particles.of_beam(beam, n, seed=seed)
        expected = made.make(particles, seed=seed)
        eager = made.engine
        use_onnx(made, files)
        found = made.make(particles, seed=seed)
        made.engine = eager
        assert np.ptp(expected, axis=0).max() > 1e-3 * expected.max() or n == 1  # it is not the same image always
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * expected.max())
        np.testing.assert_allclose(found.sum(axis=1), expected.sum(axis=1), rtol=1e-5)
    about = session.about
    assert about["kind"] == CASES[case][0]
    assert set(session.inputs) == set(about["inputs"])
    assert [section["shape"] for section in about["sections"].values()] == [list(s) for s in CASES[case][1].values()]


def test_inputs_are_those_that_matter():
    """Energies and noise; directions where the angle is told, kinds where there are several."""
    found = {
        case: set(Session(exported(case)[1][WHOLE]).inputs) for case in ("split", "calogan")
    }  # fmt: skip
    assert found == {"split": {"energy", "noise_0", "noise_1", "noise_2"}, "calogan": {"energy", "kind", "noise"}}
