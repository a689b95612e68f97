"""The generator of a finished run, ready for use."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.generation.generator import VoxelGenerator
from hgcal_gnn.generation.models import MODELS, kind_of
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.weights import GeneratorWeights
from hgcal_gnn.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path


def load_generator(path: Path, *, device: str = "cpu", batch_size: int = 256) -> VoxelGenerator:
    """Load the generator of a finished run.

    Parameters
    ----------
    path
        Run folder.
    device
    batch_size
        Showers generated at a time.

    Raises
    ------
    InputError
        If the folder holds no finished run of a generator, or a file of it is damaged or does not fit the settings.
    UsageError
        If there is no such device.
    """
    folder = RunFolder(path)
    config = folder.read_config(GenerationConfig)
    saved = folder.finished_weights()
    _check_device(device)
    weights = GeneratorWeights.load(saved)
    try:
        return generator_of(config, weights, source=str(path), device=device, batch_size=batch_size)
    except RuntimeError as error:
        msg = f"{saved}: does not fit the settings in {folder.config} ({str(error).splitlines()[0]})"
        raise InputError(msg) from error


def weights_digest(path: Path) -> str:
    """Return the first 12 digits of the sha256 of a run's weights: which training made a sample."""
    with RunFolder(path).weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where PyTorch was built without it
        msg = f"device {device}: cannot be used here ({str(error).splitlines()[0]}); use cpu"
        raise UsageError(msg) from error


def generator_of(
    config: GenerationConfig, weights: GeneratorWeights, *, source: str, device: str = "cpu", batch_size: int = 256
) -> VoxelGenerator:
    """Build the generator of settings and weights."""
    sizes = ImageSizes(weights.grid.shapes, weights.trained_on.pdg_ids, weights.trained_on.energy)
    model = MODELS[kind_of(config.model)](config.model, sizes)
    model.generating.load_state_dict({name: torch.from_numpy(values) for name, values in weights.arrays.items()})
    return VoxelGenerator(
        model, weights.grid, weights.trained_on, source=source, device=device, batch_size=batch_size
    )  # fmt: skip
