"""The surface each layer lies in, and the two coordinates in which its cells are neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from hgcal_gnn.geometry.sides import FLAT

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64
    from hgcal_gnn.geometry.cells import CellTable

SurfaceKind: TypeAlias = Literal["disk", "barrel", "wall", "sphere"]
HIGHEST_ETA = 10.0  # a cell on the beam axis has no eta


@dataclass(frozen=True)
class Surface:
    """One layer of one subdetector on one side: rows `start` to `stop` of the sorted table.

    Attributes
    ----------
    kind
        "disk": a plane across the beam, (x, y). "barrel": a surface around it, (z, r phi), closed in phi. "wall": an
        upright plane beside the beam or around it, (z, y) or (z, x). "sphere": anything else around the origin,
        (eta, phi), closed in phi and true to angles.
    depth
        Distance that a particle has come [cm]: mean z of a disk, counted towards its side, mean r of a barrel or a
        sphere, mean x or y of a wall.
    """

    kind: SurfaceKind
    z_side: int
    layer: int
    subdetector: int
    start: int
    stop: int
    depth: float

    @property
    def rows(self) -> slice:
        """Rows of the layer in the table."""
        return slice(self.start, self.stop)


def surfaces(table: CellTable) -> list[Surface]:
    """List the layers of a table in row order, each with the surface its cells show."""
    starts = table.layer_starts
    stops = np.append(starts[1:], table.n_cells)
    found = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        side = int(table.z_side[start])
        kind: SurfaceKind = "disk"
        if side:
            depth = side * float(table.z[start:stop].mean())
        else:
            kind, depth = _beside_the_beam(*(getattr(table, axis)[start:stop].astype(np.float64) for axis in "xy"))
        layer, subdetector = int(table.layer[start]), int(table.subdetector[start])
        found.append(Surface(kind, side, layer, subdetector, start, stop, depth))
    return found


def surface_coordinates(kind: SurfaceKind, depth: float, x: F64, y: F64, z: F64) -> tuple[F64, F64]:
    """Coordinates a, b [cm] of cells in their surface; b of a barrel or a sphere has the period 2 pi depth."""
    if kind == "disk":
        return x, y
    if kind == "wall":
        return z, y if np.ptp(x) < np.ptp(y) else x
    along = z if kind == "barrel" else depth * eta_of(x, y, z)
    return along, depth * np.arctan2(y, x)


def eta_of(x: F64, y: F64, z: F64) -> F64:
    """Pseudorapidity of a point seen from the origin, cut off at 10."""
    r = np.maximum(np.hypot(x, y), np.abs(z) / np.sinh(HIGHEST_ETA))
    eta: F64 = np.arcsinh(z / np.maximum(r, 1e-9))
    return eta


def _beside_the_beam(x: F64, y: F64) -> tuple[SurfaceKind, float]:
    """Kind and depth of a layer that is no plane across the beam."""
    r = np.hypot(x, y)
    if r.std() <= FLAT * r.mean():
        return "barrel", float(r.mean())
    across = min(x, y, key=lambda values: float(values.std()))
    if across.std() <= FLAT * r.std():
        return "wall", float(across.mean())
    return "sphere", float(r.mean())
