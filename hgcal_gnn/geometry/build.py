"""From a cell table to a cell graph: choose the rules the table calls for, find the pairs, store the edges."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.geometry.graph import CellGraph
from hgcal_gnn.geometry.neighbours.border import border_edges, border_share
from hgcal_gnn.geometry.neighbours.csr import BORDER, assemble
from hgcal_gnn.geometry.neighbours.depth import find_depth
from hgcal_gnn.geometry.neighbours.edges import Pairs
from hgcal_gnn.geometry.neighbours.grid import build_grid, extent
from hgcal_gnn.geometry.neighbours.lateral import find_lateral
from hgcal_gnn.geometry.neighbours.pitch import cell_pitch
from hgcal_gnn.geometry.neighbours.rules import EdgeRules
from hgcal_gnn.geometry.neighbours.touching import MAX_DISTANCE
from hgcal_gnn.geometry.stations import find_stations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hgcal_gnn.arrays import F32, F64
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.neighbours.lateral import Lateral
    from hgcal_gnn.geometry.stations import Stations
    from hgcal_gnn.geometry.surfaces import SurfaceKind

__all__ = ["BuildReport", "EdgeRules", "build_graph"]

NAMES: Mapping[SurfaceKind, str] = MappingProxyType(
    {
        "disk": "disks (x, y)",
        "barrel": "barrels (z, r phi)",
        "wall": "upright walls",
        "sphere": "closed layers, neither disk nor barrel (eta, phi)",
    }
)
FARTHEST = 1500.0  # cm: calorimeters reach 4 to 14 m from the origin; in mm read as cm they reach 10 times as far


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
        by_pitch = table.is_cms or rules.contact == "touching"
        grid = build_grid(stations, _bin_width(stations, pitch) if by_pitch else None)
        report.notes += _describe(table, stations)
    with report.step("neighbours in the layer"):
        lateral = find_lateral(table, stations, grid, pitch, rules)
        report.notes += lateral.notes
    with report.step("silicon-scintillator border"):
        border = _border(table, stations, pitch, rules, lateral, report)
    with report.step("neighbours in depth"):
        depth = find_depth(table, stations, grid, pitch, lateral)
        report.notes += depth.notes
    with report.step("edges in rows"):
        plain = not stations.by_depth and lateral.following is None and lateral.preceding is None
        rowptr, col, edge_type = assemble(
            lateral.partners,
            lateral.n_partners,
            Pairs.concatenate([lateral.pairs, border]),
            depth.following,
            depth.preceding,
            stations if plain else None,
        )
    recorded: dict[str, Any] = asdict(rules) | {"notes": report.notes}
    return CellGraph(table, rowptr, col, edge_type, rules=recorded), report


def _bin_width(stations: Stations, pitch: F32) -> F64:
    """Bins as wide as the smallest cells of a station reach, so that few cells are looked at in vain."""
    smallest, _ = extent(stations.number, pitch, stations.n_stations)
    return MAX_DISTANCE * smallest


def _describe(table: CellTable, stations: Stations) -> list[str]:
    """Say what the coordinates show."""
    count = Counter(stations.kind)
    kinds = [f"{count[kind]} {NAMES[kind]}" for kind in NAMES if count[kind]]
    notes = [f"{table.n_cells} cells in {stations.n_stations} layers: {' and '.join(kinds)}"]
    if stations.by_depth:
        notes.append("layer numbers do not tell the order of the layers: they are linked in the order of their depth")
    farthest = float(np.abs(table.positions).max())
    if farthest > FARTHEST:
        notes.append(
            f"cells lie up to {farthest / 100:.0f} m from the origin; if the lengths of the table are not in cm, "
            "say so with --length-unit"
        )
    return notes


def _border(
    table: CellTable,
    stations: Stations,
    pitch: F32,
    rules: EdgeRules,
    lateral: Lateral,
    report: BuildReport,
) -> Pairs:
    """Silicon-scintillator edges, unless the exported columns hold them already."""
    if lateral.listed and (lateral.pairs.edge_type == BORDER).any():
        n_tiles, n_linked = border_share(table, stations, lateral.pairs)
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
