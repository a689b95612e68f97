"""The lattice of hexagonal cells: pitch and direction, measured from the cells of each wafer.

Where wafer and cell (u, v) are known (columns, or DetIds), each wafer's lattice is the straight-line fit of
its cell centres against (u, v); otherwise it is read off the nearest neighbours of each cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from hgcal_gnn.geometry.detid import HGCAL_HSC, cells_across, decode_silicon, holds_detids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

SAME_PITCH = 0.03  # neighbours of one lattice lie at the pitch within this share
CLEAR = 0.98  # neighbours agree on the direction if their mean unit vector is at least this long
NOMINAL_WIDTH = 16.75408  # cm across flats of a wafer's cells (CMSSW, hgcal.xml v17: WaferSize + SensorSeparation)
NOMINAL_DIRECTION = np.pi / 6  # of layers that are not rotated
UV_COLUMNS = ("wafer_u", "wafer_v", "cell_u", "cell_v")
MIN_AREA = 1e-3  # determinant of the scatter of (u, v); cells on one line give 0, three cells of a triangle 0.037


class Lattice(NamedTuple):
    """Lattice of each cell.

    Attributes
    ----------
    pitch : float64 [n]
        Distance between neighbouring centres, which is the width across flats [cm]; NaN if unknown.
    direction : float64 [n]
        Angle of a neighbour seen from the cell, modulo 60 degrees [rad]; NaN if unknown.
    """

    pitch: NDArray[np.float64]
    direction: NDArray[np.float64]


class WaferFit(NamedTuple):
    """Straight-line fit centre = origin + u step_u + v step_v of each wafer.

    Attributes
    ----------
    wafer : int64 [n_cells]
        Number of each cell's wafer (wafers with cells of several types count once for each).
    cell_type : int16 [n_wafers]
    origin, step_u, step_v : float64 [n_wafers, 2]
        In cm; NaN where the wafer's cells do not fix a hexagonal lattice.
    u, v : int16 [n_cells]
    """

    wafer: NDArray[np.int64]
    cell_type: NDArray[np.int16]
    origin: NDArray[np.float64]
    step_u: NDArray[np.float64]
    step_v: NDArray[np.float64]
    u: NDArray[np.int16]
    v: NDArray[np.int16]


def fit_wafers(cells: CellTable) -> WaferFit | None:
    """Fit the lattice of every wafer of one layer; None if (u, v) are not known for its cells."""
    places = _places(cells)
    if places is None:
        return None
    wafer_u, wafer_v, u, v = places
    first, wafer = _number_wafers(cells, wafer_u, wafer_v)
    origin, step_u, step_v = _fit_planes(wafer, len(first), u, v, cells.x, cells.y)
    return WaferFit(wafer, cells.cell_type[first], origin, step_u, step_v, u, v)


def wafer_numbers(cells: CellTable) -> NDArray[np.int64] | None:
    """Return the number of each silicon cell's wafer in its layer, [n_cells]; None if they are not known."""
    places = _places(cells)
    return None if places is None else _number_wafers(cells, places[0], places[1])[1]


def measure_lattice(cells: CellTable, rows: NDArray[np.int64], fit: WaferFit | None) -> Lattice | None:
    """Measure pitch and direction for some cells of one layer.

    Parameters
    ----------
    cells
        All silicon cells of the layer: its neighbours are needed too.
    rows
        Rows of `cells` asked for, [n].
    fit
        From `fit_wafers`, or None.

    Returns
    -------
    Lattice or None
        None if the cells stand on a square lattice.
    """
    if fit is not None:
        return _from_fit(fit, rows)
    found = _from_neighbours(cells)
    return None if found is None else Lattice(found.pitch[rows], found.direction[rows])


def _places(cells: CellTable) -> tuple[NDArray[np.int16], ...] | None:
    """Wafer u, v and cell u, v of silicon cells, from columns or DetIds."""
    stated = all(name in cells.extra for name in UV_COLUMNS)
    if stated and (cells.extra["cell_u"] >= 0).all():  # -1 marks cells without a place in a wafer
        return tuple(np.asarray(cells.extra[name]).astype(np.int16) for name in UV_COLUMNS)
    if not holds_detids(cells.cell_id, cells.subdetector) or (cells.subdetector == HGCAL_HSC).any():
        return None
    ids = decode_silicon(cells.cell_id)
    return ids.wafer_u, ids.wafer_v, ids.cell_u, ids.cell_v


