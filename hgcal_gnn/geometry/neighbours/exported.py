"""Neighbours that the table itself lists: columns n0..n11, next and previous.

0 stands for none; in a table where a cell has the id 0 and -1 (2^64 - 1) occurs, -1 does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.geometry.cells import NOBODY, as_cell_ids
from hgcal_gnn.geometry.neighbours.csr import BORDER, INTRA
from hgcal_gnn.geometry.neighbours.edges import Pairs, unique_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hgcal_gnn.arrays import I32, I64, U64, Bools
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.stations import Stations


REFERENCE = re.compile(r"n\d+|next|previous")


@dataclass(frozen=True)
class ExportedNeighbours:
    """What the neighbour columns say, and what is wrong with them.

    Attributes
    ----------
    pairs
        Intra-layer and border pairs, each once; listing in one direction is enough.
    following, preceding : int32 [n_cells] or None
        Row of the next and previous cell, -1 for none; None if the table has no such column.
    findings
        One sentence per kind of defect: dangling, asymmetric, of another layer.
    """

    pairs: Pairs
    following: I32 | None
    preceding: I32 | None
    findings: tuple[str, ...]


def neighbour_columns(table: CellTable) -> list[str]:
    """Names of the columns n0, n1, ... that hold at least one neighbour, in order."""
    named = _named_cells(table)
    numbered = [name for name in named if name[:1] == "n" and name[1:].isdigit()]
    return sorted((name for name in numbered if named[name].any()), key=lambda name: int(name[1:]))


def read_exported(table: CellTable, stations: Stations) -> ExportedNeighbours:
    """Turn the neighbour columns into pairs of rows and report what does not fit.

    Parameters
    ----------
    table, stations
        The cells, and their layers in order.

    Raises
    ------
    InputError
        If a neighbour column does not hold whole numbers.
    """
    rows_of = _RowFinder(table.cell_id)
    named = _named_cells(table)
    findings: list[str] = []
    sources, targets = [], []
    for name in neighbour_columns(table):
        source, target = _links(table, name, named[name], rows_of, findings)
        sources.append(source)
        targets.append(target)
    pairs = _lateral_pairs(table, np.concatenate(sources), np.concatenate(targets), findings)
    following = _depth_links(table, stations, "next", named, rows_of, findings)
    preceding = _depth_links(table, stations, "previous", named, rows_of, findings)
    return ExportedNeighbours(pairs, following, preceding, tuple(findings))


class _RowFinder:
    """Rows of cell ids by binary search."""

    def __init__(self, cell_id: U64) -> None:
        self.order = np.argsort(cell_id)
        self.sorted = cell_id[self.order]

    def __call__(self, ids: U64) -> I64:
        """Row of each id, -1 for an id that no cell has."""
        place = np.minimum(np.searchsorted(self.sorted, ids), len(self.sorted) - 1)
        return np.where(self.sorted[place] == ids, self.order[place], -1)


def _named_cells(table: CellTable) -> dict[str, Bools]:
    """Mark the rows in which each of the neighbour columns names a cell at all.

    Raises
    ------
    InputError
        If a column does not hold whole numbers.
    """
    nobody: dict[str, Bools] = {}
    for name, values in table.extra.items():
        if REFERENCE.fullmatch(name):
            as_cell_ids(values[:0], "table", name)
            nobody[name] = values == (NOBODY if values.dtype.kind == "u" else -1)
    zero_is_a_cell = bool((table.cell_id == 0).any()) and any(rows.any() for rows in nobody.values())
    return {name: ~(rows if zero_is_a_cell else rows | (table.extra[name] == 0)) for name, rows in nobody.items()}


def _links(table: CellTable, name: str, named: Bools, rows_of: _RowFinder, findings: list[str]) -> tuple[I64, I64]:
    """Links that one column states; ids without a cell are reported and left out."""
    ids = as_cell_ids(table.extra[name], "table", name)
    source = np.flatnonzero(named)
    target = rows_of(ids[source])
    dangling = target < 0
    if dangling.any():
        findings.append(f"column {name}: {_some(table, source[dangling])} name a neighbour that is not in the table")
    itself = target == source
    if itself.any():
        findings.append(f"column {name}: {_some(table, source[itself])} name themselves")
    good = ~dangling & ~itself
    return source[good], target[good]


def _lateral_pairs(table: CellTable, source: I64, target: I64, findings: list[str]) -> Pairs:
    # A ring of crystals may go on from the barrel to an endcap, never from one endcap to the other.
    same_layer = (table.layer[source] == table.layer[target]) & (table.z_side[source] * table.z_side[target] >= 0)
    if not same_layer.all():
        findings.append(
            f"neighbour columns: {_some(table, source[~same_layer])} name a cell of another layer, left out"
        )
    source, target = source[same_layer], target[same_layer]
    n_cells = table.n_cells
    stated = np.unique(source * n_cells + target)
    answered = np.isin(stated % n_cells * n_cells + stated // n_cells, stated, assume_unique=True)
    if not answered.all():
        lonely = stated[~answered] // n_cells
        findings.append(
            f"neighbour columns: {_some(table, lonely)} name a neighbour that does not name them; linked both ways"
        )
    first, second = unique_pairs(source, target)
    border = table.subdetector[first] != table.subdetector[second]
    kinds = np.where(border, BORDER, INTRA).astype(np.uint8)
    return Pairs(first.astype(np.int32), second.astype(np.int32), kinds)


def _depth_links(
    table: CellTable,
    stations: Stations,
    name: str,
    named: Mapping[str, Bools],
    rows_of: _RowFinder,
    findings: list[str],
) -> I32 | None:
    if name not in named or not named[name].any():
        return None
    source, target = _links(table, name, named[name], rows_of, findings)
    step = stations.number[target] - stations.number[source]
    wrong = (step <= 0 if name == "next" else step >= 0) | (table.z_side[source] != table.z_side[target])
    if wrong.any():
        findings.append(f"column {name}: {_some(table, source[wrong])} do not name a cell of a {name} layer, left out")
    links = np.full(table.n_cells, -1, dtype=np.int32)
    links[source[~wrong]] = target[~wrong]
    return links


def _some(table: CellTable, rows: Sequence[int] | I64) -> str:
    """Count and name cells: '12 cells (first ids 5, 7, 9)'."""
    shown = ", ".join(str(table.cell_id[row]) for row in rows[:3])
    return f"{len(rows)} cells (first ids {shown})"
