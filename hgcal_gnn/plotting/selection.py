"""Which cells a picture shows: the rows of a layer, a window, a place worth a close look."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.neighbours.csr import BORDER
from hgcal_gnn.geometry.shapes import outlines, surface_coordinates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.graph import CellGraph

Window: TypeAlias = tuple[tuple[float, float], tuple[float, float]]  # intervals of the two surface coordinates [cm]
SAME_DEPTH = 0.02  # subdetectors whose layers of one number lie this close in depth (relative) are one picture
ZOOM_CELLS = 9.0  # half width of an automatic window, in typical cells
CROWD_RADIUS = 8.0  # cm
CLOCK = np.radians(35.0)  # of many places worth a look take the one nearest to this azimuth in the layer


def layer_rows(
    cells: CellTable, layer: int, *, z_side: int | None = None, subdetector: int | None = None
) -> NDArray[np.int64]:
    """Return the rows of a layer: of one side, and of the subdetectors that lie at one depth.

    Raises
    ------
    UsageError
        If there is no such layer; the message says which there are.
    """
    rows = np.flatnonzero(cells.layer == layer)
    sides = [side for side in (1, 0, -1) if (cells.z_side[rows] == side).any()]
    if sides:
        rows = rows[cells.z_side[rows] == (sides[0] if z_side is None else z_side)]
    if subdetector is not None:
        rows = rows[cells.subdetector[rows] == subdetector]
    if not len(rows):
        where = "" if z_side is None else f" on side {z_side:+d}"
        where += "" if subdetector is None else f" in subdetector {subdetector}"
        there = f"layers {cells.layer.min()} to {cells.layer.max()}, sides {np.unique(cells.z_side).tolist()}"
        msg = f"there is no layer {layer}{where}; the table has {there}"
        raise UsageError(msg)
    # Subdetectors that count their layers each from 1 share numbers, but not the depth: show the first.
    first = cells.subdetector[rows] == cells.subdetector[rows[0]]
    depth = np.abs(cells.z[rows]) if cells.z_side[rows[0]] else np.hypot(cells.x[rows], cells.y[rows])
    alike = np.abs(depth - np.mean(depth[first])) <= max(
        SAME_DEPTH * float(np.mean(depth[first])), np.ptp(depth[first])
    )
    codes = [
        code for code in np.unique(cells.subdetector[rows]).tolist() if alike[cells.subdetector[rows] == code].all()
    ]
    return rows[np.isin(cells.subdetector[rows], codes)]


def zoom_window(graph: CellGraph | CellTable, rows: NDArray[np.int64]) -> Window:
    """Choose a window worth a close look: a crowd of border edges, else a change of cells, else the middle.

    Parameters
    ----------
    rows
        Rows of one layer (see `layer_rows`).
    """
    cells = graph if isinstance(graph, CellTable) else graph.cells
    part = cells.select(rows)
    centre = surface_coordinates(part)
    linked = np.empty(0, np.int64) if isinstance(graph, CellTable) else _border_cells(graph, rows)
    low, high = centre.min(axis=0), centre.max(axis=0)
    candidates = _crowd(centre[linked]) if len(linked) else _meeting_points(part, centre)
    phi = np.arctan2(*(candidates - 0.5 * (low + high)).T[::-1])
    middle = candidates[np.argmin(np.abs(phi - CLOCK))]
    near = rows[np.argsort(np.hypot(*(centre - middle).T))[:50]]
    half = ZOOM_CELLS * float(np.median(np.ptp(outlines(cells, np.sort(near)).corners, axis=1)))
    # Keep the window inside the layer, as far as the layer is larger.
    room = np.maximum(0.5 * (high - low) - half, 0.0)
    middle = np.clip(middle, 0.5 * (low + high) - room, 0.5 * (low + high) + room)
    return (middle[0] - half, middle[0] + half), (middle[1] - half, middle[1] + half)


def _border_cells(graph: CellGraph, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions in `rows` of the cells that have a border edge."""
    edge, source = edges_of(graph, rows)
    return np.unique(source[graph.edge_type[edge] == BORDER])


def edges_of(graph: CellGraph, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edges that start at some rows: their numbers, and the position of their source in `rows`, [n_edges] each."""
    degree = graph.rowptr[rows + 1] - graph.rowptr[rows]
    source = np.repeat(np.arange(len(rows)), degree)
    return np.arange(degree.sum()) + np.repeat(graph.rowptr[rows] - np.cumsum(degree) + degree, degree), source


def _crowd(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points with most others around them, [n, 2]."""
    from scipy.spatial import cKDTree  # noqa: PLC0415

    near = cKDTree(points).query_ball_point(points, CROWD_RADIUS, return_length=True)
    return np.asarray(points[near >= near.max() - 1])


def _meeting_points(cells: CellTable, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centres of the cells that have most evenly cells of two kinds around them (silicon and tiles, or two types)."""
    from scipy.spatial import cKDTree  # noqa: PLC0415

    silicon = cells.is_silicon != 0
    kind = silicon.astype(np.int64) if silicon.any() and not silicon.all() else cells.cell_type.astype(np.int64)
    if (kind == kind[0]).all():
        return np.median(centre, axis=0, keepdims=True)
    _, other = cKDTree(centre).query(centre, k=min(10, len(centre)))
    foreign = np.abs((kind[other] != kind[:, None]).mean(axis=1) - 0.5)
    return np.asarray(centre[foreign == foreign.min()])


def in_window(centre: NDArray[np.float64], window: Window) -> NDArray[np.bool_]:
    """Mark the cells whose centre lies in the window or so little outside that they may reach into it."""
    # Cells may be larger than usual at the rim; three times the mean room per cell covers tiles beside silicon.
    margin = 3.0 * float(np.sqrt(np.prod(np.ptp(centre, axis=0)) / len(centre)))
    inside = np.ones(len(centre), bool)
    for values, (low, high) in zip(centre.T, window, strict=True):
        if not low < high:
            msg = f"the window {window} must have two intervals (low, high) with low < high"
            raise UsageError(msg)
        inside &= (values >= low - margin) & (values <= high + margin)
    return inside