def _number_wafers(
    cells: CellTable, wafer_u: NDArray[np.int16], wafer_v: NDArray[np.int16]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First cell of each wafer, [n_wafers], and the wafer of each cell, [n_cells]; each cell type counts alone."""
    key = (cells.cell_type.astype(np.int64) << 20) + wafer_u.astype(np.int64) * 1024 + wafer_v
    _, first, wafer = np.unique(key, return_index=True, return_inverse=True)
    return first, wafer


def _fit_planes(
    wafer: NDArray[np.int64],
    n_wafers: int,
    u: NDArray[np.int16],
    v: NDArray[np.int16],
    x: NDArray[np.floating],
    y: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Least squares of x and y against (u, v) in every wafer at once."""
    count = np.bincount(wafer, minlength=n_wafers)

    def mean(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(wafer, value, n_wafers) / count)

    values = [np.asarray(value, np.float64) for value in (u, v, x, y)]
    means = [mean(value) for value in values]
    du, dv, dx, dy = (value - middle[wafer] for value, middle in zip(values, means, strict=True))
    uu, vv, uv = mean(du * du), mean(dv * dv), mean(du * dv)
    area = uu * vv - uv * uv
    area[area < MIN_AREA] = np.nan
    ux, vx, uy, vy = mean(du * dx), mean(dv * dx), mean(du * dy), mean(dv * dy)
    step_u = np.stack([vv * ux - uv * vx, vv * uy - uv * vy], axis=1) / area[:, None]
    step_v = np.stack([uu * vx - uv * ux, uu * vy - uv * uy], axis=1) / area[:, None]
    bad = ~_is_hexagonal(step_u, step_v)
    step_u[bad], step_v[bad] = np.nan, np.nan
    mean_u, mean_v, mean_x, mean_y = means
    origin = np.stack([mean_x, mean_y], axis=1) - mean_u[:, None] * step_u - mean_v[:, None] * step_v
    return origin, step_u, step_v


def _is_hexagonal(step_u: NDArray[np.float64], step_v: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell whether the two steps and their sum (or difference) are of one length."""
    lengths = [np.hypot(*step.T) for step in (step_u, step_v, step_u + step_v, step_u - step_v)]
    third = np.minimum(lengths[2], lengths[3])
    same_v = np.abs(lengths[1] - lengths[0]) <= SAME_PITCH * lengths[0]
    return np.asarray(same_v & (np.abs(third - lengths[0]) <= SAME_PITCH * lengths[0]))


def _from_fit(fit: WaferFit, rows: NDArray[np.int64]) -> Lattice:
    """Lattice of each cell from its wafer's fit.

    A wafer with too few cells for a fit takes what its layer's other wafers show: all are of one size, so
    pitch x (cells across) is common to fine and coarse ones. A layer without any takes the nominal values.
    """
    n = cells_across(fit.cell_type)
    pitch = 0.5 * (np.hypot(*fit.step_u.T) + np.hypot(*fit.step_v.T))
    turn = np.exp(6j * np.arctan2(fit.step_u[:, 1], fit.step_u[:, 0]))
    lone = np.isnan(pitch)
    if lone.any():
        others = ~lone
        pitch[lone] = (np.median((pitch * n)[others]) if others.any() else NOMINAL_WIDTH / np.sqrt(3.0)) / n[lone]
        turn[lone] = turn[others].sum() if others.any() else np.exp(6j * NOMINAL_DIRECTION)
    wafer = fit.wafer[rows]
    return Lattice(pitch[wafer], np.angle(turn)[wafer] / 6)


def _from_neighbours(cells: CellTable) -> Lattice | None:
    """Lattice of each cell from those of its six nearest cells of the same type that lie at the usual distance."""
    pitch = np.full(cells.n_cells, np.nan)
    direction = np.full(cells.n_cells, np.nan)
    for cell_type in np.unique(cells.cell_type).tolist():
        members = np.flatnonzero(cells.cell_type == cell_type)
        if len(members) < 2:
            continue
        points = np.stack([cells.x[members], cells.y[members]], axis=1).astype(np.float64)
        found = _nearest_lattice(points)
        if found is None:
            return None
        pitch[members], direction[members] = found
    return Lattice(pitch, direction)


def _nearest_lattice(points: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]] | None:
    """Pitch (the median nearest distance) and each point's direction, from points of one type [n, 2].

    None if the neighbours stand at right angles.
    """
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    distance, other = (np.asarray(found) for found in tree.query(points, k=min(7, len(points))))
    pitch = float(np.median(distance[:, 1]))
    at_pitch = np.abs(distance[:, 1:] - pitch) <= SAME_PITCH * pitch
    step = points[other[:, 1:]] - points[:, None]
    angle = np.arctan2(step[..., 1], step[..., 0])
    sixfold, fourfold = (np.where(at_pitch, np.exp(fold * 1j * angle), 0).sum(axis=1) for fold in (6, 4))
    if np.abs(fourfold).sum() > np.abs(sixfold).sum():
        return None
    # Beside a wafer of another direction the neighbours disagree: such cells, and lone ones, take the
    # direction of the nearest cell whose neighbours agree.
    clear = np.abs(sixfold) >= CLEAR * np.maximum(at_pitch.sum(axis=1), 1)
    if clear.any() and not clear.all():
        _, nearest = cKDTree(points[clear]).query(points[~clear])
        sixfold[~clear] = sixfold[clear][nearest]
    return pitch, np.angle(sixfold) / 6
