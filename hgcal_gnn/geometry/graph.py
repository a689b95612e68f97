"""CellGraph: cells as nodes, neighbourhood as typed edges, in compressed sparse rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.neighbours.csr import BORDER, EDGE_TYPES, INTRA
from hgcal_gnn.geometry.subgraph import induced_edges, within_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import networkx as nx

    from hgcal_gnn.arrays import F32, I32, I64, U8, Array
    from hgcal_gnn.geometry.cells import CellTable


@dataclass(frozen=True, eq=False)
class CellGraph:
    """Cells and their edges; every relation is stored both ways, sorted by (source, target).

    Attributes
    ----------
    cells
        The table whose rows are the nodes.
    rowptr : int64 [n_cells + 1]
        Edges of cell i are the entries rowptr[i] to rowptr[i + 1].
    col : int32 or int64 [n_edges]
        Target row of each edge.
    edge_type : uint8 [n_edges]
        0 intra-layer, 1 silicon-scintillator border, 2 to the next layer, 3 to the previous layer.
    rules
        How the edges were made (parameters and what was found), stored with the file.
    parent_row : int64 [n_cells] or None
        Row of each cell in the graph this one was cut from.
    parent_sha256
        Hash of that graph's cells, "" for a whole graph.
    """

    cells: CellTable
    rowptr: I64
    col: I32 | I64
    edge_type: U8
    rules: Mapping[str, Any] = field(default_factory=dict)
    parent_row: I64 | None = None
    parent_sha256: str = ""

    def __post_init__(self) -> None:
        if self.rowptr.shape != (self.cells.n_cells + 1,):
            msg = f"rowptr must have shape [{self.cells.n_cells + 1}], got {list(self.rowptr.shape)}"
            raise InputError(msg)
        if len(self.col) != self.rowptr[-1] or len(self.edge_type) != self.rowptr[-1]:
            msg = (
                f"col and edge_type must have shape [{self.rowptr[-1]}], got {len(self.col)} and {len(self.edge_type)}"
            )
            raise InputError(msg)

    def __repr__(self) -> str:
        return f"CellGraph({self.cells.detector}: {self.n_cells} cells, {self.n_edges} edges)"

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.cells.n_cells

    @property
    def n_edges(self) -> int:
        """Number of directed edges."""
        return len(self.col)

    @property
    def cells_sha256(self) -> str:
        """Hash of the cells (`CellTable.sha256`), which stores and models carry too."""
        return self.cells.sha256

    def degree(self, edge_types: Sequence[int] | None = None) -> I64:
        """Count the edges of each cell, [n_cells], of some types or of all."""
        if edge_types is None:
            return np.diff(self.rowptr)
        wanted = np.zeros(256, dtype=bool)
        wanted[list(edge_types)] = True
        upto = np.zeros(self.n_edges + 1, dtype=np.int64)
        np.cumsum(wanted[self.edge_type], out=upto[1:])
        return np.diff(upto[self.rowptr])

    def neighbours(self, row: int, edge_types: Sequence[int] | None = None) -> I32 | I64:
        """Rows of the cells that a cell is linked to."""
        edges = slice(self.rowptr[row], self.rowptr[row + 1])
        targets = self.col[edges]
        return targets if edge_types is None else targets[np.isin(self.edge_type[edges], edge_types)]

    def edge_list(self) -> tuple[I64, I32 | I64]:
        """Source and target row of every edge, [n_edges] each."""
        return np.repeat(np.arange(self.n_cells), np.diff(self.rowptr)), self.col

    def edge_features(self, *, displacement: bool = True, distance: bool = True, one_hot: bool = True) -> F32:
        """Features of every edge, float32 [n_edges, up to 8].

        Columns, as asked for: displacement target - source (x, y, z) [cm], its length [cm], edge type as four
        columns of 0 and 1.
        """
        source, target = self.edge_list()
        step = (self.cells.positions[target] - self.cells.positions[source]).astype(np.float32)
        parts = []
        if displacement:
            parts.append(step)
        if distance:
            parts.append(np.linalg.norm(step, axis=1, keepdims=True))
        if one_hot:
            parts.append(np.eye(len(EDGE_TYPES), dtype=np.float32)[self.edge_type])
        return np.concatenate(parts, axis=1) if parts else np.empty((self.n_edges, 0), dtype=np.float32)

    def subgraph(self, rows: Array) -> CellGraph:
        """Cut out some cells with the edges among them.

        Parameters
        ----------
        rows
            Boolean mask [n_cells] or row numbers in any order, repetitions allowed; the result keeps row order.

        Raises
        ------
        UsageError
            If a row does not exist or a mask has another length.
        """
        wanted = self._row_numbers(rows)
        rowptr, col, edge_type = induced_edges(self.rowptr, self.col, self.edge_type, wanted)
        origin = wanted if self.parent_row is None else self.parent_row[wanted]
        return CellGraph(
            cells=self.cells.select(wanted),
            rowptr=rowptr,
            col=col,
            edge_type=edge_type,
            rules=self.rules,
            parent_row=origin,
            parent_sha256=self.parent_sha256 or self.cells_sha256,
        )

    def window(self, *, eta: tuple[float, float] | None = None, phi: tuple[float, float] | None = None) -> CellGraph:
        """Cut out the cells whose centre, seen from the origin, lies in a window of eta and phi [rad].

        Intervals are closed; a phi interval may run across pi, as (3.0, 3.3) or (3.0, -2.98).
        """
        x, y, z = self.cells.positions.T
        inside = np.ones(self.n_cells, dtype=bool)
        if eta is not None:
            cell_eta = np.arcsinh(z / np.maximum(np.hypot(x, y), 1e-9))
            inside &= (cell_eta >= eta[0]) & (cell_eta <= eta[1])
        if phi is not None:
            width = phi[1] - phi[0]
            width = width if width >= 0 else width + 2 * np.pi
            inside &= (np.arctan2(y, x) - phi[0]) % (2 * np.pi) <= width
        return self.subgraph(inside)

    def rings(self, row: int, n_rings: int, edge_types: Sequence[int] = (INTRA, BORDER)) -> CellGraph:
        """Cut out the cells at most `n_rings` edges away from a cell, by default within its layer."""
        return self.subgraph(within_steps(self.rowptr, self.col, self.edge_type, row, n_rings, edge_types))

    def to_networkx(self) -> nx.Graph[int]:
        """Return an undirected networkx graph; nodes carry the cell columns, edges their type (2 for depth)."""
        import networkx as nx  # noqa: PLC0415 (slow to import, rarely needed)

        graph: nx.Graph[int] = nx.Graph(detector=self.cells.detector, cells_sha256=self.cells_sha256)
        columns = self.cells.columns()
        names, values = list(columns), [column.tolist() for column in columns.values()]
        records = (dict(zip(names, record, strict=True)) for record in zip(*values, strict=True))
        graph.add_nodes_from(enumerate(records))
        source, target = self.edge_list()
        once = (source < target) | (self.edge_type == 2)
        once &= self.edge_type != 3
        links = zip(source[once].tolist(), target[once].tolist(), self.edge_type[once].tolist(), strict=True)
        graph.add_edges_from((i, j, {"edge_type": kind}) for i, j, kind in links)
        return graph

    def _row_numbers(self, rows: Array) -> I64:
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            if chosen.shape != (self.n_cells,):
                msg = f"a mask of cells must have shape [{self.n_cells}], got {list(chosen.shape)}"
                raise UsageError(msg)
            return np.flatnonzero(chosen)
        chosen = np.unique(chosen.astype(np.int64))
        if len(chosen) and (chosen[0] < 0 or chosen[-1] >= self.n_cells):
            msg = f"rows must lie in 0..{self.n_cells - 1}, got {chosen[0]}..{chosen[-1]}"
            raise UsageError(msg)
        return chosen
