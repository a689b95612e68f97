"""Stations: the layers of one side in the order a particle crosses them, with coordinates in their surface.

Silicon and scintillator of a layer form one station. Where subdetectors count their layers each from 1
at different depths (an ECAL in front of an HCAL), every one of their layers is a station of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.geometry.surfaces import surfaces

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I8, I32, I64
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.surfaces import Surface

SAME_DEPTH = 0.02  # surfaces of one layer number this close in depth (relative) are one station


@dataclass(frozen=True)
class Stations:
    """Stations of a table and every cell's place in its station.

    Attributes
    ----------
    number : int32 [n_cells]
        Station of each cell; stations are sorted by (z side, depth order).
    a, b : float64 [n_cells]
        Surface coordinates [cm]: x, y on a disk; z, r phi on a barrel, r being the station's radius.
    side : int8 [n_stations]
    radius : float64 [n_stations]
        Mean radius of a barrel station [cm], 0 for a disk; b of a barrel is closed with period 2 pi radius.
    previous, next : int32 [n_stations]
        The neighbouring station of the same side, -1 at the ends.
    by_depth : bool
        True if the layer numbers of the subdetectors collide, so that depth had to decide the order.
    """

    number: I32
    a: F64
    b: F64
    side: I8
    radius: F64
    previous: I32
    next: I32
    by_depth: bool

    @property
    def n_stations(self) -> int:
        """Number of stations."""
        return len(self.side)

    @cached_property
    def row(self) -> I64:
        """Rows of the table, one station after the other, [n_cells]."""
        return np.argsort(self.number, kind="stable")

    @cached_property
    def start(self) -> I64:
        """First place of each station in `row`, [n_stations + 1]."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.number, minlength=self.n_stations))])

    def rows(self, station: int) -> I64:
        """Rows of the cells of one station, increasing."""
        return self.row[self.start[station] : self.start[station + 1]]


def find_stations(table: CellTable) -> Stations:
    """Group the layers of a table into stations and give every cell its surface coordinates."""
    layers = surfaces(table)
    by_depth = _numbers_collide(layers)
    keys = [(s.z_side, s.depth, s.subdetector) if by_depth else (s.z_side, s.layer, 0) for s in layers]
    order = {key: number for number, key in enumerate(sorted(set(keys)))}
    of_surface = np.array([order[key] for key in keys], dtype=np.int32)
    sizes = np.array([s.stop - s.start for s in layers])
    number = np.repeat(of_surface, sizes)

    side = np.zeros(len(order), dtype=np.int8)
    side[of_surface] = [s.z_side for s in layers]
    depth = np.bincount(of_surface, sizes * [s.depth for s in layers]) / np.bincount(of_surface, sizes)
    radius = np.where(side == 0, depth, 0.0)

    x, y, z = table.positions.T
    if (side == 0).any():
        barrel = radius[number] > 0
        a = np.where(barrel, z, x)
        b = np.where(barrel, np.arctan2(y, x) * radius[number], y)
    else:
        a, b = np.ascontiguousarray(x), np.ascontiguousarray(y)

    last = np.append(side[1:] != side[:-1], True)
    first = np.append(True, side[1:] != side[:-1])
    index = np.arange(len(order), dtype=np.int32)
    return Stations(
        number=number,
        a=a,
        b=b,
        side=side,
        radius=radius,
        previous=np.where(first, -1, index - 1).astype(np.int32),
        next=np.where(last, -1, index + 1).astype(np.int32),
        by_depth=by_depth,
    )


def _numbers_collide(layers: list[Surface]) -> bool:
    """Tell whether one (side, layer number) stands for surfaces at clearly different depths."""
    depths: dict[tuple[int, int], float] = {}
    for surface in layers:
        known = depths.setdefault((surface.z_side, surface.layer), surface.depth)
        if abs(surface.depth - known) > SAME_DEPTH * max(known, surface.depth):
            return True
    return False
