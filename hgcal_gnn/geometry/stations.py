"""Stations: the layers of one side in the order a particle crosses them, with coordinates in their surface.

Silicon and scintillator of a layer form one station. Where subdetectors count their layers each from 1
at different depths (an ECAL in front of an HCAL), every one of their layers is a station of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.geometry.surfaces import surface_coordinates, surfaces

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I8, I32, I64, U8
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.surfaces import Surface, SurfaceKind

SAME_DEPTH = 0.02  # surfaces of one layer number this close in depth (relative) are one station ...
SAME_PLANE = 0.001  # ... unless they lie behind each other by more than this
OVERLAP = 0.5  # share of a footprint from which on two surfaces lie behind each other
FOOTPRINT = 32  # bins a side of a footprint, at most
CELLS_PER_BIN = 4


@dataclass(frozen=True)
class Stations:
    """Stations of a table and every cell's place in its station.

    Attributes
    ----------
    number : int32 [n_cells]
        Station of each cell; stations are sorted by side, then along the way of a particle.
    a, b : float64 [n_cells]
        Surface coordinates [cm]: x, y on a disk; z, r phi on a barrel, r being the station's radius.
    part : uint8 [n_cells]
        Cells of one station and part may touch: those of one subdetector for CMS, else those of subdetectors
        that lie beside each other, silicon and scintillator apart.
    kind
        Surface of each station.
    side : int8 [n_stations]
    radius : float64 [n_stations]
        Mean radius of a station around the beam [cm], 0 for a plane; b has the period 2 pi radius.
    previous, next : int32 [n_stations]
        The neighbouring station of the same side, -1 at the ends.
    by_depth : bool
        True if layer numbers do not tell the order, because subdetectors count again from the start or because
        numbers do not grow with depth: then stations are sorted by depth, some beside and not behind each other.
    """

    number: I32
    a: F64
    b: F64
    part: U8
    kind: tuple[SurfaceKind, ...]
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
    groups = _group(table, layers)
    groups, by_depth = (groups, False) if table.is_cms else _in_order(groups)
    of_layer = {layer.start: number for number, group in enumerate(groups) for layer in group}
    sizes = [layer.stop - layer.start for layer in layers]
    number = np.repeat(np.array([of_layer[layer.start] for layer in layers], dtype=np.int32), sizes)
    part = table.subdetector if table.is_cms else _parts(table, groups)
    side = np.array([group[0].z_side for group in groups], dtype=np.int8)
    radius = np.array([0.0 if group[0].kind in ("disk", "wall") else _depth(group) for group in groups])

    x, y, z = table.positions.T
    if all(group[0].kind == "disk" for group in groups):
        a, b = np.ascontiguousarray(x), np.ascontiguousarray(y)
    else:
        a, b = np.empty(table.n_cells), np.empty(table.n_cells)
        for group in groups:
            rows = np.concatenate([np.arange(layer.start, layer.stop) for layer in group])
            a[rows], b[rows] = surface_coordinates(group[0].kind, _depth(group), x[rows], y[rows], z[rows])

    last = np.append(side[1:] != side[:-1], True)
    first = np.append(True, side[1:] != side[:-1])
    index = np.arange(len(groups), dtype=np.int32)
    return Stations(
        number=number,
        a=a,
        b=b,
        part=part,
        kind=tuple(group[0].kind for group in groups),
        side=side,
        radius=radius,
        previous=np.where(first, -1, index - 1).astype(np.int32),
        next=np.where(last, -1, index + 1).astype(np.int32),
        by_depth=by_depth,
    )


def _group(table: CellTable, layers: list[Surface]) -> list[list[Surface]]:
    """Put surfaces of one side and number together, sorted by side and number.

    Where some of them lie behind each other, subdetectors count their layers each on its own: then equal numbers
    mean nothing, and every surface stays alone.
    """
    groups: dict[tuple[int, int], list[Surface]] = {}
    for layer in layers:  # sorted by side, number, subdetector
        mates = groups.setdefault((layer.z_side, layer.layer), [])
        if not table.is_cms and any(_lie_apart(table, layer, mate) for mate in mates):
            return [[layer] for layer in layers]
        mates.append(layer)
    return list(groups.values())


def _lie_apart(table: CellTable, one: Surface, other: Surface) -> bool:
    """Tell whether two surfaces of one layer number are no common layer."""
    step = abs(one.depth - other.depth)
    scale = max(abs(one.depth), abs(other.depth))
    if one.kind != other.kind or step > SAME_DEPTH * scale:
        return True
    return step > SAME_PLANE * scale and _overlap(table, one, other)


def _overlap(table: CellTable, one: Surface, other: Surface) -> bool:
    """Tell whether the smaller of two surfaces lies before or behind the other."""
    x, y, z = table.positions.T
    parts = [
        np.column_stack(surface_coordinates(s.kind, one.depth, x[s.rows], y[s.rows], z[s.rows])) for s in (one, other)
    ]
    both = np.concatenate(parts)
    n_bins = min(max(int(np.sqrt(min(map(len, parts)) / CELLS_PER_BIN)), 1), FOOTPRINT)
    origin, width = both.min(axis=0), np.maximum(np.ptp(both, axis=0), 1e-9) / n_bins
    first, second = (
        np.unique(((part - origin) / width).astype(np.int64) @ np.array([2 * n_bins, 1])) for part in parts
    )
    return len(np.intersect1d(first, second)) > OVERLAP * min(len(first), len(second))


def _parts(table: CellTable, groups: list[list[Surface]]) -> U8:
    """Give every cell the number of its part of the station: one part for subdetectors beside each other."""
    part = np.zeros(table.n_cells, dtype=np.uint8)
    for group in groups:
        bundles: list[list[Surface]] = []
        for layer in group:
            covered = [any(_overlap(table, layer, mate) for mate in bundle) for bundle in bundles]
            place = covered.index(False) if False in covered else len(bundles)
            bundles[place : place + 1] = [[*bundles[place], layer] if place < len(bundles) else [layer]]
            part[layer.rows] = place
    mixed = bool(table.is_silicon.any()) and not table.is_silicon.all()
    return 2 * part + (table.is_silicon > 0) if mixed else part


def _in_order(groups: list[list[Surface]]) -> tuple[list[list[Surface]], bool]:
    """Keep the order of the layer numbers if depth grows (or shrinks) with them on every side, else sort by depth."""
    sides = {group[0].z_side for group in groups}
    for side in sides:
        mine = [group for group in groups if group[0].z_side == side]
        steps = np.diff([_depth(group) for group in mine])
        repeated = len({group[0].layer for group in mine}) < len(mine)
        if repeated or not ((steps > 0).all() or (steps < 0).all()):
            return sorted(groups, key=lambda group: (group[0].z_side, _depth(group))), True
    return groups, False


def _depth(group: list[Surface]) -> float:
    """Mean depth of the cells of some surfaces [cm]."""
    sizes = [layer.stop - layer.start for layer in group]
    return float(np.average([layer.depth for layer in group], weights=sizes))
