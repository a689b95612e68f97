"""Hit graphs: the sub-graphs induced by the hit cells of many showers, assembled as one graph of separate pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.batching.cell_match import CellMatch
from hgcal_gnn.batching.features import cell_table, check_hit_features, hit_column
from hgcal_gnn.batching.induced import (
    NO_HIT,
    edges_among_hits,
    gather_cells,
    measure_edges,
    merge_edges,
    nearest_other_hits,
    write_edges,
)
from hgcal_gnn.batching.workers import Workers
from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.neighbours.csr import EDGE_TYPES
from hgcal_gnn.showers.ragged import offsets_of, segment_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch_geometric.data import Batch

    from hgcal_gnn.arrays import F32, F64, I32, I64, U8
    from hgcal_gnn.batching.cell_match import Matched
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers

NEAREST = len(EDGE_TYPES)  # type of the edges that link isolated hits
AXES = ("x", "y", "z")


@dataclass(frozen=True, eq=False)
class HitGraphBatch:
    """Graphs of several showers, one node per hit cell; nodes and edges are counted through all of them.

    Attributes
    ----------
    showers
        The hits, one per cell, sorted by cell; `showers.offsets` int64 [n_showers + 1] are the first nodes of the
        graphs (`ptr` of PyTorch Geometric).
    x : float32 [n_hits, n_features]
        Features of hits, then of cells, in the order of `HitGraphs.names`; GeV, ns, cm.
    positions : float32 [n_hits, 3]
        [cm]
    edge_index : int64 [2, n_edges]
        Source and target node, sorted by (source, target); every relation is there both ways.
    edge_type : uint8 [n_edges]
        As in `CellGraph`; 4 for the links of isolated hits.
    edge_offsets : int64 [n_showers + 1]
        First edge of each graph.
    edge_attr : float32 [n_edges, 4] or None
        Displacement target - source (x, y, z) and distance [cm].
    outside_hits : int64 [n_showers]
    outside_energy : float64 [n_showers]
        Hits left out since their cells are not in the graph, and their energy [GeV].
    """

    showers: Showers
    x: F32
    positions: F32
    edge_index: I64
    edge_type: U8
    edge_offsets: I64
    edge_attr: F32 | None
    outside_hits: I64
    outside_energy: F64

    def __len__(self) -> int:
        return len(self.showers)

    @property
    def batch(self) -> I64:
        """Shower number of every node, int64 [n_hits]."""
        return segment_of(self.showers.offsets)

    def to_torch(self) -> Batch:
        """Return a PyTorch Geometric `Batch` of the same graphs (see `torch_batch.hit_graph_batch`)."""
        from hgcal_gnn.batching.torch_batch import hit_graph_batch  # noqa: PLC0415 (arrays need no torch)

        return hit_graph_batch(self)


class HitGraphs:
    """Makes hit graphs of showers.

    Parameters
    ----------
    graph
        Cells and edges; the columns asked for are copied, side by side.
    hit_features
        Of "energy" [GeV] and "time" [ns].
    cell_features
        Columns of the cell table.
    edge_features
        Add displacement and distance of every edge.
    link_isolated
        Link hits without any edge to the nearest other hit of their shower, both ways, as type 4.
    leave_outside
        Leave out hits in cells the graph does not hold (of the geometry it was cut from) and count them; else they
        are refused.
    showers_from
        Table of another geometry the showers were made with, see `CellMatch`.
    n_threads
        None: as many as there are cores; each takes 4 bytes per cell of the graph.

    Attributes
    ----------
    names : tuple of str
        Columns of `HitGraphBatch.x`.

    Raises
    ------
    UsageError
        For features that do not exist.
    """

    def __init__(
        self,
        graph: CellGraph,
        *,
        hit_features: Sequence[str] = ("energy",),
        cell_features: Sequence[str] = AXES,
        edge_features: bool = False,
        link_isolated: bool = False,
        leave_outside: bool = False,
        showers_from: CellTable | None = None,
        n_threads: int | None = None,
    ) -> None:
        check_hit_features(hit_features)
        self.graph = graph
        self.hit_features = tuple(hit_features)
        self.edge_features = edge_features
        self.link_isolated = link_isolated
        self.leave_outside = leave_outside
        self.names = (*hit_features, *cell_features)
        columns = list(dict.fromkeys([*AXES, *cell_features]))
        self._table = cell_table(graph.cells, columns)
        self._wanted = np.array([columns.index(name) for name in cell_features], dtype=np.int64)
        self._match = CellMatch(graph, showers_from=showers_from)
        self._workers = Workers(n_threads)

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry (`CellMatch.check`).

        Raises
        ------
        GeometryMismatchError
        """
        self._match.check(metadata, source=source)

    def __call__(self, showers: Showers) -> HitGraphBatch:
        """Make the graphs of some showers.

        Raises
        ------
        GeometryMismatchError
            If the showers were made with a geometry that cannot be matched.
        InputError
            If hits lie outside the graph (see `leave_outside`), or the showers lack a hit feature.
        """
        matched = self._match.match(showers)
        self._check_outside(matched)
        hits = matched.showers
        parts = self._workers.parts_of(hits.offsets)
        x = np.empty((len(hits.cell), len(self.names)), dtype=np.float32)
        for column, name in enumerate(self.hit_features):
            x[:, column] = hit_column(hits, name)
        positions = np.empty((len(hits.cell), 3), dtype=np.float32)
        n_found = np.zeros(len(hits.cell), dtype=np.int32)
        nearest = np.full(len(hits.cell) if self.link_isolated else 0, NO_HIT, dtype=np.int32)

        def search(first: int, last: int) -> tuple[I32, U8]:
            start, stop = int(hits.offsets[first]), int(hits.offsets[last])
            gather_cells(self._table, hits.cell, start, stop, self._wanted, len(self.hit_features), positions, x)
            place = self._workers.scratch(self.graph.n_cells, NO_HIT)
            edges = (self.graph.rowptr, self.graph.col, self.graph.edge_type)
            found: tuple[I32, U8] = edges_among_hits(*edges, hits.cell, hits.offsets, first, last, place, n_found)
            if self.link_isolated:
                nearest_other_hits(positions, hits.offsets, first, last, n_found, nearest)
            return found

        found = self._workers.run(search, parts)
        edge_index, edge_type = self._join(found, [int(hits.offsets[first]) for first, _ in parts], n_found)
        if self.link_isolated:
            edge_index, edge_type = add_links(edge_index, edge_type, n_found, nearest)
        return HitGraphBatch(
            showers=hits,
            x=x,
            positions=positions,
            edge_index=edge_index,
            edge_type=edge_type,
            edge_offsets=offsets_of(n_found)[hits.offsets],
            edge_attr=self._measured(positions, edge_index) if self.edge_features else None,
            outside_hits=matched.outside_hits,
            outside_energy=matched.outside_energy,
        )

    def _join(self, found: list[tuple[I32, U8]], first_hits: list[int], n_found: I32) -> tuple[I64, U8]:
        """Bring the edges that the threads found into one array, [2, n_edges]."""
        first_edges = offsets_of(np.array([len(target) for target, _ in found], dtype=np.int64))
        edge_index = np.empty((2, int(first_edges[-1])), dtype=np.int64)
        edge_type = np.empty(int(first_edges[-1]), dtype=np.uint8)
        parts = [
            (n_found, target, kind, first_hit, first_edge, edge_index, edge_type)
            for (target, kind), first_hit, first_edge in zip(found, first_hits, first_edges[:-1].tolist(), strict=True)
        ]
        self._workers.run(write_edges, parts)
        return edge_index, edge_type

    def _measured(self, positions: F32, edge_index: I64) -> F32:
        n_edges = edge_index.shape[1]
        features = np.empty((n_edges, 4), dtype=np.float32)
        n_parts = self._workers.n_threads
        cuts = [n_edges * part // n_parts for part in range(n_parts + 1)]
        parts = [(positions, edge_index, cuts[k], cuts[k + 1], features) for k in range(n_parts)]
        self._workers.run(measure_edges, parts)
        return features

    def _check_outside(self, matched: Matched) -> None:
        n_outside = int(matched.outside_hits.sum())
        if n_outside and not self.leave_outside:
            msg = (
                f"{matched.showers.metadata.source or 'showers'}: {n_outside} hits in "
                f"{np.count_nonzero(matched.outside_hits)} of {len(matched.showers)} showers lie in cells the graph "
                "does not hold; give a graph that holds them, or leave them out and count them with leave_outside=True"
            )
            raise InputError(msg)


def add_links(edge_index: I64, edge_type: U8, n_found: I32, nearest: I32) -> tuple[I64, U8]:
    """Add the links of isolated hits to their nearest, both ways and each once; `n_found` is brought up to date.

    Parameters
    ----------
    edge_index, edge_type
        Edges found, sorted by (source, target).
    n_found : int32 [n_hits]
        Edges of each hit.
    nearest : int32 [n_hits]
        Hit to link to, or `NO_HIT`.
    """
    n_hits = len(n_found)
    isolated = np.flatnonzero(nearest != NO_HIT)
    other = nearest[isolated].astype(np.int64)
    links = np.unique(np.concatenate([isolated * n_hits + other, other * n_hits + isolated]))
    ends = np.stack(np.divmod(links, max(n_hits, 1)))
    n_found += np.bincount(ends[0], minlength=n_hits).astype(np.int32)
    merged: tuple[I64, U8] = merge_edges(edge_index, edge_type, ends, NEAREST)
    return merged
