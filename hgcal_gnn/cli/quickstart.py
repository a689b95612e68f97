"""quickstart: the main job on the embedded detector, in an empty folder, in less than a minute."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from hgcal_gnn.cli import arguments as args

SECTOR = (1.05, 2.09)  # phi [rad]: a sixth of an endcap
MIXED_LAYER = 38


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("quickstart")(quickstart)


def quickstart(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path("quickstart"),
    overwrite: args.Overwrite = False,
) -> None:
    """Run the main job on the embedded detector: geometry table, cell graph, summary and pictures."""
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.files import check_writable
    from hgcal_gnn.geometry.build import build_graph
    from hgcal_gnn.geometry.checks import check_graph
    from hgcal_gnn.geometry.detectors import make_detector
    from hgcal_gnn.geometry.graph_file import save_graph
    from hgcal_gnn.geometry.tables import write_table

    started = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    names = ("hgcal_sector.parquet", "graph.safetensors", "detector.png", f"layer_{MIXED_LAYER}.png")
    table_path, graph_path, detector_path, layer_path = (output / name for name in names)
    for path in (table_path, graph_path, detector_path, layer_path):
        check_writable(path, overwrite=overwrite)

    print("1. Geometry: a sixth of one HGCAL endcap, 47 layers")
    table = make_detector("hgcal", phi=SECTOR, side=1)
    write_table(table, table_path, overwrite=overwrite)
    print(f"   {table.n_cells} cells -> {table_path}")

    print("2. Cell graph: touching cells, silicon-scintillator border, neighbours in depth")
    with compile_note():
        graph, report = build_graph(table)
    save_graph(graph, graph_path, overwrite=overwrite)
    print(f"   {graph.n_edges} directed edges in {sum(report.seconds.values()):.1f} s -> {graph_path}")
    for note in report.notes:
        print(f"   {note}")
    findings = [f"{finding.severity}: {finding.message}" for finding in check_graph(graph)]
    print("   checked: " + ("; ".join(findings) or "nothing looks wrong"))

    print("3. Pictures")
    from hgcal_gnn.plotting.detector import overview_figure
    from hgcal_gnn.plotting.layer import layer_figure
    from hgcal_gnn.plotting.style import save_figure

    save_figure(overview_figure(graph, MIXED_LAYER), detector_path, overwrite=overwrite)
    save_figure(layer_figure(graph, MIXED_LAYER), layer_path, overwrite=overwrite)
    print(f"   {detector_path}, {layer_path}")
    print(f"\nDone in {time.perf_counter() - started:.0f} s. Next:")
    print(f"   hgcal-gnn inspect {graph_path}")
    print(
        "   hgcal-gnn make-geometry hgcal -o hgcal.parquet && hgcal-gnn build-graph hgcal.parquet -o graph.safetensors"
    )
