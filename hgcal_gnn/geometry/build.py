"""From a cell table to a cell graph: choose the rules the table calls for, find the pairs, store the edges."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.graph import CellGraph
from hgcal_gnn.geometry.neighbours.border import BorderRule, border_edges, border_share
from hgcal_gnn.geometry.neighbours.boxes import box_pairs, find_boxes
from hgcal_gnn.geometry.neighbours.csr import BORDER, assemble
from hgcal_gnn.geometry.neighbours.edges import Pairs
from hgcal_gnn.geometry.neighbours.exported import neighbour_columns, read_exported
from hgcal_gnn.geometry.neighbours.gabriel import gabriel_pairs
from hgcal_gnn.geometry.neighbours.grid import build_grid, extent
from hgcal_gnn.geometry.neighbours.nearest import nearest_in
from hgcal_gnn.geometry.neighbours.pitch import cell_pitch
from hgcal_gnn.geometry.neighbours.touching import MAX_DISTANCE, touching_pairs
from hgcal_gnn.geometry.stations import find_stations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hgcal_gnn.arrays import F32, F64, I32, U8
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.neighbours.grid import CellGrid
    from hgcal_gnn.geometry.stations import Stations

Contact = Literal["auto", "touching", "boxes", "gabriel"]


@dataclass(frozen=True)
class EdgeRules:
    """What counts as a neighbour (DESIGN, section 5).

    Attributes
    ----------
    neighbours
        "exported" takes the table's neighbour columns, "geometric" ignores them, "auto" takes them if present.
    contact
        Rule within a layer: "touching" (Voronoi cells share an edge; hexagons and tiles), "boxes" (stated
        sizes), "gabriel" (centres only). "auto": touching for CMS, boxes where sizes are stated, else gabriel.
    corners
        Contact at a corner counts too (boxes and gabriel).
    border_rule, border_distance
        Between silicon and scintillator, see `border.border_edges`.
    """

    neighbours: Literal["auto", "exported", "geometric"] = "auto"
    contact: Contact = "auto"
    corners: bool = False
    border_rule: BorderRule = "corner"
    border_distance: float | Literal["auto"] = 0.5


@dataclass
class BuildReport:
    """What `build_graph` found on its way, to be shown to the user.

    Attributes
    ----------
    notes
        One sentence each, in order.
    seconds
        Time of each step [s].
    on_step
        Called with the name of each step before it starts (for a progress display).
    """

    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    on_step: Callable[[str], object] | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announce and time one step."""
        if self.on_step is not None:
            self.on_step(name)
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


class _Found(NamedTuple):
    """Edges on their way: touching pairs beside each cell, other pairs as a list, neighbours in depth."""

    partners: I32
    n_partners: U8
    pairs: Pairs
    following: I32 | None = None
    preceding: I32 | None = None


def build_graph(
    table: CellTable, rules: EdgeRules | None = None, *, on_step: Callable[[str], object] | None = None
) -> tuple[CellGraph, BuildReport]:
    """Build the cell graph of a table.

    Parameters
    ----------
    table
        The cells.
    rules
        What counts as a neighbour; the defaults suit CMS and every table with cell sizes.
    on_step
        Called with the name of each step before it starts.

    Raises
    ------
    UsageError
        If the rules ask for something the table does not have (exported neighbours, sizes).
    """
    rules = rules or EdgeRules()
    report = BuildReport(on_step=on_step)
    with report.step("layers and cell list"):
        stations = find_stations(table)
        pitch = cell_pitch(table, stations)
        grid = build_grid(stations, _bin_width(stations, pitch))
        report.notes += _describe(table, stations)
    with report.step("neighbours in the layer"):
        found = _lateral(table, stations, grid, pitch, rules, report)
    with report.step("silicon-scintillator border"):
        border = _border(table, stations, pitch, rules, found.pairs, report)
    with report.step("neighbours in depth"):
        following, preceding = found.following, found.preceding
        if following is None and preceding is None:
            following = nearest_in(grid, stations, stations.next, table.cell_id)
            preceding = nearest_in(grid, stations, stations.previous, table.cell_id)
        none = np.full(table.n_cells, -1, dtype=np.int32)
    with report.step("edges in rows"):
        rowptr, col, edge_type = assemble(
            found.partners,
            found.n_partners,
            Pairs.concatenate([found.pairs, border]),
            none if following is None else following,
            none if preceding is None else preceding,
            stations if found.following is None and found.preceding is None else None,
        )
    recorded: dict[str, Any] = asdict(rules) | {"notes": report.notes}
    return CellGraph(table, rowptr, col, edge_type, rules=recorded), report


