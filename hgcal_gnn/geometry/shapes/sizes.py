"""Outlines of cells whose table states sizes, or that stand on a rectangular grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from hgcal_gnn.geometry.shapes.sectors import Sectors, sector_corners

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

SAME_LINE = 1e-3  # cm; coordinates closer than this are one line of the grid
SIZE_COLUMNS = ("dx", "dy", "dz", "dr", "dphi", "deta")
MAX_EMPTY = 4  # a grid has at most this many places per cell, else the cells stand on none


def rectangle_corners(
    centre: NDArray[np.float64],
    below: NDArray[np.float64],
    above: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the corners of upright rectangles, [n, 4, 2], cm, anticlockwise.

    Parameters
    ----------
    centre, below, above
        Shape [n, 2]; how far each reaches below and above its centre along either axis.
    """
    low, high = centre - below, centre + above
    across = np.stack([low[:, 0], high[:, 0], high[:, 0], low[:, 0]], axis=1)
    along = np.stack([low[:, 1], low[:, 1], high[:, 1], high[:, 1]], axis=1)
    return np.stack([across, along], axis=2)


def stated_corners(
    cells: CellTable, centre: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return corners from the size columns, [n, k, 2], None without such columns.

    Full widths: dr and dphi, or deta and dphi (dphi in rad); dz and dphi on a barrel; else dx, dy (and dz)
    of upright boxes, which on a barrel are as wide as they look from its axis.

    Parameters
    ----------
    cells
        All cells of one layer.
    centre
        Their surface coordinates, [n_cells, 2]: (x, y) or (r phi, z).
    rows
        Rows asked for, [n].
    """
    size = {name: np.abs(cells.extra[name][rows].astype(np.float64)) for name in SIZE_COLUMNS if name in cells.extra}
    barrel = bool(cells.z_side[0] == 0)
    radius = float(np.hypot(cells.x, cells.y).mean())
    x, y, z = (values[rows].astype(np.float64) for values in (cells.x, cells.y, cells.z))
    if not barrel and ({"deta", "dphi"} <= size.keys() or {"dr", "dphi"} <= size.keys()):
        r, phi = np.hypot(x, y), np.arctan2(y, x)
        if "dr" in size and {"r", "phi"} <= cells.extra.keys():
            r, phi = _stated_polar(cells, rows, r, phi, size["dr"])
        return _disk_sectors(r, phi, np.abs(z), size)
    if barrel and {"deta", "dphi"} <= size.keys():
        return _barrel_towers(np.hypot(x, y), z, radius, centre[rows], size)
    widths = _box_widths(size, np.arctan2(y, x), radius if barrel else None)
    if widths is None:
        return None
    half = 0.5 * np.stack(widths, axis=1)
    return rectangle_corners(centre[rows], half, half)


def grid_corners(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners of rectangles around cells without stated sizes, [n, 4, 2], cm.

    On a rectangular grid, of even steps or not, each reaches half way to the next line of the grid;
    elsewhere it is a square as wide as the distance to the nearest cell.

    Parameters
    ----------
    points
        Centres of all cells of the layer, [n, 2].

    Returns
    -------
    float64 [n, 4, 2]
        NaN for a cell that stands alone.
    """
    lines = [_find_lines(values) for values in points.T]
    if len(points) > 1 and len(lines[0][1]) * len(lines[1][1]) <= MAX_EMPTY * len(points):
        reach = [_line_reach(position) for _, position in lines]
        # A single line of cells has no step of its own across: the cells are as wide as they are long.
        for one, other in ((0, 1), (1, 0)):
            if len(lines[one][1]) == 1:
                reach[one] = (np.median(reach[other][0], keepdims=True),) * 2
        below = np.stack([reach[axis][0][lines[axis][0]] for axis in (0, 1)], axis=1)
        above = np.stack([reach[axis][1][lines[axis][0]] for axis in (0, 1)], axis=1)
        return rectangle_corners(points, below, above)
    half = np.full_like(points, np.nan)
    if len(points) > 1:
        half[:] = 0.5 * np.asarray(cKDTree(points).query(points, k=2)[0])[:, 1:]
    return rectangle_corners(points, half, half)


def _box_widths(
    size: dict[str, NDArray[np.float64]], phi: NDArray[np.float64], radius: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Full widths along the two surface coordinates; `radius` of a barrel, None for a disk."""
    if radius is None:
        return (size["dx"], size["dy"]) if {"dx", "dy"} <= size.keys() else None
    if {"dz", "dphi"} <= size.keys():
        return radius * size["dphi"], size["dz"]
    if {"dx", "dy", "dz"} <= size.keys():
        return np.abs(size["dx"] * np.sin(phi)) + np.abs(size["dy"] * np.cos(phi)), size["dz"]
    return None


def _stated_polar(
    cells: CellTable, rows: NDArray[np.int64], r: NDArray[np.float64], phi: NDArray[np.float64], dr: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle of each cell in r and phi from the columns of that name, if they fit x and y.

    A wide sector's x and y may be its centroid, which is not the middle of its r and phi.
    """
    stated = cells.extra["r"][rows].astype(np.float64)
    if (np.abs(stated - r) > 0.5 * dr).any():
        return r, phi
    return stated, cells.extra["phi"][rows].astype(np.float64)


def _disk_sectors(
    r: NDArray[np.float64], phi: NDArray[np.float64], height: NDArray[np.float64], size: dict[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Corners of cells with dphi and deta or dr at `height` = |z|."""
    if "deta" in size:
        low, high = _sinh_eta_edges(r, height, size["deta"])
        inner, outer = height / high, height / low
    else:
        inner, outer = np.maximum(r - 0.5 * size["dr"], 0.0), r + 0.5 * size["dr"]
    return sector_corners(Sectors(inner, outer, phi - 0.5 * size["dphi"], phi + 0.5 * size["dphi"]))


def _barrel_towers(
    r: NDArray[np.float64],
    z: NDArray[np.float64],
    radius: float,
    centre: NDArray[np.float64],
    size: dict[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Corners of cells with deta and dphi on a barrel of mean `radius`."""
    half_width = 0.5 * radius * size["dphi"]
    low, high = (r * edge for edge in _sinh_eta_edges(r, z, size["deta"]))
    below = np.stack([half_width, centre[:, 1] - low], axis=1)
    return rectangle_corners(centre, below, np.stack([half_width, high - centre[:, 1]], axis=1))


def _sinh_eta_edges(
    r: NDArray[np.float64], z: NDArray[np.float64], deta: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper sinh(eta) = z / r of each cell."""
    eta = np.arcsinh(z / np.maximum(r, 1e-9))
    return np.sinh(eta - 0.5 * deta), np.sinh(eta + 0.5 * deta)


def _find_lines(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the number of each cell's grid line, [n], and the position of each line, ascending."""
    order = np.argsort(values, kind="stable")
    line = np.empty(len(values), np.int64)
    line[order] = np.cumsum(np.append(False, np.diff(values[order]) > SAME_LINE))
    return line, np.bincount(line, values) / np.bincount(line)


def _line_reach(position: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far each line reaches below and above: half a step, at the ends the same as on the inner side."""
    half = 0.5 * np.diff(position)
    if not len(half):
        return np.full(1, np.nan), np.full(1, np.nan)
    return np.append(half[0], half), np.append(half, half[-1])
