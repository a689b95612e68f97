"""Neighbours within the layer: as the table lists them, or by the contact rule that its columns call for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.neighbours.boxes import box_pairs, find_boxes
from hgcal_gnn.geometry.neighbours.csr import BORDER, INTRA
from hgcal_gnn.geometry.neighbours.edges import Pairs
from hgcal_gnn.geometry.neighbours.exported import neighbour_columns, read_exported
from hgcal_gnn.geometry.neighbours.gabriel import gabriel_pairs
from hgcal_gnn.geometry.neighbours.touching import touching_pairs

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, I32, U8
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.neighbours.boxes import Boxes
    from hgcal_gnn.geometry.neighbours.grid import CellGrid
    from hgcal_gnn.geometry.neighbours.rules import EdgeRules
    from hgcal_gnn.geometry.stations import Stations


class Lateral(NamedTuple):
    """Edges on their way: touching pairs beside each cell, other pairs as a list.

    Attributes
    ----------
    partners : int32 [n_cells, slots]
    n_partners : uint8 [n_cells]
        See `touching_pairs`.
    pairs
        Other pairs, each once.
    listed
        True if the pairs are those of the table's neighbour columns.
    following, preceding : int32 [n_cells] or None
        Neighbours in depth that the table lists.
    boxes
        Sizes of the cells, if the table states any and they were used.
    notes
        What was done, one sentence each.
    """

    partners: I32
    n_partners: U8
    pairs: Pairs
    listed: bool = False
    following: I32 | None = None
    preceding: I32 | None = None
    boxes: Boxes | None = None
    notes: tuple[str, ...] = ()

    def all_pairs(self) -> Pairs:
        """Put the touching pairs and the others in one list."""
        slots = np.arange(self.partners.shape[1])
        first = np.repeat(np.arange(len(self.partners), dtype=np.int32), self.n_partners)
        second = self.partners[slots < self.n_partners[:, None]]
        return Pairs.concatenate([Pairs.of_type(first, second, INTRA), self.pairs])


def find_lateral(table: CellTable, stations: Stations, grid: CellGrid, pitch: F32, rules: EdgeRules) -> Lateral:
    """Find the neighbours within each layer.

    Raises
    ------
    UsageError
        If the rules ask for something the table does not have (exported neighbours, sizes).
    """
    listed = rules.neighbours != "geometric" and bool(neighbour_columns(table))
    if rules.neighbours == "exported" and not listed:
        msg = "the table has no neighbour columns n0, n1, ... with any entry; use --neighbours geometric"
        raise UsageError(msg)
    nobody = np.empty((table.n_cells, 0), dtype=np.int32), np.zeros(table.n_cells, dtype=np.uint8)
    if listed:
        exported = read_exported(table, stations)
        notes = ("intra-layer edges from the table's neighbour columns", *exported.findings)
        return Lateral(*nobody, exported.pairs, True, exported.following, exported.preceding, notes=notes)
    if rules.contact == "touching" or (rules.contact == "auto" and table.is_cms):
        partners, n_partners = touching_pairs(grid, stations.number, table.subdetector, pitch)
        return Lateral(
            partners, n_partners, Pairs.concatenate([]), notes=("intra-layer edges where Voronoi cells touch",)
        )
    boxes = None if rules.contact == "gabriel" else find_boxes(table, stations)
    if rules.contact == "boxes" and (boxes is None or not boxes.sized.all()):
        msg = (
            "contact of boxes needs sizes above 0 for every cell: columns dx and dy (and dz), dr and dphi, "
            "dz and dphi, or deta and dphi"
        )
        raise UsageError(msg)
    pairs, notes = _generic_pairs(table, stations, pitch, boxes, corners=rules.corners)
    return Lateral(*nobody, _mark_border(table, pairs), boxes=boxes, notes=notes)


def _generic_pairs(
    table: CellTable, stations: Stations, pitch: F32, boxes: Boxes | None, *, corners: bool
) -> tuple[Pairs, tuple[str, ...]]:
    """Contact of boxes where the cells have sizes, the Gabriel rule elsewhere."""
    with_corners = ", corners included" if corners else ""
    parts, notes = [], []
    if boxes is not None:
        parts.append(box_pairs(boxes, corners=corners))
        frames = " in (eta, phi)" if boxes.towers.all() else ""
        notes.append(f"intra-layer edges by contact of boxes{frames}{with_corners}")
    unsized = None if boxes is None else ~boxes.sized
    if unsized is None or unsized.any():
        pairs, n_twins = gabriel_pairs(stations, pitch, table.positions, unsized, corners=corners)
        parts.append(pairs)
        where = "" if unsized is None else f" in {int(unsized.sum())} layers without sizes of all cells"
        notes.append(f"intra-layer edges by the Gabriel rule (centres only){where}{with_corners}")
        if n_twins:
            notes.append(
                f"{n_twins} cells lie at the place of another one of their layer, seen along its depth: "
                "linked to that one only (does the layer column count the depth?)"
            )
    return Pairs.concatenate(parts), tuple(notes)


def _mark_border(table: CellTable, pairs: Pairs) -> Pairs:
    """Give pairs across two subdetectors the type of a border."""
    across = table.subdetector[pairs.first] != table.subdetector[pairs.second]
    return pairs._replace(edge_type=np.where(across, BORDER, pairs.edge_type).astype(np.uint8))
