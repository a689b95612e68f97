"""inspect: what a file holds and what looks wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.graph import CellGraph

GRAPH_SUFFIX = ".safetensors"
SHOWER_SUFFIXES = (".arrow", ".h5", ".hdf5")  # .root may hold either: see `_examine`


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("inspect")(inspect)


def inspect(
    path: Annotated[Path, typer.Argument(help="Geometry table, cell graph or shower store (.arrow).")],
    as_json: args.AsJson = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Picture to draw (.png, .pdf, .svg): a layer; of a store its profiles, or the shower --event."
        ),
    ] = None,
    layer: Annotated[int | None, typer.Option(help="Layer to draw.")] = None,
    side: Annotated[int | None, typer.Option(help="Side to draw: 1, -1 or 0 (barrel).")] = None,
    window: Annotated[str | None, typer.Option(help="Part of the layer to draw [cm]: 0..40,100..140 (x, y).")] = None,
    column: args.Columns = None,
    length_unit: args.LengthUnit = "cm",
    tree: args.Tree = None,
    cee_layers: args.CeeLayers = None,
    event: Annotated[int | None, typer.Option(help="Shower of a store to look at, counted from 0.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Draw the shower --event to be turned in a browser (.html).")
    ] = None,
    reference: Annotated[Path | None, typer.Option(help="Shower store to compare the profiles with.")] = None,
    graph: args.Graph = None,
    detector: args.Detector = None,
    overwrite: args.Overwrite = False,
) -> None:
    """Print what a file holds and what looks wrong with it; draw a layer, profiles of showers or one shower.

    Pictures of a store need the geometry it was made with: a built-in one is found by its name, for others give
    --graph or --detector.
    """
    if path.suffix.lower() in SHOWER_SUFFIXES:
        from hgcal_gnn.cli.showers_inspect import Request, inspect_store

        request = Request(graph, detector, reference, event, plot, html, as_json=as_json, overwrite=overwrite)
        _refuse(path, "a layer of a geometry", {"--layer": layer, "--side": side, "--window": window})
        inspect_store(path, request)
        return
    given = {"--event": event, "--html": html, "--reference": reference, "--graph": graph, "--detector": detector}
    _refuse(path, "a shower store (.arrow)", given)
    if plot is not None:
        from hgcal_gnn.files import check_writable

        check_writable(plot, overwrite=overwrite)
    cells, summary = _examine(path, args.parse_columns(column), length_unit, tree, cee_layers)
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        _print(path, summary)
    if plot is not None:
        _draw(cells, plot, layer, side, window, overwrite=overwrite)


def _refuse(path: Path, purpose: str, options: Mapping[str, object]) -> None:
    """Refuse options that mean nothing for this kind of file."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        msg = f"{path}: {', '.join(given)} belongs to {purpose}"
        raise UsageError(msg)


def _examine(
    path: Path, columns: dict[str, str], length_unit: str, tree: str | None, cee_layers: int | None
) -> tuple[CellTable | CellGraph, dict[str, Any]]:
    """Read a graph or a table and summarise it."""
    if path.suffix == GRAPH_SUFFIX:
        from hgcal_gnn.geometry.checks import check_graph
        from hgcal_gnn.geometry.graph_file import load_graph
        from hgcal_gnn.geometry.summary import summarise_graph

        graph = load_graph(path)
        findings = [finding._asdict() for finding in check_graph(graph)]
        return graph, summarise_graph(graph) | {"findings": findings}
    from hgcal_gnn.geometry.summary import summarise_cells
    from hgcal_gnn.geometry.tables import read_table

    try:
        table = read_table(
            path, columns=columns, length_unit=length_unit, tree=tree, cee_layers=cee_layers, allow_lone_cells=True
        )
    except InputError:
        if path.suffix.lower() == ".root":
            from hgcal_gnn.cli.showers_inspect import refuse_root_showers

            refuse_root_showers(path)
        raise
    return table, summarise_cells(table)


def _print(path: Path, summary: dict[str, Any]) -> None:
    print(f"{path}: {summary['n_cells']} cells of detector {summary['detector']}")
    print(f"cells_sha256 {summary['cells_sha256']}")
    names = {}
    for part in summary["subdetectors"]:
        names[part["code"]] = part["name"]
        types = ", ".join(f"type {kind}: {number}" for kind, number in part["cell_types"].items())
        print(f"  {part['name']:20} {part['cells']:>9} cells, layers {part['layers'][0]}-{part['layers'][1]} ({types})")
    has_edges = "n_edges" in summary
    print(
        f"\n{'side':>4} {'layer':>5} {'subdetector':20} {'depth cm':>9} {'cells':>8}" + "   edges by type" * has_edges
    )
    for row in summary["layers"]:
        line = (
            f"{row['z_side']:>4} {row['layer']:>5} {names[row['subdetector']]:20} {row['depth']:>9} {row['cells']:>8}"
        )
        if has_edges:
            line += "   " + ", ".join(f"{number} {kind}" for kind, number in row["edges"].items() if number)
        print(line)
    if not has_edges:
        return
    edges = ", ".join(f"{number} {kind}" for kind, number in summary["edge_types"].items() if number)
    print(f"\n{summary['n_edges']} directed edges: {edges or 'none'}")
    for kind, histogram in summary["degree_histogram"].items():
        print(f"degree, {kind}: " + ", ".join(f"{n} cells with {k}" for k, n in enumerate(histogram) if n))
    print(
        f"{summary['isolated']} isolated cells; {summary['components']} connected components, "
        f"the largest with {summary['largest_component']} cells"
    )
    for note in summary["rules"].get("notes", []):
        print(f"  {note}")
    print("\nfindings:" if summary["findings"] else "\nnothing looks wrong")
    for finding in summary["findings"]:
        print(f"  {finding['severity']}: {finding['message']}")


def _draw(
    cells: CellTable | CellGraph,
    plot: Path,
    layer: int | None,
    side: int | None,
    window: str | None,
    *,
    overwrite: bool,
) -> None:
    if layer is None:
        msg = "--plot draws one layer: say which with --layer 38"
        raise UsageError(msg)
    from hgcal_gnn.plotting.layer import draw_layer, layer_figure
    from hgcal_gnn.plotting.style import figure, save_figure

    if window is None:
        picture = layer_figure(cells, layer, z_side=side)
    else:
        picture, ax = figure()
        draw_layer(cells, layer, z_side=side, window=_window(window), ax=ax)
    save_figure(picture, plot, overwrite=overwrite)
    print(f"{plot}: layer {layer}")


def _window(text: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Read '0..40,100..140' into two intervals."""
    parts = [args.parse_interval(part, "--window") for part in text.split(",")]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        msg = f"--window {text}: write two intervals as --window 0..40,100..140"
        raise UsageError(msg)
    return parts[0], parts[1]
