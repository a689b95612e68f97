"""The voxels that a generator of the settings works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors import VOXEL_DETECTORS

if TYPE_CHECKING:
    from hgcal_gnn.config.generation import GenerationDataConfig
    from hgcal_gnn.geometry.graph import CellGraph


def make_grid(config: GenerationDataConfig, graph: CellGraph) -> VoxelGrid:
    """Return the arrays of a regular detector, or a regular window of an irregular one.

    Raises
    ------
    UsageError
        If the detector is irregular and no window is given.
    """
    name = graph.cells.detector
    if config.grid is None and name in VOXEL_DETECTORS:
        return VoxelGrid.of_cells(graph.cells)
    msg = (
        f"the cells of {name} form no regular arrays of voxels; voxel models need a regular detector "
        f"({', '.join(VOXEL_DETECTORS)}) or a window of this one: data.grid"
    )
    raise UsageError(msg)
