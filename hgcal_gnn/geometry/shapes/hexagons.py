"""Corners of hexagonal silicon cells, whole or cut by the edge of their wafer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from hgcal_gnn.geometry.detid import cells_across

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.shapes.lattice import Lattice, WaferFit

MAX_CORNERS = 12  # a wafer (six sides) cut by up to six sides of a cell
NEIGHBOUR_STEPS = np.array([(1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1)])  # (u, v) around a cell


def hexagon_corners(centre: NDArray[np.float64], lattice: Lattice) -> NDArray[np.float64]:
    """Return the corners of regular hexagons, [n, 6, 2], cm, anticlockwise.

    Corners stand half way (30 degrees) between the directions of two neighbours, at pitch / sqrt(3).

    Parameters
    ----------
    centre
        Shape [n, 2].
    """
    angle = lattice.direction[:, None] + np.radians(30.0 + 60.0 * np.arange(6))
    radius = (lattice.pitch / np.sqrt(3.0))[:, None]
    return np.stack([centre[:, :1] + radius * np.cos(angle), centre[:, 1:] + radius * np.sin(angle)], axis=2)


def in_full_wafer(u: NDArray[np.integer], v: NDArray[np.integer], n: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell which (u, v) are cells of a full wafer: 0 <= u, v < 2N and -N < u - v <= N.

    These 3 N^2 places are the ones the DetIds of full wafers take (seen in real ones for N = 8 and 12).
    """
    return (u >= 0) & (v >= 0) & (u < 2 * n) & (v < 2 * n) & (u - v <= n) & (v - u < n)


def cut_at_wafer_edge(
    corners: NDArray[np.float64], rows: NDArray[np.int64], centre: NDArray[np.float64], fit: WaferFit
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Fit the cells along a wafer's rim to its outline: some are cut there, the others reach out to it.

    The centre of a wafer is the corner shared by its cells (N-1, N-1), (N, N-1) and (N, N), or in
    (u, v) coordinates (N - 1/3, N - 2/3), and its sides face the corners of its cells at a distance of
    sqrt(3) N pitch / 2, so that 3 N^2 cells fill it (CMSSW, Geometry/HGCalCommonData/src/HGCalCell.cc:
    cell side = wafer size / 3N, and the offsets of cellUV2XY1).
    Along the dividing line of a partial wafer cells stay whole.

    Parameters
    ----------
    corners
        Whole hexagons, [n, 6, 2].
    rows
        Rows of the cells in `fit`, [n].
    centre
        Shape [n, 2].

    Returns
    -------
    corners : float64 [n, k, 2]
        Padded by repeating the last corner.
    n_corners : int64 [n]
    """
    wafer, u, v = fit.wafer[rows], fit.u[rows].astype(np.int64), fit.v[rows].astype(np.int64)
    n = cells_across(fit.cell_type)[wafer]
    outside = np.stack([~in_full_wafer(u + du, v + dv, n) for du, dv in NEIGHBOUR_STEPS], axis=1)
    inside = in_full_wafer(u, v, n) & ~np.isnan(fit.origin[wafer, 0])
    follows_cms = np.hypot(*(fit.step_u - fit.step_v).T) > np.hypot(*(fit.step_u + fit.step_v).T)
    rim = np.flatnonzero(outside.any(axis=1) & inside & follows_cms[wafer])
    n_corners = np.full(len(rows), 6)
    if not len(rim):
        return corners, n_corners
    w = wafer[rim]
    step_u, step_v = fit.step_u[w], fit.step_v[w]
    middle = fit.origin[w] + (n[rim, None] - 1 / 3) * step_u + (n[rim, None] - 2 / 3) * step_v
    rim_corners, n_corners[rim] = _cut(middle - centre[rim], step_u, step_v, n[rim], outside[rim])
    k = max(int(n_corners.max()), 6)
    padded = np.concatenate([corners, np.repeat(corners[:, -1:], k - 6, axis=1)], axis=1)
    padded[rim] = rim_corners[:, :k] + centre[rim, None]
    return padded, n_corners


@njit(cache=True)
def _cut(
    middle: NDArray[np.float64],
    step_u: NDArray[np.float64],
    step_v: NDArray[np.float64],
    n: NDArray[np.int64],
    outside: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Wafer outline around `middle`, seen from each cell, cut by the cell's sides towards neighbours in the wafer."""
    corners = np.empty((len(middle), MAX_CORNERS, 2))
    n_corners = np.empty(len(middle), np.int64)
    work, spare = np.empty((MAX_CORNERS, 2)), np.empty((MAX_CORNERS, 2))
    for cell in range(len(middle)):
        # The corners of the wafer lie N steps from its centre in the directions of neighbouring cells.
        for k in range(6):
            du, dv = NEIGHBOUR_STEPS[k]
            for axis in range(2):
                work[k, axis] = middle[cell, axis] + n[cell] * (du * step_u[cell, axis] + dv * step_v[cell, axis])
        size = 6
        for k in range(6):
            if outside[cell, k]:
                continue
            du, dv = NEIGHBOUR_STEPS[k]
            normal_x = du * step_u[cell, 0] + dv * step_v[cell, 0]
            normal_y = du * step_u[cell, 1] + dv * step_v[cell, 1]
            limit = 0.5 * (normal_x**2 + normal_y**2)
            size = _clip(work, size, normal_x, normal_y, limit, spare)
            work[:size] = spare[:size]
        n_corners[cell] = size
        for k in range(MAX_CORNERS):
            corners[cell, k] = work[min(k, size - 1)]
    return corners, n_corners


@njit(cache=True)
def _clip(
    corners: NDArray[np.float64], size: int, normal_x: float, normal_y: float, limit: float, kept: NDArray[np.float64]
) -> int:
    """Keep the part of a convex polygon where normal . corner <= limit; returns its number of corners."""
    count = 0
    for i in range(size):
        j = (i + 1) % size
        here = corners[i, 0] * normal_x + corners[i, 1] * normal_y - limit
        there = corners[j, 0] * normal_x + corners[j, 1] * normal_y - limit
        if here <= 0.0:
            kept[count] = corners[i]
            count += 1
        if (here < 0.0 < there) or (there < 0.0 < here):
            share = here / (here - there)
            kept[count] = corners[i] + share * (corners[j] - corners[i])
            count += 1
    return count
