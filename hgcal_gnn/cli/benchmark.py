"""benchmark: time per shower of the simulation and of trained models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.cli.beam_options import ENERGY_FORMS, BeamOptions, Particle, spectrum_text
from hgcal_gnn.cli.variadic import VariadicCommand
from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from hgcal_gnn.config.any_run import AnyRunConfig
    from hgcal_gnn.evaluation.published_timing import PublishedTiming
    from hgcal_gnn.evaluation.timing import Timing
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile

BATCH_SIZES = [1, 10, 100, 1000]
ENDINGS = (".json", ".md")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("benchmark", cls=VariadicCommand)(benchmark)


def benchmark(
    run: Annotated[Path | None, typer.Argument(help="Folder of a finished run; without: only the simulation.")] = None,
    batch_sizes: Annotated[
        list[int], typer.Option("--batch-sizes", min=1, help="Showers per call, one or more numbers.")
    ] = BATCH_SIZES,
    detector: args.Detector = None,
    graph: args.Graph = None,
    material: Annotated[
        str | None, typer.Option(help="Material per layer: YAML file, or a built-in detector (default: of the graph).")
    ] = None,
    particle: Annotated[
        Particle | None, typer.Option(help="What is shot. Default: what a generator was trained on, or photon.")
    ] = None,
    energy: Annotated[
        str | None, typer.Option(help=f"Total energy [GeV]: {ENERGY_FORMS}. Default: as trained on, or 50.")
    ] = None,
    eta: Annotated[
        str | None, typer.Option(help="Pseudorapidity: 2.0 or 1.6..2.9. Default: as trained on, 2.0, or the middle.")
    ] = None,
    calls: Annotated[int, typer.Option(min=3, help="Timed calls per batch size, at least.")] = 10,
    warm_up: Annotated[int, typer.Option("--warm-up", min=0, help="Calls before, not counted.")] = 2,
    seconds: Annotated[float, typer.Option(min=0, help="Per batch size: begin no further call after that.")] = 60.0,
    reference_ms: Annotated[
        float | None,
        typer.Option("--reference-ms", help="Time to compare with [ms per shower], Geant4's for instance."),
    ] = None,
    reference_source: Annotated[
        str | None, typer.Option("--reference-source", help="Whose time that is: program, processor, publication.")
    ] = None,
    steps: args.Steps = None,
    device: Annotated[str, typer.Option(help="Of a trained model: cpu, cuda or mps.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads. Default: all processors.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the showers.")] = 0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the result, too: .json or .md.")] = None,
    overwrite: args.Overwrite = False,
    as_json: args.AsJson = False,
) -> None:
    """Time the simulation and a trained model, per shower; published times of the particle stand below.

    Set-up and warm-up are not counted, writing is timed apart. A speed-up is printed only over --reference-ms.
    """
    _check_reference(reference_ms, reference_source)
    _check_output(output, overwrite=overwrite)
    from hgcal_gnn.cli.benchmark_runs import Conditions, time_run
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.cli.threads import use_threads
    from hgcal_gnn.evaluation.timing import TimingPlan
    from hgcal_gnn.hardware import usable_cores
    from hgcal_gnn.showers.particles import particle_name

    use_threads(threads)
    plan = TimingPlan(calls=calls, warm_up=warm_up, most_seconds=seconds)
    conditions = Conditions(batch_sizes, plan, seed, threads or usable_cores(), device, steps)
    with compile_note():
        config, cells, profile = _geometry(run, graph, detector, material)
        beam, timings = time_run(run, config, cells, profile, BeamOptions(particle, energy, eta=eta), conditions)
    about = f"{particle_name(beam.pdg_id)} of {spectrum_text(beam)}"
    reference = _reference(reference_ms, reference_source, beam.pdg_id, spectrum_text(beam))
    where = f"{about} in {cells.cells.detector}"
    _report(timings, where, beam.pdg_id, reference, output, as_json=as_json, overwrite=overwrite)


def _check_reference(ms: float | None, source: str | None) -> None:
    """Refuse a time without its source."""
    if (ms is None and source is None) or (ms is not None and ms > 0 and source is not None and source.strip()):
        return
    msg = "a speed-up needs a time above 0 and whose it is: --reference-ms 4082 --reference-source 'Geant4, ...'"
    raise UsageError(msg)


def _reference(ms: float | None, source: str | None, pdg_id: int, energy: str) -> PublishedTiming | None:
    """Make the reference time of the options."""
    if ms is None or source is None:
        return None
    from hgcal_gnn.evaluation.published_timing import PublishedTiming

    return PublishedTiming("reference", pdg_id, energy, "", None, ms, None, "", "", source)


def _check_output(output: Path | None, *, overwrite: bool) -> None:
    """Refuse before the work what could not be written after it."""
    if output is None:
        return
    from hgcal_gnn.files import check_writable

    if output.suffix.lower() not in ENDINGS:
        msg = f"{output}: the result is written as {' or '.join(ENDINGS)}"
        raise UsageError(msg)
    check_writable(output, overwrite=overwrite)


def _geometry(
    run: Path | None, graph: Path | None, detector: str | None, material: str | None
) -> tuple[AnyRunConfig | None, CellGraph, MaterialProfile]:
    """Load what was given, or else what the run was trained in."""
    from hgcal_gnn.cli.showers_geometry import choose_graph
    from hgcal_gnn.training.geometry import find_material, load_geometry
    from hgcal_gnn.training.run_folder import RunFolder

    config = None if run is None else RunFolder(run).read_any_config()  # first: a wrong folder is told at once
    if config is not None and graph is None and detector is None:
        return config, *load_geometry(config.data)
    cells = choose_graph(graph, detector)
    return config, cells, find_material(material, cells.cells.detector)


def _report(
    timings: list[Timing],
    about: str,
    pdg_id: int,
    reference: PublishedTiming | None,
    output: Path | None,
    *,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Print the result, and write it if asked."""
    from hgcal_gnn.evaluation.timing_report import timing_json, timing_markdown
    from hgcal_gnn.files import atomic_path

    machine = json.dumps(timing_json(timings, about, pdg_id, reference), indent=2)
    human = timing_markdown(timings, about, pdg_id, reference)
    print(machine if as_json else human)
    if output is not None:
        with atomic_path(output, overwrite=overwrite) as temporary:
            text = machine if output.suffix.lower() == ".json" else human
            temporary.write_text(text + "\n", encoding="utf-8")
