"""Neighbours in depth: the nearest cell of the next and of the previous layer.

Where layer numbers tell the order (CMS and every plain stack), the next layer is the next number and every
cell has a nearest one there. Where they do not (subdetectors that count from the start, layers beside each
other as in a barrel of several rings), it is the first layer further out that covers the place of the cell.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.geometry.neighbours.facing import facing, find_cover
from hgcal_gnn.geometry.neighbours.grid import build_grid
from hgcal_gnn.geometry.neighbours.nearest import nearest_in
from hgcal_gnn.geometry.surfaces import eta_of

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I32, Bools
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.neighbours.boxes import Boxes
    from hgcal_gnn.geometry.neighbours.grid import CellGrid
    from hgcal_gnn.geometry.neighbours.lateral import Lateral
    from hgcal_gnn.geometry.stations import Stations


class Depth(NamedTuple):
    """Row of the next and previous cell of each, int32 [n_cells], -1 for none, and what was done."""

    following: I32
    preceding: I32
    notes: tuple[str, ...] = ()


def find_depth(table: CellTable, stations: Stations, grid: CellGrid, pitch: F32, lateral: Lateral) -> Depth:
    """Find the next and the previous cell of every cell, unless the table lists them."""
    if lateral.following is not None or lateral.preceding is not None:
        none = np.full(table.n_cells, -1, dtype=np.int32)
        following, preceding = (none if rows is None else rows for rows in (lateral.following, lateral.preceding))
        return Depth(following, preceding, ("neighbours in depth from the table's columns next and previous",))
    notes = []
    angular = _sides_in_angles(stations, lateral.boxes)
    if angular.any():
        stations = _in_angles(table, stations, angular)
        grid = build_grid(stations)
        notes.append("neighbours in depth by (eta, phi)")
    if not stations.by_depth:
        following = nearest_in(grid, stations, stations.next, table.cell_id)
        preceding = nearest_in(grid, stations, stations.previous, table.cell_id)
        return Depth(following, preceding, tuple(notes))
    nothing = np.zeros(table.n_cells)
    size_a, size_b = (nothing, nothing) if lateral.boxes is None else _sizes(stations, lateral.boxes, angular)
    cover = find_cover(stations, lateral.all_pairs(), np.where(angular[stations.number], 0.0, pitch), size_a, size_b)
    following, preceding = (facing(grid, stations, cover, step, table.cell_id) for step in (1, -1))
    return Depth(following, preceding, tuple(notes))


def _sides_in_angles(stations: Stations, boxes: Boxes | None) -> Bools:
    """Mark the stations of each side where cells behind each other agree in (eta, phi), bool [n_stations].

    So it is for cells that are boxes in eta and phi, and where surfaces of a side are not all of one kind.
    """
    angular = np.zeros(stations.n_stations, dtype=bool)
    for side in np.unique(stations.side):
        mine = np.flatnonzero(stations.side == side)
        kinds = {stations.kind[number] for number in mine}
        towers = boxes is not None and bool(boxes.towers[mine].any())
        angular[mine] = len(mine) > 1 and (towers or len(kinds) > 1 or kinds == {"sphere"})
    return angular


def _in_angles(table: CellTable, stations: Stations, angular: Bools) -> Stations:
    """Replace the coordinates of some stations by eta and phi."""
    x, y, z = table.positions.T
    mine = angular[stations.number]
    return replace(
        stations,
        a=np.where(mine, eta_of(x, y, z), stations.a),
        b=np.where(mine, np.arctan2(y, x), stations.b),
        radius=np.where(angular, 1.0, stations.radius),
    )


def _sizes(stations: Stations, boxes: Boxes, angular: Bools) -> tuple[F64, F64]:
    """Sizes of the boxes whose coordinates are those used in depth, 0 for the others."""
    same = boxes.sized & (boxes.towers == angular)
    known = same[stations.number]
    return np.where(known, boxes.size_a, 0.0), np.where(known, boxes.size_b, 0.0)
