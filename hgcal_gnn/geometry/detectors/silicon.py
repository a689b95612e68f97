"""The silicon cells of one HGCAL layer, all wafers at once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hgcal_gnn.geometry.detectors.wafer_layout import all_shapes, layer_wafers, wafer_ids
from hgcal_gnn.geometry.detectors.wafers import wafer_pitch
from hgcal_gnn.geometry.detid import HGCAL_EE, silicon_detid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.detectors.windows import Window


class Cells(NamedTuple):
    """The cells of all shapes one after the other; those of shape s are rows start[s] to start[s + 1]."""

    u: NDArray[np.int16]
    v: NDArray[np.int16]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    start: NDArray[np.int64]


@cache
def shape_cells() -> Cells:
    """Return the cells of `all_shapes` in one piece."""
    every = all_shapes()
    return Cells(
        u=np.concatenate([shape.u for shape in every]),
        v=np.concatenate([shape.v for shape in every]),
        x=np.concatenate([shape.x for shape in every]),
        y=np.concatenate([shape.y for shape in every]),
        start=np.cumsum([0] + [len(shape.u) for shape in every]),
    )


def silicon_layer(layer: int, z: float, side: int, window: Window) -> dict[str, NDArray[Any]] | None:
    """Return the silicon cells of a layer, columns [n_cells] in the order of their ids.

    Side -1 is turned by half a turn around the y axis; `z` [cm] is positive on either side. None if the layer
    has no silicon in the window.
    """
    wafers = layer_wafers(layer)
    possible = window.may_hold(side * wafers.x, wafers.y, side * z, wafer_pitch())
    if possible is not None:
        wafers = wafers.take(possible)
    cells = shape_cells()
    n_cells = cells.start[wafers.shape + 1] - cells.start[wafers.shape]
    wafer = np.repeat(np.arange(len(wafers.u)), n_cells)
    cell = np.arange(len(wafer)) + np.repeat(cells.start[wafers.shape] - (np.cumsum(n_cells) - n_cells), n_cells)
    x = (side * (wafers.x[wafer] + cells.x[cell])).astype(np.float32)
    y = (wafers.y[wafer] + cells.y[cell]).astype(np.float32)
    inside = window.holds(x, y, side * z)
    if inside is not None:
        x, y, wafer, cell = x[inside], y[inside], wafer[inside], cell[inside]
    if not len(x):
        return None
    columns: dict[str, NDArray[Any]] = {
        "x": x,
        "y": y,
        "cell_type": wafers.cell_type[wafer],
        "wafer_u": wafers.u[wafer],
        "wafer_v": wafers.v[wafer],
        "cell_u": cells.u[cell],
        "cell_v": cells.v[cell],
    }
    # A wafer and a cell fill different bits of the id: pack each once, then join.
    columns["cell_id"] = wafer_ids(layer, wafers, side)[wafer] | cell_bits()[cell]
    return columns


@cache
def cell_bits() -> NDArray[np.uint64]:
    """Return the bits of (cell u, cell v) in a DetId for the rows of `shape_cells`."""
    cells = shape_cells()
    common = {"detector": HGCAL_EE, "z_side": 1, "layer": 0, "cell_type": 0, "wafer_u": 0, "wafer_v": 0}
    return silicon_detid(**common, cell_u=cells.u, cell_v=cells.v) ^ silicon_detid(**common, cell_u=0, cell_v=0)
