"""Which wafers an HGCAL layer has: place, density, thickness and cut, chosen by rule."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.geometry.detectors.numbers import numbers
from hgcal_gnn.geometry.detectors.wafers import DENSITIES, SQRT3, TURNS, Shape, shapes, wafer_centres, wafer_pitch
from hgcal_gnn.geometry.detid import HGCAL_EE, HGCAL_HSI, silicon_detid

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


@cache
def all_shapes() -> tuple[Shape, ...]:
    """Return the shapes of both densities."""
    return tuple(shape for density in DENSITIES for shape in shapes(density))


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
    face = "back" if layer <= listed["layers"]["cee"] and layer % 2 == 0 else "front"
    full = np.array(listed["silicon"]["placements"][face][density])[_sector(x, y)]
    front = face == "front"
    candidates = [n for n, s in enumerate(all_shapes()) if s.density == density and (s.placement >= TURNS) == front]
    of_candidates = [all_shapes()[number] for number in candidates]
    outline = np.stack([shape.outline for shape in of_candidates])
    fits = _within_limits(layer, x[:, None, None] + outline[..., 0], y[:, None, None] + outline[..., 1]).all(axis=2)
    placement = np.array([shape.placement for shape in of_candidates])
    whole = np.array([shape.share == 1 for shape in of_candidates])
    fits &= ~whole | (placement == full[:, None])
    off_lattice = (placement - full[:, None]) % 2  # turns by 120 degrees keep the lattice, by 60 they do not
    _, by_area = np.unique([-shape.share for shape in of_candidates], return_inverse=True)
    rank = (2 * by_area + off_lattice) * len(candidates) + np.arange(len(candidates))
    best = np.where(fits, rank, rank.max() + 1).argmin(axis=1)
    return np.where(fits.any(axis=1), np.array(candidates)[best], -1)


def _within_limits(layer: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the points [...] where silicon may be: between the layer's limits, and not where its tiles are."""
    listed = numbers("hgcal")
    inner = at_layer(listed["silicon"]["inner_mm"], layer) / 10
    outer = at_layer(listed["silicon"]["outer_mm"], layer) / 10
    square = x**2 + y**2
    outside_hole: NDArray[np.bool_] = square >= inner**2
    if layer < listed["layers"]["first_mixed"]:
        return outside_hole & (square <= outer**2)
    # A wafer's outline here has sharp corners; in reality they are cut off, so they may reach over the limit.
    bite: float = listed["wafer"]["mouse_bite_mm"] / 10
    of_layer = listed["tiles"]["layers"][layer]
    first_edge: float = listed["tiles"]["ring_edges_mm"][of_layer["rings"][0] - 1] / 10
    module_of_six = np.floor(np.degrees(np.arctan2(y, x)) / 10).astype(np.int64) % 6
    has_first = np.isin(module_of_six, of_layer.get("first_ring_in", []))
    furthest = np.where(has_first, min(first_edge, outer), outer) + bite
    return outside_hole & (square <= furthest**2)


def _sector(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the sector of 60 degrees 0..5, the first from 30 degrees (excluded) to 90 (included)."""
    sixths = np.round((np.degrees(np.arctan2(y, x)) - 30) / 60, 6)
    return (np.ceil(sixths).astype(np.int64) - 1) % 6
