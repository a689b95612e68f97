"""Grids: showers as images of one row of numbers each, the voxels of all sections, and back to hits in cells."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.batching.dense import from_dense
from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.detectors import voxel_map
from hgcal_gnn.showers.metadata import ShowerMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.arrays import F32, I64, Array
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers

LAYER = "layer"


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """Voxels in one or several arrays (sections), each voxel one cell or none.

    Attributes
    ----------
    detector
    cells_sha256
        Geometry whose rows are meant.
    n_cells
        Rows of it; those in no voxel are outside of the grid.
    rows : mapping of section to int64 array
        Row of the cell of each voxel, -1 where there is none; no cell twice.
    axes : mapping of section to names of its axes
    """

    detector: str
    cells_sha256: str
    n_cells: int
    rows: Mapping[str, I64]
    axes: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        used = self.places[self.places >= 0]
        if len(used) and (used.max() >= self.n_cells or len(np.unique(used)) < len(used)):
            msg = f"{self.detector}: voxels must be different cells of 0..{self.n_cells - 1}"
            raise InputError(msg)

    @classmethod
    def of_cells(cls, cells: CellTable) -> VoxelGrid:
        """Take the arrays of a built-in regular detector, or the part of them that a piece of it fills.

        Sections without cells are left out, and so are layers, rows and columns at the ends.

        Raises
        ------
        UsageError
            If its cells form no regular arrays.
        """
        voxels = voxel_map(cells.detector)
        order = np.argsort(cells.cell_id)
        ids = cells.cell_id[order]
        rows = {}
        for section, whole in voxels.rows.items():
            wanted = (whole + 1).astype(np.uint64)  # the id of a cell is its row in the whole detector + 1
            place = np.searchsorted(ids, wanted).clip(max=len(ids) - 1)
            found = np.where(ids[place] == wanted, order[place], -1)
            if (found >= 0).any():
                rows[section] = _trimmed(found)
        axes = {section: voxels.axes[section] for section in rows}
        return cls(cells.detector, cells.sha256, cells.n_cells, rows, axes)

    def by_layer(self) -> VoxelGrid:
        """Return the same voxels with a section for each layer: arrays with an axis of layers are taken apart."""
        rows, axes = {}, {}
        for section, places in self.rows.items():
            names = self.axes[section]
            if LAYER not in names:
                rows[section], axes[section] = places, names
                continue
            along = names.index(LAYER)
            for number, layer in enumerate(np.moveaxis(places, along, 0), start=1):
                rows[f"{section}_{number}"] = np.ascontiguousarray(layer)
                axes[f"{section}_{number}"] = names[:along] + names[along + 1 :]
        return replace(self, rows=rows, axes=axes)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each section."""
        return {section: rows.shape for section, rows in self.rows.items()}

    @property
    def n_voxels(self) -> int:
        """Voxels of all sections."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @cached_property
    def places(self) -> I64:
        """Row of the cell of each number of an image, int64 [n_voxels]; -1 where there is none."""
        return np.concatenate([rows.reshape(-1) for rows in self.rows.values()])

    @cached_property
    def _voxel_of_cell(self) -> I64:
        """Place of each cell in an image, int64 [n_cells]; -1 outside of the grid."""
        voxel = np.full(self.n_cells, -1, dtype=np.int64)
        inside = np.flatnonzero(self.places >= 0)
        voxel[self.places[inside]] = inside
        return voxel

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry; an unknown one passes.

        Raises
        ------
        GeometryMismatchError
        """
        metadata.check_geometry(self.cells_sha256, source=source)

    def to_images(self, showers: Showers) -> tuple[F32, F32]:
        """Return the energies of the voxels [GeV] and what lies outside of the grid.

        Returns
        -------
        images : float32 [n_showers, n_voxels]
        outside : float32 [n_showers]
            [GeV]
        """
        images = np.zeros((len(showers), self.n_voxels), dtype=np.float32)
        voxel = self._voxel_of_cell[showers.cell]
        inside = voxel >= 0
        flat = showers.shower[inside] * self.n_voxels + voxel[inside]
        np.add.at(images.reshape(-1), flat, showers.energy[inside])  # a cell may have several hits
        lost = np.bincount(showers.shower[~inside], showers.energy[~inside], minlength=len(showers))
        return images, lost.astype(np.float32)

    def to_showers(
        self,
        images: Array,
        of_showers: Showers | Mapping[str, Array],
        *,
        threshold: float = 0.0,
        source: str = "voxels",
        metadata: ShowerMetadata | None = None,
    ) -> Showers:
        """Return images [n_showers, n_voxels] in GeV as showers; voxels without a cell are left out.

        Parameters
        ----------
        of_showers
            Columns of the showers, `incident_energy` [GeV] at least; or the showers the images were made from.
        threshold
            Voxels of at most this energy [GeV] are empty.

        Raises
        ------
        InputError
            For wrong shapes and energies that are not finite.
        """
        about = metadata or ShowerMetadata(cells_sha256=self.cells_sha256, source=source)
        found = from_dense(images, of_showers, about, threshold=threshold, source=source)
        cell = self.places[found.cell]
        if (cell < 0).any():
            found = found.where(cell >= 0)
            cell = self.places[found.cell]
        return found.replace(cell=cell.astype(np.int32))


def _trimmed(rows: I64) -> I64:
    """Cut off what has no cell at the ends of all axes."""
    filled = np.nonzero(rows >= 0)
    return rows[tuple(slice(places.min(), places.max() + 1) for places in filled)]
