"""What is wrong with a graph, or looks wrong: a list of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from hgcal_gnn.geometry.cells import cells_sha256
from hgcal_gnn.geometry.detid import decode_silicon, holds_detids
from hgcal_gnn.geometry.neighbours.csr import INTRA, NEXT, PREVIOUS
from hgcal_gnn.geometry.stations import find_stations
from hgcal_gnn.geometry.surfaces import surfaces

if TYPE_CHECKING:
    from hgcal_gnn.arrays import I64, Bools
    from hgcal_gnn.geometry.graph import CellGraph

FEW = 3  # a cell in the middle of a wafer has six neighbours; with so few something is missing
SHOWN = 3


class Finding(NamedTuple):
    """One thing that is wrong ("error": the file breaks its contract) or looks wrong ("warning")."""

    severity: Literal["error", "warning"]
    message: str


def check_graph(graph: CellGraph) -> list[Finding]:
    """Check the contract of the file and look for cells and layers that cannot be right."""
    return [*_broken_contract(graph), *_lonely(graph), *_few_in_wafer(graph), *_unlinked_layers(graph)]


def _broken_contract(graph: CellGraph) -> list[Finding]:
    """Edges: sorted, no self loops, every one stored both ways; cells: as hashed."""
    found = []
    cells = graph.cells
    if cells_sha256(cells.cell_id, cells.layer, cells.x, cells.y, cells.z) != graph.cells_sha256:
        found.append(Finding("error", "the cells are not those of the stored cells_sha256; the file was altered"))
    source, target = graph.edge_list()
    loops = int((source == target).sum())
    if loops:
        found.append(Finding("error", f"{loops} edges lead from a cell to itself"))
    key = source * graph.n_cells + target
    if not bool((np.diff(key) > 0).all()):
        found.append(Finding("error", "edges are not sorted by (source, target), or some occur twice"))
    elif not np.array_equal(np.sort(target * np.int64(graph.n_cells) + source), key):
        found.append(Finding("error", "some edges are stored in one direction only"))
    return found


def _lonely(graph: CellGraph) -> list[Finding]:
    lonely = np.flatnonzero(np.diff(graph.rowptr) == 0)
    if len(lonely) == 0:
        return []
    return [Finding("warning", f"{len(lonely)} cells have no neighbour at all ({_ids(graph, lonely)})")]


def _few_in_wafer(graph: CellGraph) -> list[Finding]:
    """Silicon cells inside a complete wafer that have three neighbours or fewer in their layer."""
    if not graph.cells.is_cms or not holds_detids(graph.cells.cell_id, graph.cells.subdetector):
        return []
    silicon = np.flatnonzero(graph.cells.is_silicon)
    inside = silicon[_inside_complete_wafer(graph, silicon)]
    degree = graph.degree((INTRA,))[inside]
    few = inside[degree <= FEW]
    if len(few) == 0:
        return []
    return [
        Finding(
            "warning",
            f"{len(few)} silicon cells in the middle of a complete wafer have at most {FEW} neighbours in their layer "
            f"({_ids(graph, few)}); were exported neighbours cut short?",
        )
    ]


def _inside_complete_wafer(graph: CellGraph, rows: I64) -> Bools:
    """Mark cells all of whose six (u, v) neighbours belong to their wafer, if it has all its 3 N^2 cells.

    A wafer of N cells a side holds the cells 0 <= u, v < 2N with -N <= v - u < N (CMSSW HGCalWaferType and
    HGCalCell; 12 a side for high density, 8 for low density).
    """
    ids = decode_silicon(graph.cells.cell_id[rows])
    n_side = np.where(np.isin(ids.cell_type, (0, 3)), 12, 8)
    u, v = ids.cell_u.astype(np.int64), ids.cell_v.astype(np.int64)
    inner = (u > 0) & (u < 2 * n_side - 1) & (v > 0) & (v < 2 * n_side - 1)
    inner &= (v - u < n_side - 1) & (u - v < n_side)
    wafer = graph.cells.cell_id[rows] >> np.uint64(10)
    _, which, count = np.unique(wafer, return_inverse=True, return_counts=True)
    complete: Bools = count[which] == 3 * n_side**2
    return inner & complete


def _unlinked_layers(graph: CellGraph) -> list[Finding]:
    """Layers without a link to the next or previous one, although one exists on their side."""
    stations = find_stations(graph.cells)
    forward, backward = graph.degree((NEXT,)), graph.degree((PREVIOUS,))
    found = []
    for surface in surfaces(graph.cells):
        station = stations.number[surface.start]
        name = f"layer {surface.layer} of subdetector {surface.subdetector} (side {surface.z_side:+d})"
        to_next = stations.next[station] < 0 or bool(forward[surface.rows].any())
        to_previous = stations.previous[station] < 0 or bool(backward[surface.rows].any())
        if stations.by_depth:  # the last layer of one direction need not be the deepest of all
            if not to_next and not to_previous:
                found.append(Finding("warning", f"{name} has no link to any other layer"))
            continue
        if not to_next:
            found.append(Finding("warning", f"{name} has no link to the next layer"))
        if not to_previous:
            found.append(Finding("warning", f"{name} has no link to the previous layer"))
    return found


def _ids(graph: CellGraph, rows: I64) -> str:
    return "first ids " + ", ".join(str(graph.cells.cell_id[row]) for row in rows[:SHOWN])
