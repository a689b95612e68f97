"""Regular detectors as arrays of voxels: which row of the cell table each voxel is, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class VoxelMap:
    """The arrays in which a detector's showers are published, and their cells.

    Attributes
    ----------
    detector : str
    rows : mapping of section to int64 array
        Row in the cell table of the whole detector, for each voxel; the shape is the section's ("ECAL":
        [24, 24, 25]). Flattened one after the other in C order, the sections are in the order of the files. The id of a
        cell is its row + 1, so that a piece of the detector is found by its ids.
    axes : mapping of section to names of its axes
    """

    detector: str
    rows: Mapping[str, NDArray[np.int64]]
    axes: Mapping[str, tuple[str, ...]]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each section."""
        return {section: rows.shape for section, rows in self.rows.items()}

    @property
    def n_cells(self) -> int:
        """Number of cells, which is the number of voxels."""
        return sum(rows.size for rows in self.rows.values())

    def to_voxels(self, values: ArrayLike) -> dict[str, NDArray[Any]]:
        """Turn values of cells [..., n_cells] into voxels, [..., *shape] for each section.

        Raises
        ------
        InputError
            If the last axis is not n_cells long.
        """
        of_cells = np.asarray(values)
        if of_cells.ndim == 0 or of_cells.shape[-1] != self.n_cells:
            msg = f"{self.detector} has {self.n_cells} cells, the values have shape {list(of_cells.shape)}"
            raise InputError(msg)
        return {section: of_cells[..., rows] for section, rows in self.rows.items()}

    def to_cells(self, voxels: Mapping[str, ArrayLike]) -> NDArray[Any]:
        """Turn voxels of all sections, [..., *shape] each, into values of cells [..., n_cells].

        Raises
        ------
        InputError
            If a section is missing, unknown or has another shape.
        """
        arrays = {section: np.asarray(values) for section, values in voxels.items()}
        if set(arrays) != set(self.rows):
            msg = f"{self.detector} has the sections {', '.join(self.rows)}, got {', '.join(arrays) or 'none'}"
            raise InputError(msg)
        for section, shape in self.shapes.items():
            if arrays[section].shape[-len(shape) :] != shape:
                msg = f"{self.detector}: section {section} must end in {list(shape)}, got {list(arrays[section].shape)}"
                raise InputError(msg)
        lead = {arrays[section].shape[: arrays[section].ndim - rows.ndim] for section, rows in self.rows.items()}
        if len(lead) > 1:
            msg = f"{self.detector}: the sections hold different numbers of showers: {sorted(lead)}"
            raise InputError(msg)
        cells = np.empty((*lead.pop(), self.n_cells), np.result_type(*arrays.values()))
        for section, rows in self.rows.items():
            cells[..., rows] = arrays[section]
        return cells
