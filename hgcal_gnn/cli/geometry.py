"""make-geometry, build-graph and export-graph: from a detector or a table to a cell graph."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.graph import CellGraph


class Neighbours(StrEnum):
    """Where intra-layer neighbours come from."""

    auto = "auto"
    exported = "exported"
    geometric = "geometric"


class Contact(StrEnum):
    """What touching means."""

    auto = "auto"
    touching = "touching"
    boxes = "boxes"
    gabriel = "gabriel"


class BorderRule(StrEnum):
    """How the silicon-scintillator gap is measured."""

    corner = "corner"
    outline = "outline"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("make-geometry")(make_geometry)
    app.command("build-graph")(build_graph)
    app.command("export-graph")(export_graph)


def make_geometry(
    detector: Annotated[str | None, typer.Argument(help="Name of a built-in detector, see --list.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Table to write: .csv, .csv.gz, .parquet or .root.")
    ] = None,
    eta: Annotated[str | None, typer.Option(help="Keep cells in this interval of eta: 1.8..2.2")] = None,
    phi: Annotated[str | None, typer.Option(help="Keep cells in this interval of phi [rad]: 1.2..1.9")] = None,
    layers: Annotated[str | None, typer.Option(help="Keep these layers: 1..26")] = None,
    side: Annotated[int | None, typer.Option(help="Keep one endcap: 1 or -1.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the built-in detectors.")] = False,
    overwrite: args.Overwrite = False,
) -> None:
    """Write the geometry table of a built-in detector."""
    from hgcal_gnn.geometry.detectors import DETECTORS, make_detector

    if show_list:
        width = max(map(len, DETECTORS))
        for name, description in DETECTORS.items():
            print(f"{name:{width}}  {description}")
        return
    if detector is None or output is None:
        msg = "give a detector and an output: hgcal-gnn make-geometry hgcal -o hgcal.parquet (names: --list)"
        raise UsageError(msg)

    from hgcal_gnn.files import check_writable
    from hgcal_gnn.geometry.tables import write_table

    check_writable(output, overwrite=overwrite)
    numbers = args.parse_interval(layers, "--layers")
    table = make_detector(
        detector,
        eta=args.parse_interval(eta, "--eta"),
        phi=args.parse_interval(phi, "--phi"),
        layers=None if numbers is None else (int(numbers[0]), int(numbers[1])),
        side=side,
    )
    write_table(table, output, overwrite=overwrite)
    print(f"{output}: {table.n_cells} cells of {detector}, cells_sha256 {table.sha256[:12]}")


def build_graph(
    table: Annotated[Path, typer.Argument(help="Geometry table: .csv, .csv.gz, .parquet or .root.")],
    output: args.Output,
    neighbours: Annotated[
        Neighbours, typer.Option(help="Take the table's neighbour columns, or find neighbours geometrically.")
    ] = Neighbours.auto,
    contact: Annotated[Contact, typer.Option(help="Geometric rule within a layer.")] = Contact.auto,
    corners: Annotated[bool, typer.Option("--corners", help="Contact at a corner counts too.")] = False,
    border_rule: Annotated[
        BorderRule, typer.Option(help="Silicon-scintillator gap: corner to corner (published) or between outlines.")
    ] = BorderRule.corner,
    border_distance: Annotated[str, typer.Option(help="Largest such gap linked [cm], or auto.")] = "0.5",
    column: args.Columns = None,
    length_unit: args.LengthUnit = "cm",
    tree: args.Tree = None,
    cee_layers: args.CeeLayers = None,
    allow_lone_cells: args.LoneCells = False,
    detector: Annotated[str, typer.Option(help="Name of the detector, stored in the graph.")] = "unknown",
    overwrite: args.Overwrite = False,
) -> None:
    """Build the cell graph of a geometry table."""
    from hgcal_gnn.files import check_writable

    check_writable(output, overwrite=overwrite)
    distance: Any = args.parse_distance(border_distance)
    columns = args.parse_columns(column)
    started = time.perf_counter()
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.geometry.tables import read_table

    cells = read_table(
        table,
        columns=columns,
        length_unit=length_unit,
        tree=tree,
        cee_layers=cee_layers,
        allow_lone_cells=allow_lone_cells,
        detector=detector,
    )
    read_seconds = time.perf_counter() - started
    from hgcal_gnn.geometry.build import EdgeRules
    from hgcal_gnn.geometry.build import build_graph as build
    from hgcal_gnn.geometry.graph_file import save_graph

    rules = EdgeRules(neighbours.value, contact.value, corners, border_rule.value, distance)
    with compile_note():
        graph, report = build(cells, rules, on_step=_show_step)
    built = time.perf_counter()
    save_graph(graph, output, overwrite=overwrite)
    seconds = {"read": read_seconds, **report.seconds, "save": time.perf_counter() - built}
    _clear_step()
    for note in report.notes:
        print(note)
    _print_summary(graph)
    print("time: " + ", ".join(f"{step} {value:.2f} s" for step, value in seconds.items()))
    print(f"{output}: written in {time.perf_counter() - started:.1f} s, cells_sha256 {graph.cells_sha256[:12]}")


def export_graph(
    graph: Annotated[Path, typer.Argument(help="Cell graph (.safetensors).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .npz, .pt (PyTorch) or .graphml.")],
    overwrite: args.Overwrite = False,
) -> None:
    """Write a cell graph as NumPy, PyTorch or GraphML file."""
    from hgcal_gnn.geometry.graph_file import graph_arrays, load_graph

    loaded = load_graph(graph)
    if output.suffix == ".pt":
        from hgcal_gnn.batching.pyg import save_tensors

        save_tensors(loaded, output, overwrite=overwrite)
    elif output.suffix == ".npz":
        import numpy as np

        from hgcal_gnn.files import atomic_path

        with atomic_path(output, overwrite=overwrite) as temporary:
            np.savez(temporary, allow_pickle=False, **graph_arrays(loaded))
    elif output.suffix == ".graphml":
        import networkx as nx

        from hgcal_gnn.files import atomic_path

        with atomic_path(output, overwrite=overwrite) as temporary:
            nx.write_graphml(loaded.to_networkx(), temporary)
    else:
        msg = f"{output}: unknown kind of graph file; use .npz, .pt or .graphml"
        raise UsageError(msg)
    print(f"{output}: {loaded.n_cells} cells, {loaded.n_edges} edges")


def _show_step(name: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{name} ...", end="", file=sys.stderr, flush=True)


def _clear_step() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print_summary(graph: CellGraph) -> None:
    import numpy as np

    from hgcal_gnn.geometry.neighbours.csr import EDGE_TYPES

    count = np.bincount(graph.edge_type, minlength=len(EDGE_TYPES))
    edges = ", ".join(f"{number} {name}" for number, name in zip(count.tolist(), EDGE_TYPES, strict=True) if number)
    print(f"{graph.n_edges} directed edges: {edges or 'none'}")
    print(_subdetector_line(graph.cells))


def _subdetector_line(cells: CellTable) -> str:
    import numpy as np

    count = np.bincount(cells.subdetector)
    parts = [f"{cells.subdetector_names.get(code, code)} {count[code]}" for code in np.flatnonzero(count).tolist()]
    return "cells: " + ", ".join(parts)
