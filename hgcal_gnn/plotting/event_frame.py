"""One shower in its own frame: along the line of flight, outwards and sideways from it, in real lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.shapes import outlines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers

    Floats = NDArray[np.float64]

CONTAINED = 0.98  # share of the energy that the view holds
SMALLEST = 3.0  # cm: the view is at least so wide


class EventFrame(NamedTuple):
    """Hits of one shower in a frame whose first axis is the line of flight, 0 where it enters the first hit layer.

    The second axis points away from the normal of the layers (outwards, in an endcap), the third lies in the
    layers. The frame is turned and shifted, never stretched.

    Attributes
    ----------
    position : float64 [n_hits, 3]
        [cm]
    corners : float64 [n_hits, k, 3]
        Outlines of the cells, in order around each; NaN where nothing tells them.
    energy : float64 [n_hits]
        [GeV]
    rows : int64 [n_hits]
        Rows of the cells in the geometry; one hit per cell, ascending in energy, so that the largest are drawn last.
    planes : float64 [n_layers]
        Where the line of flight crosses the layers with hits in view, in order.
    tilt : float
        A layer lies at ``plane + tilt * outwards``.
    radius : float
        Half width of the view [cm].
    """

    position: Floats
    corners: Floats
    energy: Floats
    rows: NDArray[np.int64]
    planes: Floats
    tilt: float
    radius: float

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Hits inside the view, [n_hits]."""
        return np.asarray(np.abs(self.position[:, 1:]).max(axis=1) <= self.radius)

    @property
    def depth(self) -> tuple[float, float]:
        """Limits of the view along the line of flight [cm]."""
        along = self.position[self.seen, 0]
        margin = 0.02 * float(np.ptp(along)) + 1.0
        return float(along.min()) - margin, float(along.max()) + margin

    def plane_lines(self) -> Floats:
        """Return lines that hint the layers on two walls of the view, [n, 2, 3]: along, sideways, outwards [cm]."""
        (near, far), radius = self.depth, self.radius
        ends = np.broadcast_to([-radius, radius], (len(self.planes), 2))
        limits = np.sort((np.array([near, far]) - self.planes[:, np.newaxis]) / (self.tilt or 1e-12), axis=1)
        up = np.clip(ends, limits[:, :1], limits[:, 1:])  # the part of each layer that lies between near and far
        wall = np.stack([self.planes[:, np.newaxis] + self.tilt * up, np.full_like(up, radius), up], axis=2)
        low = np.repeat(self.planes[:, np.newaxis] - self.tilt * radius, 2, axis=1)
        floor = np.stack([low, ends, np.full_like(low, -radius)], axis=2)
        inside = (low[:, 0] >= near) & (low[:, 0] <= far)
        return np.concatenate([floor[inside], wall])


def event_frame(shower: Showers, cells: CellTable) -> EventFrame:
    """Turn the hits of one shower (the first of `shower`) into its frame.

    Vertex and direction that are not known are replaced as in `profile_data.axis_distance`.

    Raises
    ------
    UsageError
        If it has no hits with energy.
    """
    one = shower[0].merged()
    one = one.where(one.energy > 0)
    if not len(one.cell):
        msg = "this shower has no hits to draw"
        raise UsageError(msg)
    order = np.argsort(one.energy, kind="stable")
    rows, energy = one.cell[order].astype(np.int64), one.energy[order].astype(np.float64)
    place = _positions(cells, rows)
    start, along = _line(one, place, energy)
    normal = _normal(cells, rows, place, energy)
    axes = _axes(along, normal)
    position, corners = ((points - start) @ axes.T for points in (place, _corners(cells, rows)))
    radius = _view(np.abs(position[:, 1:]).max(axis=1), energy)
    tilt = _tilt(axes, normal)
    planes = _planes(cells, rows, position, tilt, radius)
    for points in (position, corners):
        points[..., 0] -= planes[0]
    return EventFrame(position, corners, energy, rows, planes - planes[0], tilt, radius)


def _view(distance: Floats, energy: Floats) -> float:
    """Return the half width that holds most of the energy [cm]."""
    nearest = np.argsort(distance)
    inside = np.searchsorted(np.cumsum(energy[nearest]), CONTAINED * energy.sum())
    return max(SMALLEST, 1.15 * float(distance[nearest[min(inside, len(nearest) - 1)]]))


