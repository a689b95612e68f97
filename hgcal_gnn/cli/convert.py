"""convert: showers from ROOT, HDF5 and Arrow files into a store, or back into the field's formats."""

from __future__ import annotations

import json
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.file_report import ConversionReport
    from hgcal_gnn.showers.root.branches import BranchMap


class Particles(StrEnum):
    """What to do with several incident particles in one event (`showers.root_particles`)."""

    one = "one"
    first = "first"
    highest_energy = "highest-energy"
    sum = "sum"
    by_side = "by-side"
    none = "none"


class Unknown(StrEnum):
    """Hits in cells the geometry does not hold."""

    refuse = "refuse"
    drop = "drop"


class Rule(StrEnum):
    """Hits and events out of the ordinary."""

    refuse = "refuse"
    drop = "drop"
    keep = "keep"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("convert")(convert)


def convert(
    inputs: Annotated[
        list[str], typer.Argument(help="Files, quoted wildcards or root:// addresses: .root, .h5, .hdf5, .arrow.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .arrow (store), .root or .h5.")],
    graph: args.Graph = None,
    detector: args.Detector = None,
    preset: args.Preset = None,
    branch: args.Branches = None,
    collection: args.Collections = None,
    tree: args.ShowerTree = "",
    particles: Annotated[
        Particles, typer.Option(help="Several incident particles in an event; by-side: one shower per endcap.")
    ] = Particles.one,
    threshold: Annotated[float, typer.Option(min=0.0, help="Leave out hits below this energy [GeV].")] = 0.0,
    merge_hits: Annotated[bool, typer.Option("--merge-hits", help="Add up deposits of one event in one cell.")] = False,
    unknown_cells: Annotated[Unknown, typer.Option(help="Hits in cells the geometry lacks.")] = Unknown.refuse,
    not_finite: Annotated[Rule, typer.Option(help="Hits with NaN or infinite energy.")] = Rule.refuse,
    negative: Annotated[Rule, typer.Option(help="Hits with negative energy.")] = Rule.refuse,
    empty: Annotated[Rule, typer.Option(help="Events without hits.")] = Rule.keep,
    no_particle: Annotated[Rule, typer.Option(help="Events without incident particle.")] = Rule.refuse,
    times: Annotated[bool, typer.Option("--times/--no-times", help="Keep hit times where the files have them.")] = True,
    force_geometry: Annotated[
        bool,
        typer.Option("--force-geometry", help="Take ROOT files made with another geometry if it has all their ids."),
    ] = False,
    layout: Annotated[
        str, typer.Option(help="HDF5 layout to write: calochallenge, hgcal, lcd, getting_high, calogan or showerdata.")
    ] = "",
    pdg_id: Annotated[int, typer.Option(help="Incident particle of HDF5 files that do not tell it.")] = 0,
    origin: Annotated[
        str, typer.Option(help="Where x = y = 0 of showerdata files lies in the geometry [cm]: x,y.")
    ] = "0,0",
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=1, help="Files to convert at a time, each in a process.")
    ] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Threads for decompression per process; 0: up to 4.")] = 0,
    scheduler: args.Scheduler = None,
    skip_bad_files: Annotated[
        bool, typer.Option("--skip-bad-files", help="Write the store without files that cannot be used.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write what was found in each file here (JSON).")] = None,
    as_json: args.AsJson = False,
    overwrite: args.Overwrite = False,
) -> None:
    """Convert shower files into a memory-mapped store (.arrow), or into .root or .h5.

    What the rules about hits and events drop or keep is counted and printed. An interrupted conversion into a
    store goes on with the same command.
    """
    from hgcal_gnn.files import check_writable
    from hgcal_gnn.showers.convert.files import expand_inputs, kind_of

    check_writable(output, overwrite=overwrite)
    if report is not None:
        check_writable(report, overwrite=overwrite)
    if kind_of(output) == "hdf5" and not layout:
        msg = f"{output}: say how it is to be laid out: --layout calochallenge, hgcal, showerdata, ... (see --help)"
        raise UsageError(msg)
    paths = expand_inputs(inputs)
    from hgcal_gnn.showers.convert.hdf5_source import Hdf5Options
    from hgcal_gnn.showers.input_rules import InputRules
    from hgcal_gnn.showers.root import RootOptions

    rules = InputRules(
        unknown=unknown_cells.value,
        not_finite=not_finite.value,
        negative=negative.value,
        empty=empty.value,
        no_particle=no_particle.value,
        merge=merge_hits,
        threshold=threshold,
    )
    options = RootOptions(
        branches=branch_map(preset, branch, collection),
        tree=tree,
        particles=particles.value,
        rules=rules,
        times=times,
        force_geometry=force_geometry,
        threads=threads,
    )
    x, y = _origin(origin)
    hdf5 = Hdf5Options(output_layout=layout, pdg_id=pdg_id, origin_x=x, origin_y=y)
    _convert(
        paths, output, _geometry(graph, detector, paths), report, as_json=as_json,
        options=options, hdf5=hdf5, jobs=jobs, cluster=scheduler, skip_bad_files=skip_bad_files, overwrite=overwrite,
    )  # fmt: skip


