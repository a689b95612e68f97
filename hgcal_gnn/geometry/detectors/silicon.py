"""The silicon of one HGCAL layer: choose the wafers, then make all their cells at once."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hgcal_gnn.geometry.detectors.numbers import numbers
from hgcal_gnn.geometry.detectors.wafers import DENSITIES, SQRT3, TURNS, Shape, shapes, wafer_centres, wafer_pitch
from hgcal_gnn.geometry.detid import HGCAL_EE, HGCAL_HSI, silicon_detid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.detectors.windows import Window

FINE, COARSE_THIN, COARSE_THICK = 0, 1, 2  # cell types: 120 um HD, 200 um LD, 300 um LD


class Wafers(NamedTuple):
    """The wafers of a layer, one array [n_wafers] per field, in the order of their cells' ids."""

    u: NDArray[np.int16]
    v: NDArray[np.int16]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    cell_type: NDArray[np.int16]
    shape: NDArray[np.int64]  # position among `all_shapes`

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Wafers:
        """Return some of the wafers."""
        return Wafers(
            self.u[rows], self.v[rows], self.x[rows], self.y[rows], self.cell_type[rows], self.shape[rows]
        )  # fmt: skip


class Cells(NamedTuple):
    """The cells of all shapes one after the other; those of shape s are rows start[s] to start[s + 1]."""

    u: NDArray[np.int16]
    v: NDArray[np.int16]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    start: NDArray[np.int64]


@cache
def all_shapes() -> tuple[Shape, ...]:
    """Return the shapes of both densities."""
    return tuple(shape for density in DENSITIES for shape in shapes(density))


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


def wafer_ids(layer: int, wafers: Wafers, side: int) -> NDArray[np.uint64]:
    """Return the DetIds of cell (0, 0) of wafers, [n_wafers]."""
    cee = numbers("hgcal")["layers"]["cee"]
    return silicon_detid(
        detector=HGCAL_EE if layer <= cee else HGCAL_HSI,
        z_side=side,
        layer=layer if layer <= cee else layer - cee,
        cell_type=wafers.cell_type,
        wafer_u=wafers.u,
        wafer_v=wafers.v,
        cell_u=0,
        cell_v=0,
    )


@cache
def cell_bits() -> NDArray[np.uint64]:
    """Return the bits of (cell u, cell v) in a DetId for the rows of `shape_cells`."""
    cells = shape_cells()
    common = {"detector": HGCAL_EE, "z_side": 1, "layer": 0, "cell_type": 0, "wafer_u": 0, "wafer_v": 0}
    return silicon_detid(**common, cell_u=cells.u, cell_v=cells.v) ^ silicon_detid(**common, cell_u=0, cell_v=0)


def at_layer(steps: list[list[float]], layer: int) -> float:
    """Read a value off a list of [first layer, value], each valid up to the next entry."""
    for (_, value), (following, _) in pairwise([*steps, [layer + 1, 0.0]]):
        if following > layer:
            return value
    raise AssertionError


@cache
def layer_wafers(layer: int) -> Wafers:
    """Choose the wafers of a layer, their density, thickness and shape, on the positive side."""
    listed = numbers("hgcal")["silicon"]
    u, v, x, y = wafer_centres(_lattice_shift(layer), at_layer(listed["outer_mm"], layer) / 10 + wafer_pitch())
    r = np.hypot(x, y)
    fine = r < at_layer(listed["high_density_mm"], layer) / 10
    thin = r < at_layer(listed["thin_mm"], layer) / 10
    shape = np.where(fine, _fitting_shapes(layer, "HD", x, y), _fitting_shapes(layer, "LD", x, y))
    cell_type = np.where(fine, FINE, np.where(thin, COARSE_THIN, COARSE_THICK)).astype(np.int16)
    wafers = Wafers(u, v, x, y, cell_type, shape)
    present = np.flatnonzero(shape >= 0)
    order = np.argsort(wafer_ids(layer, wafers, 1)[present])
    return wafers.take(present[order])


def _lattice_shift(layer: int) -> float:
    """Return the y [cm] of the lattice's origin: the mixed layers have a wafer corner on the beam line.

    modules: below the beam line in even layers, above it in odd ones.
    """
    if layer < numbers("hgcal")["layers"]["first_mixed"]:
        return 0.0
    return (1 if layer % 2 else -1) * wafer_pitch() / SQRT3


def _fitting_shapes(layer: int, density: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the largest shape of a density that fits at each centre, [n_wafers]; -1 where none does.

    Among shapes of equal area, those whose cells continue the lattice of the full wafers around them win.
    """
    listed = numbers("hgcal")
    inner = at_layer(listed["silicon"]["inner_mm"], layer) / 10
    outer = at_layer(listed["silicon"]["outer_mm"], layer) / 10
    face = "back" if layer <= listed["layers"]["cee"] and layer % 2 == 0 else "front"
    full = np.array(listed["silicon"]["placements"][face][density])[_sector(x, y)]
    front = face == "front"
    candidates = [n for n, s in enumerate(all_shapes()) if s.density == density and (s.placement >= TURNS) == front]
    of_candidates = [all_shapes()[number] for number in candidates]
    outline = np.stack([shape.outline for shape in of_candidates])
    square = (x[:, None, None] + outline[..., 0]) ** 2 + (y[:, None, None] + outline[..., 1]) ** 2
    fits = (square.min(axis=2) >= inner**2) & (square.max(axis=2) <= outer**2)
    placement = np.array([shape.placement for shape in of_candidates])
    whole = np.array([shape.share == 1 for shape in of_candidates])
    fits &= ~whole | (placement == full[:, None])
    off_lattice = (placement - full[:, None]) % 2  # turns by 120 degrees keep the lattice, by 60 they do not
    _, by_area = np.unique([-shape.share for shape in of_candidates], return_inverse=True)
    rank = (2 * by_area + off_lattice) * len(candidates) + np.arange(len(candidates))
    best = np.where(fits, rank, rank.max() + 1).argmin(axis=1)
    return np.where(fits.any(axis=1), np.array(candidates)[best], -1)


def _sector(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the sector of 60 degrees 0..5, the first from 30 degrees (excluded) to 90 (included)."""
    sixths = np.round((np.degrees(np.arctan2(y, x)) - 30) / 60, 6)
    return (np.ceil(sixths).astype(np.int64) - 1) % 6
