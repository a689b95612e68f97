"""quickstart: the main job on the embedded detector, in an empty folder, in a few minutes."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hgcal_gnn.cli import arguments as args

if TYPE_CHECKING:
    from hgcal_gnn.geometry.graph import CellGraph

SECTOR = (1.05, 2.09)  # phi [rad]: a sixth of an endcap
MIXED_LAYER = 38
N_SHOWERS = 1000


class Files(NamedTuple):
    """What quickstart writes."""

    table: Path
    graph: Path
    detector: Path
    layer: Path
    showers: Path
    profiles: Path
    shower: Path
    study: Path
    regression: Path
    generation_study: Path
    generation: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Files:
        """Name the files in a folder."""
        names = (
            "hgcal_sector.parquet", "graph.safetensors", "detector.png", f"layer_{MIXED_LAYER}.png",
            "photons.arrow", "profiles.png", "shower.png", "regression.yaml", "regression", "generation.yaml",
            "generation",
        )  # fmt: skip
        return cls(*(folder / name for name in names))


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("quickstart")(quickstart)


def quickstart(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path("quickstart"),
    overwrite: args.Overwrite = False,
) -> None:
    """Run the main job on the embedded detector: geometry, cell graph, showers, energy regression, a generator."""
    from hgcal_gnn.cli.quickstart_generation import generate_showers, write_generation_study
    from hgcal_gnn.cli.quickstart_regression import regress, write_study
    from hgcal_gnn.files import check_writable

    started = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    files = Files.in_folder(output)
    if overwrite:
        shutil.rmtree(files.regression, ignore_errors=True)
        shutil.rmtree(files.generation, ignore_errors=True)
    for path in files:
        check_writable(path, overwrite=overwrite)
    graph = _build(files, overwrite=overwrite)
    _draw(graph, files, overwrite=overwrite)
    _shoot(graph, files, overwrite=overwrite)
    write_study(files.study, files.graph, overwrite=overwrite)
    regress(files.study, files.regression)
    write_generation_study(files.generation_study, overwrite=overwrite)
    generate_showers(files.generation_study, files.generation)
    print(f"\nDone in {time.perf_counter() - started:.0f} s. Next:")
    print(f"   hgcal-gnn inspect {files.graph}")
    print("   hgcal-gnn make-geometry hgcal -o hgcal.parquet")
    print("   hgcal-gnn build-graph hgcal.parquet -o hgcal.safetensors")
    print("   hgcal-gnn simulate --graph hgcal.safetensors --particle pion --energy 10..500 -n 10000 -o pions.arrow")


def _build(files: Files, *, overwrite: bool) -> CellGraph:
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.geometry.build import build_graph
    from hgcal_gnn.geometry.checks import check_graph
    from hgcal_gnn.geometry.detectors import make_detector
    from hgcal_gnn.geometry.graph_file import save_graph
    from hgcal_gnn.geometry.tables import write_table

    print("1. Geometry: a sixth of one HGCAL endcap, 47 layers")
    table = make_detector("hgcal", phi=SECTOR, side=1)
    write_table(table, files.table, overwrite=overwrite)
    print(f"   {table.n_cells} cells -> {files.table}")

    print("2. Cell graph: touching cells, silicon-scintillator border, neighbours in depth")
    with compile_note():
        graph, report = build_graph(table)
    save_graph(graph, files.graph, overwrite=overwrite)
    print(f"   {graph.n_edges} directed edges in {sum(report.seconds.values()):.1f} s -> {files.graph}")
    for note in report.notes:
        print(f"   {note}")
    findings = [f"{finding.severity}: {finding.message}" for finding in check_graph(graph)]
    print("   checked: " + ("; ".join(findings) or "nothing looks wrong"))
    return graph


def _draw(graph: CellGraph, files: Files, *, overwrite: bool) -> None:
    from hgcal_gnn.plotting.detector import overview_figure
    from hgcal_gnn.plotting.layer import layer_figure
    from hgcal_gnn.plotting.style import save_figure

    save_figure(overview_figure(graph, MIXED_LAYER), files.detector, overwrite=overwrite)
    save_figure(layer_figure(graph, MIXED_LAYER), files.layer, overwrite=overwrite)
    print(f"   pictures -> {files.detector}, {files.layer}")


def _shoot(graph: CellGraph, files: Files, *, overwrite: bool) -> None:
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.plotting.event import event_figure
    from hgcal_gnn.plotting.profiles import profiles_figure
    from hgcal_gnn.plotting.style import save_figure
    from hgcal_gnn.progress import progress_bar
    from hgcal_gnn.showers.store import open_store
    from hgcal_gnn.simulation.beam import Beam, parse_spectrum
    from hgcal_gnn.simulation.sample import write_sample

    print(f"3. Showers: {N_SHOWERS} photons of 10 to 100 GeV at eta = 2 (parametrised simulation)")
    beam = Beam(particle="photon", spectrum=parse_spectrum("10..100"), eta=2.0, phi=1.57)
    with compile_note(), progress_bar("simulating", total=N_SHOWERS, unit="shower") as bar:
        write_sample(
            graph.cells,
            beam,
            N_SHOWERS,
            files.showers,
            overwrite=overwrite,
            progress=lambda done: bar.update(done - bar.n),
        )
    store = open_store(files.showers)
    print(f"   {store.n_hits.mean():.0f} hits a shower -> {files.showers}")
    save_figure(profiles_figure(store, graph.cells), files.profiles, overwrite=overwrite)
    save_figure(event_figure(store[:1], graph.cells), files.shower, overwrite=overwrite)
    print(f"   pictures -> {files.profiles}, {files.shower}")
