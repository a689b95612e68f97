"""A regular window of an irregular detector: voxels that follow a line of flight, each with a cell of its own."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I64
    from hgcal_gnn.geometry.cells import CellTable

log = logging.getLogger(__name__)
SECTION = "window"
ROOM = 0.95
AXES = ("layer", "u", "v")


def window_grid(
    cells: CellTable,
    eta: float,
    phi: float,
    shape: tuple[int, int] = (16, 16),
    pitch: float | None = None,
    layers: tuple[int, int] | None = None,
) -> VoxelGrid:
    """Lay a regular array of voxels over the cells of an endcap, around a line of flight from the origin.

    In each layer the voxels are squares around the point where the line crosses it; u counts along x, v along y.
    Every cell whose centre lies in the square of a layer gets one voxel of its own, all together so that the sum of
    the squared distances of cells and voxels is smallest; voxels left over have no cell. Where there are more cells
    than voxels, those farthest from the line stay outside.

    Parameters
    ----------
    eta, phi
        Of the line; its sign of eta tells the endcap. phi in rad.
    shape
        Voxels along u and v.
    pitch
        Of the voxels [cm]; default: `usual_pitch`.
    layers
        First and last layer; default: all of the endcap.

    Returns
    -------
    VoxelGrid
        With one section "window", [n_layers, *shape].

    Raises
    ------
    UsageError
        If there is no such layer, a layer has no cell around the line, or the detector has no endcap there.
    """
    numbers = _layers(cells, eta, layers)
    offset = offsets_from_line(cells, eta, phi)
    pitch = pitch or usual_pitch(cells, eta, phi, shape, layers)
    half = 0.5 * pitch * np.asarray(shape)
    centres = voxel_centres(shape, pitch)
    rows = np.full((len(numbers), len(centres)), -1, dtype=np.int64)
    distances = []
    for place, layer in enumerate(numbers):
        some = _rows_of(cells, eta, layer)
        near = some[(np.abs(offset[some]) <= half).all(axis=1)]
        if not len(near):
            msg = f"layer {layer} of {cells.detector} has no cell near eta {eta:g}, phi {phi:g} ({half.max():.3g} cm)"
            raise UsageError(msg)
        if len(near) > len(centres):
            near = near[np.argsort((np.abs(offset[near]) / half).max(axis=1), kind="stable")[: len(centres)]]
        squared = cdist(offset[near], centres, "sqeuclidean")
        cell, voxel = linear_sum_assignment(squared)
        rows[place, voxel] = near[cell]
        distances.append(np.sqrt(squared[cell, voxel]))
    distance = np.concatenate(distances)
    log.info(
        "window of %d layers with %d x %d voxels of %.3g cm: %d cells, from their voxels %.2g cm away in the mean, "
        "%.2g cm at most; %d voxels without a cell",
        len(numbers), *shape, pitch, len(distance), distance.mean(), distance.max(), int((rows < 0).sum()),
    )  # fmt: skip
    window = rows.reshape(len(numbers), *shape)
    return VoxelGrid(cells.detector, cells.sha256, cells.n_cells, {SECTION: window}, {SECTION: AXES})


def offsets_from_line(cells: CellTable, eta: float, phi: float) -> F64:
    """Return where cells lie in their layer, counted from the line [cm], float64 [n_cells, 2] (x and y)."""
    across = cells.z.astype(np.float64) / math.sinh(eta)
    return np.stack([cells.x - across * math.cos(phi), cells.y - across * math.sin(phi)], axis=1)


def voxel_centres(shape: tuple[int, int], pitch: float) -> F64:
    """Return the centres of the voxels of a layer, counted from the line [cm], float64 [n_voxels, 2]."""
    u, v = (pitch * (np.arange(n) - 0.5 * (n - 1)) for n in shape)
    return np.stack(np.meshgrid(u, v, indexing="ij"), axis=-1).reshape(-1, 2)


def usual_pitch(
    cells: CellTable, eta: float, phi: float, shape: tuple[int, int], layers: tuple[int, int] | None = None
) -> float:
    """Return 0.95 of the root of the mean area of the cells around a line [cm].

    With a tenth more voxels than cells, hexagons find theirs 0.34 pitches away in the mean, against 0.53 with as many
    voxels as cells (HGCAL, CE-E at eta 2).
    """
    offset = offsets_from_line(cells, eta, phi)
    areas = []
    for layer in _layers(cells, eta, layers):
        distance = np.sort(np.hypot(*offset[_rows_of(cells, eta, layer)].T))
        n = min(math.prod(shape), len(distance))
        areas.append(math.pi * distance[n - 1] ** 2 / n)
    return ROOM * math.sqrt(float(np.mean(areas)))


def _layers(cells: CellTable, eta: float, layers: tuple[int, int] | None) -> list[int]:
    """Return the wanted layers of the endcap of the line."""
    side = 1 if eta > 0 else -1
    there = np.unique(cells.layer[cells.z_side == side])
    if not len(there):
        msg = f"{cells.detector} has no endcap at eta {eta:g}; a window follows a line into one (data.grid.eta)"
        raise UsageError(msg)
    low, high = layers or (int(there[0]), int(there[-1]))
    wanted = there[(there >= low) & (there <= high)].tolist()
    if not wanted or wanted[0] != low or wanted[-1] != high:
        msg = f"layers {low} to {high}: {cells.detector} has {there[0]} to {there[-1]} there (data.grid.layers)"
        raise UsageError(msg)
    return [int(layer) for layer in wanted]


def _rows_of(cells: CellTable, eta: float, layer: int) -> I64:
    return np.flatnonzero((cells.layer == layer) & (cells.z_side == (1 if eta > 0 else -1)))