def _bin_width(stations: Stations, pitch: F32) -> F64:
    """Bins as wide as the smallest cells of a station reach, so that few cells are looked at in vain."""
    smallest, _ = extent(stations.number, pitch, stations.n_stations)
    return MAX_DISTANCE * smallest


def _describe(table: CellTable, stations: Stations) -> list[str]:
    """Say what the coordinates show."""
    barrels = int((stations.side == 0).sum())
    disks = stations.n_stations - barrels
    kinds = [f"{disks} disks (x, y)"] * (disks > 0) + [f"{barrels} barrels (z, r phi)"] * (barrels > 0)
    notes = [f"{table.n_cells} cells in {stations.n_stations} layers: {' and '.join(kinds)}"]
    if stations.by_depth:
        notes.append("subdetectors share layer numbers at different depths; their layers are ordered by depth")
    return notes


def _lateral(
    table: CellTable,
    stations: Stations,
    grid: CellGrid,
    pitch: F32,
    rules: EdgeRules,
    report: BuildReport,
) -> _Found:
    """Neighbours within the layer: exported, touching, boxes or Gabriel."""
    nobody = np.empty((table.n_cells, 0), dtype=np.int32), np.zeros(table.n_cells, dtype=np.uint8)
    listed = rules.neighbours != "geometric" and bool(neighbour_columns(table))
    if rules.neighbours == "exported" and not listed:
        msg = "the table has no neighbour columns n0, n1, ... with any entry; use --neighbours geometric"
        raise UsageError(msg)
    if listed:
        exported = read_exported(table)
        report.notes += ["intra-layer edges from the table's neighbour columns", *exported.findings]
        return _Found(*nobody, exported.pairs, exported.following, exported.preceding)

    boxes = None if rules.contact == "touching" or table.is_cms else find_boxes(table, stations)
    if rules.contact == "boxes" and boxes is None:
        msg = "contact of boxes needs sizes: columns dx and dy (and dz), dr and dphi, or deta and dphi"
        raise UsageError(msg)
    if rules.contact == "touching" or (rules.contact == "auto" and table.is_cms):
        report.notes.append("intra-layer edges where Voronoi cells touch")
        return _Found(*touching_pairs(grid, stations.number, table.subdetector, pitch), Pairs.concatenate([]))
    with_corners = ", corners included" if rules.corners else ""
    if boxes is not None and rules.contact != "gabriel":
        report.notes.append(f"intra-layer edges by contact of boxes{with_corners}")
        return _Found(*nobody, box_pairs(boxes, table.subdetector, corners=rules.corners))
    report.notes.append(f"intra-layer edges by the Gabriel rule (centres only){with_corners}")
    return _Found(*nobody, gabriel_pairs(stations, table.subdetector, corners=rules.corners))


def _border(
    table: CellTable,
    stations: Stations,
    pitch: F32,
    rules: EdgeRules,
    pairs: Pairs,
    report: BuildReport,
) -> Pairs:
    """Silicon-scintillator edges, unless the exported columns hold them already."""
    if (pairs.edge_type == BORDER).any():
        n_tiles, n_linked = border_share(table, stations, pairs)
        report.notes.append(f"border edges from the neighbour columns: {n_linked} of {n_tiles} border tiles linked")
        return Pairs.concatenate([])
    border = border_edges(table, stations, pitch, rule=rules.border_rule, distance=rules.border_distance)
    if border.n_tiles:
        kind = "corner-to-corner" if rules.border_rule == "corner" else "outline"
        report.notes.append(
            f"border edges up to {border.limit:.3g} cm {kind}: {border.n_linked} of {border.n_tiles} "
            f"border tiles linked ({100 * border.share:.1f} %)"
        )
    return border.pairs
