"""Trained generators: the networks of each as ONNX files, and generation with these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hgcal_gnn.errors import UsageError
from hgcal_gnn.export.cells import cells_in_onnx, cells_networks
from hgcal_gnn.export.onnx_file import Session, traced
from hgcal_gnn.export.trees import OnnxTree, tree_network
from hgcal_gnn.export.voxels import OnnxImages, voxel_about, voxel_network
from hgcal_gnn.generation.graph.cells import Cells
from hgcal_gnn.generation.graph.generator import HitGenerator
from hgcal_gnn.generation.graph.tree import TreeModel
from hgcal_gnn.generation.models import kind_of
from hgcal_gnn.generation.voxel.generator import VoxelGenerator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.export.onnx_file import Network
    from hgcal_gnn.generation.generator import AnyGenerator

WHOLE = "model"  # name of the one network of most models


def export_generator(generator: AnyGenerator, about: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """Make an ONNX file of each network of a trained generator.

    Parameters
    ----------
    about
        Kept in their metadata.

    Returns
    -------
    dict
        Content of the files by the name of the network: `WHOLE`, where there is one only.

    Raises
    ------
    UsageError
        If the model cannot be exported, or onnx is not installed.
    """
    networks, own = _networks(generator)
    model = generator.trained  # type: ignore[attr-defined]
    told = {
        "what": "generator", "kind": kind_of(model.config), "detector": generator.detector,
        "cells_sha256": generator.cells_sha256, "pdg_ids": list(generator.trained_on.pdg_ids),
        "settings": model.config.model_dump(mode="json"), **own, **(about or {}),
    }  # fmt: skip
    return {name: traced(network, told | {"network": name}) for name, network in networks.items()}


def use_onnx(generator: AnyGenerator, files: Mapping[str, bytes]) -> None:
    """Let a generator generate with its exported networks from now on.

    Parameters
    ----------
    files
        What `export_generator` made of it.

    Raises
    ------
    UsageError
        If onnxruntime is not installed, or the generator is on another device than the CPU.
    """
    if generator.device.type != "cpu":
        msg = f"the engine onnx runs on the CPU, not on {generator.device}; leave out --device"
        raise UsageError(msg)
    sessions = {name: Session(content) for name, content in files.items()}
    if isinstance(generator, VoxelGenerator):
        generator.engine = OnnxImages(sessions[WHOLE], generator.grid.n_voxels)
    elif isinstance(generator, HitGenerator) and isinstance(generator.model, TreeModel):
        generator.engine = OnnxTree(sessions[WHOLE], generator.model)
    elif isinstance(generator, HitGenerator) and isinstance(generator.model, Cells):
        generator.engine = cells_in_onnx(generator.model, sessions).generate


def _networks(generator: AnyGenerator) -> tuple[dict[str, Network], dict[str, Any]]:
    """Return the networks of a generator by name, and what is said of them."""
    if isinstance(generator, VoxelGenerator):
        return {WHOLE: voxel_network(generator)}, voxel_about(generator)
    if isinstance(generator, HitGenerator) and isinstance(generator.trained, TreeModel):
        own = {"threshold": generator.trained.config.threshold, "layers": generator.trained.planes.layer.tolist()}
        return {WHOLE: tree_network(generator.trained, generator.trained_on)}, own
    if isinstance(generator, HitGenerator) and isinstance(generator.trained, Cells):
        networks = cells_networks(generator.trained, generator.trained_on, generator.steps)
        return networks, {"threshold": generator.trained.config.threshold, "steps": generator.steps}
    msg = f"{type(generator).__name__} cannot be exported"
    raise UsageError(msg)
