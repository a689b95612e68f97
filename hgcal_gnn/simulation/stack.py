"""The layers as a shower meets them: where its axis crosses them and how much material lies before."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from hgcal_gnn.simulation.deposit import CellFinder, find_cell

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.simulation.hits import Hits

EDGE = 30.0  # a layer whose cells end this far [cm] before the axis is not crossed


class Stack(NamedTuple):
    """Surfaces and material of all layers of a table, as kernels read them.

    Attributes
    ----------
    barrel : uint8 [n_layers]
        0: plane at `position` z [cm]; 1: cylinder of radius `position` [cm].
    position, front : float64 [n_layers]
        Of the layer, and where its material begins (the layer before, or the front of the calorimeter) [cm].
    thickness : float64 [n_layers]
        Between the two.
    low, high : float64 [n_layers, 2]
        Corners of the region that holds its cells, in surface coordinates [cm].
    x0, interaction, loss : float64 [n_layers]
        Material between `front` and the layer at normal incidence: radiation lengths, nuclear interaction
        lengths, energy loss of a minimum ionising particle [MeV].
    response : float64 [n_layers, 2]
        Electromagnetic crossings of the layer's silicon and of its tiles per crossing expected from the
        material alone.
    moliere : float64 [n_layers]
        Moliere radius where the layer is, gaps included [cm].
    cells : int64 [n_layers]
        Layer of the cell finder: layers that sum several sensor planes appear once for each plane.
    layer : int16 [n_layers]
        Number of the layer in the table.
    """

    barrel: NDArray[np.uint8]
    position: NDArray[np.float64]
    front: NDArray[np.float64]
    thickness: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    x0: NDArray[np.float64]
    interaction: NDArray[np.float64]
    loss: NDArray[np.float64]
    response: NDArray[np.float64]
    moliere: NDArray[np.float64]
    cells: NDArray[np.int64]
    layer: NDArray[np.int16]


class Sensors(NamedTuple):
    """Sensors as kernels read them.

    Attributes
    ----------
    kind : uint8 [n_cells]
        Sensor of each cell.
    mip : float64 [n_sensors, 2]
        Most probable deposit and Landau width [MeV] of a minimum ionising particle.
    is_tile : uint8 [n_sensors]
    """

    kind: NDArray[np.uint8]
    mip: NDArray[np.float64]
    is_tile: NDArray[np.uint8]


class Axis(NamedTuple):
    """The layers one shower crosses, in order along its axis; `filled[0]` entries of each array are valid.

    Attributes
    ----------
    layers : int64 [n_layers]
        Layer in the stack.
    path : float64 [n_layers]
        Distance from the vertex [cm].
    x0, interaction, loss : float64 [n_layers]
        Material crossed since the vertex.
    slant : float64 [n_layers]
        1 / cosine of the angle of incidence.
    origin : float64 [n_layers, 2]
        Crossing point in surface coordinates [cm].
    plane : float64 [n_layers, 4]
        Surface coordinates (a, b) of a displacement (u, v) across the axis: a += plane[0] u + plane[1] v,
        b += plane[2] u + plane[3] v.
    filled : int64 [1]
    """

    layers: NDArray[np.int64]
    path: NDArray[np.float64]
    x0: NDArray[np.float64]
    interaction: NDArray[np.float64]
    loss: NDArray[np.float64]
    slant: NDArray[np.float64]
    origin: NDArray[np.float64]
    plane: NDArray[np.float64]
    filled: NDArray[np.int64]


class World(NamedTuple):
    """All that a shower under way reads and writes; `state` is its random stream, uint64 [4]."""

    stack: Stack
    sensors: Sensors
    finder: CellFinder
    hits: Hits
    axis: Axis
    state: NDArray[np.uint64]


def new_axis(n_layers: int) -> Axis:
    """Return room for an axis that crosses at most `n_layers` layers."""
    return Axis(
        layers=np.zeros(n_layers, np.int64),
        path=np.zeros(n_layers),
        x0=np.zeros(n_layers),
        interaction=np.zeros(n_layers),
        loss=np.zeros(n_layers),
        slant=np.zeros(n_layers),
        origin=np.zeros((n_layers, 2)),
        plane=np.zeros((n_layers, 4)),
        filled=np.zeros(1, np.int64),
    )


@njit(cache=True, nogil=True)
def _distance_to(barrel: int, position: float, vertex: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
    """Return the path [cm] along a line to a plane or cylinder, negative where it is not ahead."""
    if not barrel:
        return (position - vertex[2]) / direction[2] if direction[2] != 0.0 else -1.0
    a = direction[0] ** 2 + direction[1] ** 2
    half = vertex[0] * direction[0] + vertex[1] * direction[1]
    root = half * half - a * (vertex[0] ** 2 + vertex[1] ** 2 - position**2)
    return (-half + math.sqrt(root)) / a if a > 0.0 and root >= 0.0 else -1.0


@njit(cache=True, nogil=True)
def _across(direction: NDArray[np.float64]) -> tuple[float, float, float, float, float, float]:
    """Return two unit vectors across `direction`."""
    dx, dy, dz = direction[0], direction[1], direction[2]
    transverse = math.hypot(dx, dy)
    if transverse < 1e-9:
        return 1.0, 0.0, 0.0, 0.0, 1.0, 0.0
    px, py = -dy / transverse, dx / transverse
    return px, py, 0.0, -dz * py, dz * px, dx * py - dy * px


@njit(cache=True, nogil=True)
def trace(stack: Stack, vertex: NDArray[np.float64], direction: NDArray[np.float64], axis: Axis) -> None:
    """Fill `axis` with the layers that the line from `vertex` along the unit vector `direction` crosses."""
    px, py, pz, qx, qy, qz = _across(direction)
    count = 0
    for i in range(len(stack.position)):
        path = _distance_to(stack.barrel[i], stack.position[i], vertex, direction)
        if path <= 0.0:
            continue
        x, y, z = vertex[0] + path * direction[0], vertex[1] + path * direction[1], vertex[2] + path * direction[2]
        if stack.barrel[i]:
            nx, ny, nz = x / stack.position[i], y / stack.position[i], 0.0
            a, b = z, math.atan2(y, x) * stack.position[i]
        else:
            nx, ny, nz = 0.0, 0.0, 1.0
            a, b = x, y
        low, high = stack.low[i], stack.high[i]
        if not (low[0] - EDGE < a < high[0] + EDGE and low[1] - EDGE < b < high[1] + EDGE):
            continue
        along = nx * direction[0] + ny * direction[1] + nz * direction[2]
        p, q = (nx * px + ny * py + nz * pz) / along, (nx * qx + ny * qy + nz * qz) / along
        ux, uy, uz = px - p * direction[0], py - p * direction[1], pz - p * direction[2]
        vx, vy, vz = qx - q * direction[0], qy - q * direction[1], qz - q * direction[2]
        place = count
        while place > 0 and axis.path[place - 1] > path:
            axis.layers[place], axis.path[place] = axis.layers[place - 1], axis.path[place - 1]
            axis.slant[place], axis.x0[place] = axis.slant[place - 1], axis.x0[place - 1]
            axis.origin[place], axis.plane[place] = axis.origin[place - 1], axis.plane[place - 1]
            place -= 1
        axis.layers[place], axis.path[place], axis.slant[place] = i, path, 1.0 / abs(along)
        axis.origin[place, 0], axis.origin[place, 1] = a, b
        # share of the layer's material that lies ahead of the vertex
        before = _distance_to(stack.barrel[i], stack.front[i], vertex, direction)
        axis.x0[place] = 1.0 if before >= 0.0 else path / (path - _behind(stack, i, vertex, direction))
        if stack.barrel[i]:
            axis.plane[place, 0], axis.plane[place, 1] = uz, vz
            axis.plane[place, 2], axis.plane[place, 3] = nx * uy - ny * ux, nx * vy - ny * vx
        else:
            axis.plane[place, 0], axis.plane[place, 1] = ux, vx
            axis.plane[place, 2], axis.plane[place, 3] = uy, vy
        count += 1
    axis.filled[0] = count
    _cumulate(stack, axis)


@njit(cache=True, nogil=True)
def _behind(stack: Stack, i: int, vertex: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
    """Return the (negative) path [cm] to the front of a layer's material when the vertex lies inside it."""
    if not stack.barrel[i]:
        return float((stack.front[i] - vertex[2]) / direction[2])
    return float(stack.front[i]) - math.hypot(vertex[0], vertex[1])


@njit(cache=True, nogil=True)
def _cumulate(stack: Stack, axis: Axis) -> None:
    """Sum the material along the axis, the first layer's reduced to the share ahead of the vertex."""
    x0, interaction, loss = 0.0, 0.0, 0.0
    for place in range(axis.filled[0]):
        i = axis.layers[place]
        length = axis.slant[place] * axis.x0[place]
        x0 += length * stack.x0[i]
        interaction += length * stack.interaction[i]
        loss += length * stack.loss[i]
        axis.x0[place], axis.interaction[place], axis.loss[place] = x0, interaction, loss


@njit(cache=True, nogil=True)
def cell_at(world: World, place: int, u: float, v: float) -> int:
    """Return the row of the cell at displacement (u, v) [cm] in the layer at `place`, -1 outside all cells."""
    axis = world.axis
    a = axis.origin[place, 0] + axis.plane[place, 0] * u + axis.plane[place, 1] * v
    b = axis.origin[place, 1] + axis.plane[place, 2] * u + axis.plane[place, 3] * v
    return find_cell(world.finder, world.stack.cells[axis.layers[place]], a, b)
