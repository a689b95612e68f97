"""The voxels that a generator of the settings works in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.batching.window_grid import window_grid
from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors import VOXEL_DETECTORS

if TYPE_CHECKING:
    from hgcal_gnn.config.generation import GenerationDataConfig
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.training.data import Sample

log = logging.getLogger(__name__)
LOOKED_AT = 2000  # showers
WORTH_A_WARNING = 0.05


def make_grid(config: GenerationDataConfig, graph: CellGraph) -> VoxelGrid:
    """Return the arrays of a regular detector, or a regular window of an irregular one; by layer if asked for.

    Raises
    ------
    UsageError
        If the detector is irregular and no window is given, or there are no cells around the window's line.
    """
    grid = _arrays(config, graph)
    return grid.by_layer() if config.by_layer else grid


def _arrays(config: GenerationDataConfig, graph: CellGraph) -> VoxelGrid:
    name = graph.cells.detector
    if config.grid is not None:
        return window_grid(graph.cells, **config.grid.model_dump())
    if name in VOXEL_DETECTORS:
        return VoxelGrid.of_cells(graph.cells)
    msg = (
        f"the cells of {name} form no regular arrays of voxels; voxel models need a regular detector "
        f"({', '.join(VOXEL_DETECTORS)}) or a window of this one: data.grid"
    )
    raise UsageError(msg)


def share_outside(grid: VoxelGrid, sample: Sample) -> float:
    """Return the share of the visible energy of showers that lies in cells without a voxel, and say it if there is any.

    The generator never learns of it: its showers lack that energy.
    """
    has_voxel = np.zeros(grid.n_cells, dtype=bool)
    has_voxel[grid.places[grid.places >= 0]] = True
    showers = sample.store[sample.rows[:LOOKED_AT]]
    energy = showers.energy.astype(np.float64)
    share = float(energy[~has_voxel[showers.cell]].sum() / max(energy.sum(), 1e-30))
    if share > 0:
        level = logging.WARNING if share > WORTH_A_WARNING else logging.INFO
        log.log(level, "%.3g %% of the energy of the showers lies outside of the voxels", 100 * share)
    return share
