"""Voxel models as networks that can be exported, and generation with them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hgcal_gnn.export.onnx_file import Network
from hgcal_gnn.export.particles import (
    NoiseInput,
    condition_of,
    drawn,
    example,
    noise_asked,
    noise_inputs,
    particle_inputs,
    tensors_of,
)
from hgcal_gnn.export.planes import in_planes
from hgcal_gnn.generation.noise import NoiseTape
from hgcal_gnn.generation.voxel.calo_shower_gan import CaloShowerGAN

if TYPE_CHECKING:
    from hgcal_gnn.export.onnx_file import Session
    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.voxel.base import VoxelModel
    from hgcal_gnn.generation.voxel.generator import VoxelGenerator
    from hgcal_gnn.generation.weights import TrainedOn

AT_ONCE = 2**18  # voxels that a session makes at a time: networks need up to some hundred numbers for each
IMAGE = {"unit": "GeV", "meaning": "deposits in voxels; those of at most the threshold count as empty"}


def voxel_network(generator: VoxelGenerator) -> Network:
    """Return the network of a trained voxel model: particles and noise in, images [GeV] out."""
    model = in_planes(generator.trained.traceable())
    particles = particle_inputs(generator.trained_on)
    noises = _noises(model, generator.trained_on)
    module = _Split(model) if isinstance(model, CaloShowerGAN) and model.config.split else _Images(model)
    return Network(module, particles | noise_inputs(noises), {"image": IMAGE})


def voxel_about(generator: VoxelGenerator) -> dict[str, Any]:
    """Describe what an image is."""
    grid = generator.grid
    rows = grid.places.tolist()
    return {
        "threshold": generator.model.config.threshold,
        "sections": {name: {"shape": list(grid.shapes[name]), "axes": list(grid.axes[name])} for name in grid.rows},
        "cells": {"first": rows[0]} if rows == list(range(rows[0], rows[0] + len(rows))) else {"rows": rows},
    }


class OnnxImages:
    """Generates images with onnxruntime, with the noise that the model itself would draw.

    Parameters
    ----------
    session
        Of the exported network.
    n_voxels
        Of an image.
    """

    def __init__(self, session: Session, n_voxels: int) -> None:
        self.session = session
        self.noises = NoiseInput.of_about(session.about)
        self.at_once = max(1, AT_ONCE // n_voxels)

    def __call__(self, condition: Condition, random: torch.Generator) -> Tensor:
        """Generate images [GeV], [n, n_voxels]."""
        noise = drawn(self.noises, condition, random)
        particles = tensors_of(condition)
        if any(one.energy is not None for one in self.noises):  # rows of noise and of particles are not the same
            return self.session(particles | noise)[0]
        parts = []
        for start in range(0, condition.n, self.at_once):
            rows = slice(start, start + self.at_once)
            parts += self.session({name: values[rows] for name, values in (particles | noise).items()})
        return torch.cat(parts)


class _Images(nn.Module):
    """A model as a function of tensors."""

    def __init__(self, model: VoxelModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *tensors: Tensor) -> Tensor:
        condition, noise = condition_of(tensors)
        return self.model.generate(condition, NoiseTape(noise))


class _Split(nn.Module):
    """The GANs of `CaloShowerGAN`: the particles are sorted by the GAN they belong to, and back."""

    def __init__(self, model: CaloShowerGAN) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("split", torch.tensor(model.config.split))

    def forward(self, *tensors: Tensor) -> Tensor:
        condition, noise = condition_of(tensors)
        which = (condition.energy[:, None] > self.get_buffer("split")).sum(dim=1)
        place, first = torch.zeros_like(which), torch.zeros_like(which[0])  # of particles, when they are sorted
        for number in range(len(noise)):
            own = which == number
            place = torch.where(own, first + own.cumsum(0) - 1, place)
            first = first + own.sum()
        order = torch.zeros_like(place).scatter(0, place, torch.arange(place.shape[0]))
        images, start = [], 0
        for number, own in enumerate(noise):
            rows = order[start + torch.arange(own.shape[0])]  # a slice of symbols cannot be exported
            images.append(self.model.part(number, condition.rows(rows), NoiseTape([own])))
            start = start + own.shape[0]
        return torch.cat(images)[place]


def _noises(model: VoxelModel, trained_on: TrainedOn) -> list[NoiseInput]:
    """Return which noise a model wants."""
    if isinstance(model, CaloShowerGAN) and model.config.split:
        edges = pairwise((0.0, *model.config.split, math.inf))
        parts = zip(model.config.parts(), edges, strict=True)
        return [
            NoiseInput(f"noise_{number}", "normal", (latent,), edge)
            for number, ((latent, _, _), edge) in enumerate(parts)
        ]
    return noise_asked(lambda tape: model.generate(example(trained_on), tape))
