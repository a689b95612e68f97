"""The generator of a finished run, ready for use; its whole model, for a look at the networks that trained it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.generation.graph.base import GraphModel
from hgcal_gnn.generation.graph.calorimeter import Calorimeter
from hgcal_gnn.generation.models import kind_of, moving_kinds, stepping_kinds
from hgcal_gnn.generation.weights import GeneratorWeights
from hgcal_gnn.training.generation.domain import CellDomain, VoxelDomain
from hgcal_gnn.training.geometry import load_geometry
from hgcal_gnn.training.lightning_runs import checkpoint_of, read_checkpoint
from hgcal_gnn.training.load import MISFITS, misfit
from hgcal_gnn.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, TypeAlias

    from hgcal_gnn.generation.generator import AnyGenerator
    from hgcal_gnn.generation.model import GeneratorModel
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.training.generation.domain import Domain

    Geometry: TypeAlias = tuple[CellGraph, MaterialProfile]


MODEL = "model."  # before the names of its weights in checkpoints


def load_generator(
    path: Path,
    *,
    device: str = "cpu",
    batch_size: int = 256,
    steps: int | None = None,
    geometry: Geometry | None = None,
) -> AnyGenerator:
    """Load the generator of a finished run.

    Parameters
    ----------
    path
        Run folder.
    device
    batch_size
        Showers generated at a time.
    steps
        Of models that sample in steps; None: as in their settings.
    geometry
        Cells to generate in, and their material; None: those of the training.

    Raises
    ------
    InputError
        If the folder holds no finished run of a generator, or a file of it is damaged or does not fit the settings.
    GeometryMismatchError
        If the settings lead to other cells than at the time of the training.
    UsageError
        If there is no such device, or the model has no steps or cannot generate in that geometry.
    """
    folder = RunFolder(path)
    config = folder.read_config(GenerationConfig)
    saved = folder.finished_weights()
    _check_device(device)
    weights = GeneratorWeights.load(saved)
    try:
        return generator_of(
            config, weights, source=str(path), geometry=geometry, steps=steps, device=device, batch_size=batch_size
        )
    except MISFITS as error:
        raise misfit(error, saved, folder) from error


def load_trained(path: Path) -> GeneratorModel:
    """Load the whole model of a run, with discriminators and constrainers as its last check left them, for use.

    Raises
    ------
    InputError
        If the folder holds no finished run of a generator, or its checkpoint is gone, damaged or of other settings.
    """
    folder = RunFolder(path)
    weights = GeneratorWeights.load(folder.finished_weights())
    model = _domain(folder.read_config(GenerationConfig), weights, None, str(path)).build(weights.trained_on)
    if (checkpoint := checkpoint_of(folder)) is None:
        msg = f"{folder.last}: no such file; only the generator of this run is left"
        raise InputError(msg)
    try:
        state = read_checkpoint(checkpoint)["state_dict"]
        model.load_state_dict({name.removeprefix(MODEL): state[name] for name in state if name.startswith(MODEL)})
    except MISFITS as error:
        raise misfit(error, checkpoint, folder) from error
    return model.eval()


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
    config: GenerationConfig,
    weights: GeneratorWeights,
    *,
    source: str,
    geometry: Geometry | None = None,
    steps: int | None = None,
    **options: Any,
) -> AnyGenerator:
    """Build the generator of settings and weights; see `load_generator`.

    Parameters
    ----------
    source
        The run, for messages and the metadata of showers.
    options
        Of `Generator`: device, batch_size.
    """
    is_there = geometry is None or geometry[0].cells_sha256 == weights.cells.cells_sha256
    domain = _domain(config, weights, geometry if is_there else None, source)
    model = domain.build(weights.trained_on)
    if steps is not None:
        if not model.has_steps:
            msg = (
                f"{source}: {kind_of(config.model)} does not sample in steps, leave --steps out; models that do: "
                f"{', '.join(stepping_kinds()) or 'none'}"
            )
            raise UsageError(msg)
        options["steps"] = steps
    model.generating.load_state_dict({name: torch.from_numpy(values) for name, values in weights.arrays.items()})
    if geometry is not None and not is_there:
        if not isinstance(model, GraphModel):
            msg = (
                f"{source}: {kind_of(config.model)} generates in the voxels it was trained in, those of "
                f"{weights.cells.detector} (cells_sha256 {weights.cells.cells_sha256[:12]}...), not in other cells; "
                f"models that move to other geometries: {', '.join(moving_kinds()) or 'none'}"
            )
            raise UsageError(msg)
        model = model.moved_to(Calorimeter.of(*geometry))
    return domain.generator(model, weights.trained_on, source=source, **options)


def _domain(config: GenerationConfig, weights: GeneratorWeights, geometry: Geometry | None, source: str) -> Domain:
    """Return the domain of the training; without a geometry that of the settings is loaded where it is needed."""
    if isinstance(weights.cells, VoxelGrid):
        return VoxelDomain(config, weights.cells)
    geometry = geometry or load_geometry(config.data)
    if geometry[0].cells_sha256 != weights.cells.cells_sha256:
        msg = (
            f"{source}: was trained in {weights.cells.detector}, cells_sha256 {weights.cells.cells_sha256[:12]}..., "
            f"but its settings lead to other cells now ({geometry[0].cells_sha256[:12]}...); give the graph of the "
            "training with --graph FILE"
        )
        raise GeometryMismatchError(msg)
    return CellDomain(config, Calorimeter.of(*geometry))