def _planes(cells: CellTable, rows: NDArray[np.int64], position: Floats, tilt: float, radius: float) -> Floats:
    """Return where the line of flight crosses the layers that have hits in view, in order."""
    seen = np.abs(position[:, 1:]).max(axis=1) <= radius
    crossing = (position[:, 0] - tilt * position[:, 1])[seen]
    key = cells.layer[rows[seen]].astype(np.int64) << 8 | cells.subdetector[rows[seen]]
    _, layer = np.unique(key, return_inverse=True)
    return np.sort(np.bincount(layer, crossing) / np.bincount(layer))


def _positions(cells: CellTable, rows: NDArray[np.int64]) -> Floats:
    return np.stack([getattr(cells, axis)[rows].astype(np.float64) for axis in "xyz"], axis=1)


def _line(shower: Showers, place: Floats, energy: Floats) -> tuple[Floats, Floats]:
    """Return a point of the line of flight and the unit vector along it."""
    centre = (place * energy[:, np.newaxis]).sum(axis=0) / energy.sum()
    vertex = np.array([float(getattr(shower, f"vertex_{axis}")[0]) for axis in "xyz"])
    direction = np.array([float(getattr(shower, f"direction_{axis}")[0]) for axis in "xyz"])
    if not np.isfinite(vertex).all():
        vertex = centre
    if not np.isfinite(direction).all():
        length = float(np.linalg.norm(centre))
        direction = centre / length if length > 0 else np.array([0.0, 0.0, 1.0])
    return vertex, direction / np.linalg.norm(direction)


def _normal(cells: CellTable, rows: NDArray[np.int64], place: Floats, energy: Floats) -> Floats:
    """Return the normal of the layers where most of the energy is: along z in an endcap, outwards in a barrel."""
    in_endcap = cells.z_side[rows] != 0
    if energy[in_endcap].sum() >= 0.5 * energy.sum():
        return np.array([0.0, 0.0, 1.0])
    centre = (place * energy[:, np.newaxis])[:, :2].sum(axis=0)
    return np.append(centre / max(float(np.linalg.norm(centre)), 1e-30), 0.0)


def _axes(along: Floats, normal: Floats) -> Floats:
    """Return the unit vectors along, outwards and sideways as rows [3, 3]."""
    sideways = np.cross(normal, along)
    length = float(np.linalg.norm(sideways))
    if length < 1e-6:  # the flight is along the normal: any direction in the layer will do
        sideways = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
        length = float(np.linalg.norm(sideways))
    sideways /= length
    return np.stack([along, np.cross(sideways, along), sideways])


def _tilt(axes: Floats, normal: Floats) -> float:
    """Return how far a layer runs along the line of flight per cm outwards."""
    forward, outwards, _ = axes @ normal
    return float(-outwards / forward) if abs(forward) > 1e-3 else 0.0


def _corners(cells: CellTable, rows: NDArray[np.int64]) -> Floats:
    """Return the outlines of cells in space, float64 [n, k, 3] in cm; NaN where nothing tells their size."""
    starts = np.append(cells.layer_starts, cells.n_cells)
    in_company = np.diff(starts)[np.searchsorted(starts, rows, side="right") - 1] > 1
    unknown = np.full((len(rows), 4, 3), np.nan)
    if not in_company.any():
        return unknown
    wanted, place = np.unique(rows[in_company], return_inverse=True)
    try:
        flat = outlines(cells, wanted, cut=True).corners[place]
    except InputError:  # one of a kind in a layer of others
        return unknown
    known = rows[in_company]
    space = np.concatenate(
        [flat, np.broadcast_to(cells.z[known, np.newaxis, np.newaxis], (*flat.shape[:2], 1))], axis=2
    )
    barrel = cells.z_side[known] == 0
    if barrel.any():
        radius = _layer_radius(cells, known[barrel])[:, np.newaxis]
        phi, own = flat[barrel, :, 0] / radius, np.hypot(cells.x[known[barrel]], cells.y[known[barrel]])[:, np.newaxis]
        space[barrel] = np.stack([own * np.cos(phi), own * np.sin(phi), flat[barrel, :, 1]], axis=2)
    corners = np.full((len(rows), *space.shape[1:]), np.nan)
    corners[in_company] = space
    return corners


def _layer_radius(cells: CellTable, rows: NDArray[np.int64]) -> Floats:
    """Return the mean radius of the whole layer of each barrel cell, by which its outline was laid flat [cm]."""
    starts = np.append(cells.layer_starts, cells.n_cells)
    layer = np.searchsorted(starts, rows, side="right") - 1
    radius = np.zeros(len(starts))
    for number in np.unique(layer).tolist():
        span = slice(int(starts[number]), int(starts[number + 1]))
        radius[number] = np.hypot(cells.x[span], cells.y[span]).astype(np.float64).mean()
    return radius[layer]
