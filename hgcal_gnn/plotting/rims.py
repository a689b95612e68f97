"""The rims of wafers: sides of cell outlines that no other cell of the same wafer shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.geometry.shapes.lattice import wafer_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

GRID = 0.02  # cm; sides whose middles fall into one square are the same side


def wafer_rims(cells: CellTable, corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sides along the rims of wafers, [n_sides, 2, 2], cm; none if the wafers are not known.

    Parameters
    ----------
    cells
        Cells of one layer, or a part of them (whose cut then counts as a rim).
    corners
        Their outlines, [n_cells, k, 2].
    """
    silicon = cells.is_silicon != 0
    wafer = wafer_numbers(cells.select(silicon)) if silicon.any() else None
    if wafer is None:
        return np.empty((0, 2, 2))
    start = corners[silicon]
    end = np.roll(start, -1, axis=1)
    real = np.hypot(*(end - start).transpose(2, 0, 1)) > GRID  # repeated corners make sides of no length
    sides = np.stack([start[real], end[real]], axis=1)
    of_wafer = np.repeat(wafer, real.sum(axis=1))
    middle = sides.mean(axis=1) / GRID
    # Rounding parts equal numbers near the edge of a square; no number is near the edge in both of two grids.
    shared = _repeated(of_wafer, np.floor(middle)) | _repeated(of_wafer, np.floor(middle + 0.5))
    return sides[~shared]


def _repeated(wafer: NDArray[np.int64], place: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the sides whose wafer and place occur more than once."""
    across, along = (place - place.min(axis=0)).astype(np.int64).T
    key = (wafer << 44) + (across << 22) + along
    _, number, count = np.unique(key, return_inverse=True, return_counts=True)
    return np.asarray(count[number] > 1)