def branch_map(preset: str | None, branch: Sequence[str] | None, collection: Sequence[str] | None) -> BranchMap | None:
    """Return the branch map that the options describe; None: the presets are tried on the files."""
    from hgcal_gnn.showers.root.branches import load_branch_map

    if preset is None and not branch and not collection:
        return None
    if preset is None and branch:
        msg = "--branch changes a preset: say which with --preset hgcal, cmssw-reco or edm4hep"
        raise UsageError(msg)
    changes: dict[str, Any] = dict(args.parse_pair(item, "--branch") for item in branch or [])
    if collection:
        changes["collections"] = list(collection)
    return load_branch_map(preset or "edm4hep").changed(changes)


def _convert(
    paths: list[str], output: Path, graph: CellGraph, report: Path | None, *, as_json: bool, overwrite: bool, **how: Any
) -> None:
    """Convert and tell what was found, also if it fails."""
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.cli.showers_interrupt import resumable
    from hgcal_gnn.showers.convert import ConversionError
    from hgcal_gnn.showers.convert import convert as convert_files

    started = time.perf_counter()
    try:
        with compile_note(), resumable(output):
            found = convert_files(paths, output, graph.cells, overwrite=overwrite, **how)
    except ConversionError as error:
        if error.report is not None:
            _tell(error.report, report, as_json=as_json, overwrite=overwrite)
        raise
    _tell(found, report, as_json=as_json, overwrite=overwrite)
    if not as_json:
        for line in found.summary():
            print(line)
        seconds = time.perf_counter() - started
        print(f"{output}: written in {seconds:.1f} s, cells_sha256 {graph.cells_sha256[:12]}")


def _tell(found: ConversionReport, report: Path | None, *, as_json: bool, overwrite: bool) -> None:
    """Write or print the report as JSON, as asked."""
    from hgcal_gnn.files import atomic_path

    text = json.dumps(found.to_json(), indent=2)
    if report is not None:
        with atomic_path(report, overwrite=overwrite) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    if as_json:
        print(text)


def _geometry(graph: Path | None, detector: str | None, paths: Sequence[str]) -> CellGraph:
    """Load the geometry given, or the one that a store among the inputs was made with."""
    from hgcal_gnn.cli.showers_geometry import choose_graph
    from hgcal_gnn.showers.convert.files import kind_of
    from hgcal_gnn.showers.store import open_store

    stores = [path for path in paths if kind_of(path) == "arrow"]
    if graph is not None or detector is not None or not stores:
        return choose_graph(graph, detector)
    return choose_graph(None, None, made_with=open_store(stores[0]).metadata, source=stores[0])


def _origin(text: str) -> tuple[float, float]:
    x, _, y = text.partition(",")
    try:
        return float(x), float(y)
    except ValueError as error:
        msg = f"--origin {text}: write two numbers as --origin 12.5,-3"
        raise UsageError(msg) from error
