"""Silicon wafers of the HGCAL: their lattice in a layer, their cells, and the partial wafers at the edges.

Three lattices nest: wafers (u, v) in a layer, cells (u, v) in a wafer, and the twelve ways to place a wafer.
Lengths are in cm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.geometry.detectors.numbers import numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

SQRT3 = 3.0**0.5
N_PLACEMENTS = 12
TURNS = 6  # placements 0..5 are seen from the back, 6..11 from the front
# Multiples of 60 degrees to the last bit, so that wafers of equal axes share one lattice exactly.
COS = np.array([1.0, 0.5, -0.5, -1.0, -0.5, 0.5])
SIN = SQRT3 / 2 * np.array([0.0, 1.0, 1.0, 0.0, -1.0, -1.0])
DENSITIES = ("LD", "HD")


@dataclass(frozen=True, eq=False)
class Shape:
    """A full or partial wafer of one density in one placement.

    Attributes
    ----------
    share : float
        Area as a share of the full hexagon.
    placement : int
        0..11, the placement index of CMSSW.
    u, v : int16 [n_cells]
        Cells, in the order of their ids: by v, then u.
    x, y : float64 [n_cells]
        Centres of the cells [cm] from the wafer's centre.
    outline : float64 [7, 2]
        Corners [cm] from the wafer's centre; fewer corners are filled up by repeating the last.
    """

    density: str
    name: str
    share: float
    placement: int
    u: NDArray[np.int16]
    v: NDArray[np.int16]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    outline: NDArray[np.float64]


def wafer_pitch() -> float:
    """Distance of neighbouring wafer centres [cm]."""
    wafer = numbers("hgcal")["wafer"]
    return float(wafer["size_mm"] + wafer["separation_mm"]) / 10


def wafer_centres(
    shift: float, reach: float
) -> tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.float64], NDArray[np.float64]]:
    """Return the wafers (u, v) of a layer and their centres x, y [cm], those within `reach` of the beam line.

    x = (v / 2 - u) p, y = v sqrt(3) / 2 p + shift, p the wafer pitch: HGCalGeomTools and
    HGCalDDDConstants::waferPosition of CMSSW. `shift` is 0 for layers with a wafer on the beam line, plus or
    minus p / sqrt(3) for layers with a wafer corner there (HGCalTypes CornerCenterYp, CornerCenterYm).
    """
    pitch = wafer_pitch()
    most = int(reach / pitch) + 2
    v, u = (index.ravel().astype(np.int16) for index in np.mgrid[-most : most + 1, -most : most + 1])
    x = (v / 2 - u) * pitch
    y = v * (SQRT3 / 2 * pitch) + shift
    near = np.hypot(x, y) < reach
    return u[near], v[near], x[near], y[near]


def cell_centres(
    u: NDArray[np.integer], v: NDArray[np.integer], n_side: int, placement: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cell centres x, y [cm] from the wafer's centre, [n].

    HGCalCell::cellUV2XY2 of CMSSW, except that the size is the wafer pitch, gap included: this reproduces
    the positions of the V17 geometry, in which the cells of neighbouring wafers form one lattice.

    Parameters
    ----------
    n_side
        Cells along a side: 8 (LD) or 12 (HD).
    placement
        0..11; 6..11 turn clockwise by 60 degrees each, 0..5 are their mirror images in x.
    """
    edge = wafer_pitch() / (3 * n_side)  # side of a hexagonal cell
    u, v = u.astype(np.int64), v.astype(np.int64)
    x = (1.5 * (v - u) + 0.5) * edge
    y = (u + v - 2 * n_side + 1) * (SQRT3 / 2 * edge)
    if placement < TURNS:
        x = -x
    turn = placement if placement < TURNS else -placement % TURNS
    return x * COS[turn] - y * SIN[turn], x * SIN[turn] + y * COS[turn]


@cache
def shapes(density: str) -> tuple[Shape, ...]:
    """Return every shape of a density in every placement, largest first."""
    listed = numbers("hgcal")["wafer"][density]["shapes"]
    every = [_shape(density, name, placement) for name in listed for placement in range(N_PLACEMENTS)]
    return tuple(sorted(every, key=lambda shape: (-shape.share, -len(shape.u), shape.name, shape.placement)))


def _shape(density: str, name: str, placement: int) -> Shape:
    of_density = numbers("hgcal")["wafer"][density]
    n_side, listed = of_density["cells_per_side"], of_density["shapes"][name]
    v, u = (index.ravel() for index in np.mgrid[: 2 * n_side, : 2 * n_side])
    in_wafer = (v - u < n_side) & (u - v <= n_side)
    u, v = u[in_wafer], v[in_wafer]
    outline = hexagon()
    if "edge" in listed:
        kept = _kept_cells(u, v, listed["edge"], listed["cells"])
        outline = _cut_outline(outline, n_side, placement, listed["edge"])
        u, v = u[kept], v[kept]
    x, y = cell_centres(u, v, n_side, placement)
    padded = np.concatenate([outline, np.repeat(outline[-1:], 7 - len(outline), axis=0)])
    return Shape(density, name, listed["share"], placement, u.astype(np.int16), v.astype(np.int16), x, y, padded)


def hexagon() -> NDArray[np.float64]:
    """Return the corners of a full wafer [6, 2] in cm, counter-clockwise, two of them at x = 0."""
    radius = wafer_pitch() / SQRT3
    return radius * np.stack([-SIN, COS], axis=1)


def _kept_cells(u: NDArray[np.integer], v: NDArray[np.integer], edge: list[int], n_cells: int) -> NDArray[np.bool_]:
    """Mark the cells of a partial wafer: a u + b v <= c, less the cells the cut takes from the last row.

    The condition is CMSSW's; the published number of cells is smaller by up to one row. Which cells of that
    row are missing is not published: here the ends of the row go first.
    """
    a, b, c = edge
    row = a * u.astype(np.int64) + b * v.astype(np.int64)
    kept = row <= c
    missing = int(kept.sum()) - n_cells
    last = np.flatnonzero(row == row[kept].max())
    from_middle = np.abs(np.arange(len(last)) - (len(last) - 1) / 2)
    kept[last[np.argsort(-from_middle, kind="stable")[:missing]]] = False
    return kept


def _cut_outline(corners: NDArray[np.float64], n_side: int, placement: int, edge: list[int]) -> NDArray[np.float64]:
    """Cut a convex outline half-way between the last row of cells kept and the first one lost."""
    a, b, c = edge
    # a u + b v is linear in x, y: three cells give its gradient.
    x, y = cell_centres(np.array([0, 1, 0]), np.array([0, 0, 1]), n_side, placement)
    steps = np.array([[x[1] - x[0], y[1] - y[0]], [x[2] - x[0], y[2] - y[0]]])
    gradient = np.linalg.solve(steps, np.array([a, b], dtype=np.float64))
    offset = -gradient @ np.array([x[0], y[0]])
    excess = corners @ gradient + offset - (c + 0.5)
    following = np.roll(excess, -1)
    cut = []
    for corner, ahead, here, there in zip(corners, np.roll(corners, -1, axis=0), excess, following, strict=True):
        if here <= 0:
            cut.append(corner)
        if here * there < 0:
            cut.append(corner + (ahead - corner) * here / (here - there))
    return np.array(cut)
