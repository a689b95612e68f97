"""A run folder with a generator that was never trained: all that commands which generate need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.config.any_run import check_run
from hgcal_gnn.config.read import write_config
from hgcal_gnn.generation.models import MODELS
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.weights import GeneratorWeights, TrainedOn
from hgcal_gnn.geometry.detectors import make_detector

if TYPE_CHECKING:
    from pathlib import Path

DETECTOR = "calochallenge-1-photons"
BEAM = {"particle": "photon", "energy": "1,4,16,64", "direction": [0.0, 0.0, 1.0], "number": 400, "seed": 1}


def make_generator(folder: Path) -> None:
    """Write the folder."""
    folder.mkdir()
    content = {"data": {"detector": DETECTOR, "train": {"simulate": BEAM}}, "model": {"kind": "calo_shower_gan"}}
    config = check_run(content, "test")
    write_config(config, folder / "config.yaml")
    grid = VoxelGrid.of_cells(make_detector(DETECTOR))
    trained_on = TrainedOn((22,), (1.0, 64.0), (0.0, 0.0), (0.0, 0.0), direction=(0.0, 0.0, 1.0), beam=BEAM)
    torch.manual_seed(0)
    model = MODELS["calo_shower_gan"](config.model, ImageSizes(grid.shapes, (22,), (1.0, 64.0)))
    arrays = {name: values.numpy() for name, values in model.generating.state_dict().items()}
    GeneratorWeights(arrays, grid, trained_on).save(folder / "model.safetensors")
