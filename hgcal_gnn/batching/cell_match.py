"""Whether showers and a graph speak of the same cells, and which rows of the graph the hits lie in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.showers.cell_lookup import CellLookup
from hgcal_gnn.showers.ragged import segment_sums

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I32, I64
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers

OUTSIDE = -1  # row of a cell that the graph does not hold


class Matched(NamedTuple):
    """Showers in rows of the graph, and what of them lies outside.

    Attributes
    ----------
    showers
        Merged (one hit a cell, sorted by cell).
    outside_hits : int64 [n_showers]
    outside_energy : float64 [n_showers]
        [GeV]
    """

    showers: Showers
    outside_hits: I64
    outside_energy: F64


class CellMatch:
    """Rows of showers' cells as rows of a graph.

    Showers of the graph's own geometry keep their rows. Showers of the geometry the graph was cut from are renumbered
    by `CellGraph.parent_row`. Showers of any other geometry are refused, unless its table is given: then cells are
    identified by their ids.

    Parameters
    ----------
    graph
        The cells of the batches.
    showers_from
        Table of the other geometry the showers were made with (`--force-geometry`).
    """

    def __init__(self, graph: CellGraph, *, showers_from: CellTable | None = None) -> None:
        self.graph = graph
        self._rows: dict[str, I32] = {}
        if showers_from is not None:
            rows = CellLookup(graph.cells.cell_id).rows(showers_from.cell_id)
            if not len(rows) or (rows == OUTSIDE).all():
                msg = (
                    f"none of the {len(rows)} cell ids of {showers_from.detector} occurs among the {graph.n_cells} "
                    f"of {graph.cells.detector}; these geometries have nothing in common"
                )
                raise UsageError(msg)
            self._rows[showers_from.sha256] = _padded(rows)

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of a geometry that cannot be matched; an unknown one passes as the graph's own.

        Raises
        ------
        GeometryMismatchError
            With what to do.
        """
        self._rows_from(metadata.cells_sha256, source)

    def match(self, showers: Showers) -> Matched:
        """Renumber and merge the hits; those outside the graph are counted and left out.

        Raises
        ------
        GeometryMismatchError
            If the showers were made with a geometry that cannot be matched.
        InputError
            If a cell number is negative or, in the graph's own geometry, too large.
        """
        rows = self._rows_from(showers.metadata.cells_sha256, showers.metadata.source or "showers")
        if rows is None:
            check_range(showers.cell, self.graph.n_cells)
            n = len(showers)
            return Matched(showers.merged(), np.zeros(n, dtype=np.int64), np.zeros(n))
        check_range(showers.cell, None)
        cell = rows[np.minimum(showers.cell, len(rows) - 1)]
        inside = cell != OUTSIDE
        outside_hits = segment_sums((~inside).astype(np.float64), showers.offsets).astype(np.int64)
        outside_energy = segment_sums(np.where(inside, np.float32(0), showers.energy), showers.offsets)
        metadata = replace(showers.metadata, cells_sha256=self.graph.cells_sha256)
        kept = showers.replace(cell=cell, metadata=metadata).where(inside)
        return Matched(kept.merged(), outside_hits, outside_energy)

    def _rows_from(self, cells_sha256: str, source: str) -> I32 | None:
        graph = self.graph
        if cells_sha256 in {"", graph.cells_sha256}:
            return None
        if cells_sha256 in self._rows:
            return self._rows[cells_sha256]
        if graph.parent_row is None or graph.parent_sha256 != cells_sha256:
            msg = (
                f"{source}: made with another geometry (cells_sha256 {cells_sha256[:12]}..., "
                f"here {graph.cells_sha256[:12]}...); give the graph the showers were made with, convert them again "
                "from their source with this one, or identify the cells by their ids: showers_from= the table of "
                "their geometry (--force-geometry)"
            )
            raise GeometryMismatchError(msg)
        rows = np.full(int(graph.parent_row[-1]) + 1, OUTSIDE, dtype=np.int32)
        rows[graph.parent_row] = np.arange(graph.n_cells, dtype=np.int32)
        return self._rows.setdefault(cells_sha256, _padded(rows))


def _padded(rows: I32) -> I32:
    """Add one row for all cells beyond the last."""
    return np.append(rows, np.int32(OUTSIDE))


def check_range(cell: I32, n_cells: int | None) -> None:
    """Refuse cell numbers that would make a kernel read beyond its arrays."""
    if len(cell) == 0:
        return
    low, high = int(cell.min()), int(cell.max())
    if low < 0 or (n_cells is not None and high >= n_cells):
        known = "0.." if n_cells is None else f"0..{n_cells - 1}"
        msg = f"hits lie in cells {low}..{high}, there are {known}; the showers are damaged or of another geometry"
        raise InputError(msg)
