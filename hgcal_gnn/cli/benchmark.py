"""benchmark: time per shower of the simulation and of trained models."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.cli.beam_options import Particle
from hgcal_gnn.cli.variadic import VariadicCommand
from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.evaluation.published_timing import PublishedTiming
    from hgcal_gnn.evaluation.timing import Generate, Made_co, Timing
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.simulation.beam import Beam
    from hgcal_gnn.simulation.simulate import Simulator

BATCH_SIZES = [1, 10, 100, 1000]
SIMULATION = "parametrised simulation"
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
    particle: Annotated[Particle, typer.Option(help="What is shot.")] = Particle.photon,
    energy: Annotated[str, typer.Option(help="Total energy [GeV]: 50 | 5,50,500 | 10..100 | log:1..1000.")] = "50",
    eta: Annotated[
        str | None, typer.Option(help="Pseudorapidity: 2.0 or 1.6..2.9. Default: 2.0; small detectors: their middle.")
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
    reference = _reference(reference_ms, reference_source, particle, energy)
    _check_output(output, overwrite=overwrite)
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.cli.threads import use_threads
    from hgcal_gnn.evaluation.timing import TimingPlan, time_inference
    from hgcal_gnn.hardware import usable_cores

    use_threads(threads)
    threads = threads or usable_cores()
    plan = TimingPlan(calls=calls, warm_up=warm_up, most_seconds=seconds)
    with compile_note():
        cells, profile = _geometry(run, graph, detector, material)
        simulator = _simulator(cells, profile, _beam(cells, particle, energy, eta), threads)
        timings = _time_generation(simulator, batch_sizes, name=SIMULATION, plan=plan, seed=seed, threads=threads)
        if run is not None:
            from hgcal_gnn.training.load import load_regressor

            predictor = load_regressor(run, cells, device=device)
            sample = simulator(max(batch_sizes), seed)
            name = f"regressor {run.name}"
            timings += time_inference(
                predictor, sample, batch_sizes, name=name, plan=plan, device=device, threads=threads
            )  # fmt: skip
    about = f"{particle.value} of {energy} GeV in {cells.cells.detector}"
    _report(timings, about, simulator.beam.pdg_id, reference, output, as_json=as_json, overwrite=overwrite)


def _reference(ms: float | None, source: str | None, particle: Particle, energy: str) -> PublishedTiming | None:
    """Make the reference time of the options; a time without its source is refused."""
    if ms is None and source is None:
        return None
    if ms is None or not ms > 0 or source is None or not source.strip():
        msg = "a speed-up needs a time above 0 and whose it is: --reference-ms 4082 --reference-source 'Geant4, ...'"
        raise UsageError(msg)
    from hgcal_gnn.evaluation.published_timing import PublishedTiming
    from hgcal_gnn.simulation.beam import PDG

    pdg_id = PDG.get(particle.value, 0)
    return PublishedTiming("reference", pdg_id, f"{energy} GeV", "", None, ms, None, "", "", source)


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
) -> tuple[CellGraph, MaterialProfile]:
    """Load what was given, or else what the run was trained in."""
    from hgcal_gnn.cli.showers_geometry import choose_graph
    from hgcal_gnn.training.geometry import find_material, load_geometry
    from hgcal_gnn.training.run_folder import RunFolder

    config = None if run is None else RunFolder(run).read_config()  # first: a wrong folder is told at once
    if config is not None and graph is None and detector is None:
        return load_geometry(config.data)
    cells = choose_graph(graph, detector)
    return cells, find_material(material, cells.cells.detector)


def _beam(graph: CellGraph, particle: Particle, energy: str, eta: str | None) -> Beam:
    from hgcal_gnn.simulation.beam import Beam, parse_spectrum
    from hgcal_gnn.simulation.sample import aim

    options: dict[str, Any] = {"particle": particle.value, "spectrum": parse_spectrum(energy)}
    interval = args.parse_interval(eta, "--eta")
    return Beam(**options, direction=aim(graph.cells)) if interval is None else Beam(**options, eta=interval)


def _simulator(graph: CellGraph, material: MaterialProfile, beam: Beam, threads: int) -> Simulator:
    from hgcal_gnn.simulation.simulate import Simulator

    return Simulator(graph.cells, beam, material=material, threads=threads)


def _time_generation(
    generate: Generate[Made_co],
    sizes: list[int],
    *,
    post_process: Callable[[Made_co], Showers] | None = None,
    **options: Any,
) -> list[Timing]:
    """Time a simulation or a generator, and writing its showers to a store; `options` of `time_generation`."""
    from hgcal_gnn.evaluation.timing import time_generation
    from hgcal_gnn.showers.store import write_showers

    with tempfile.TemporaryDirectory() as folder:

        def write(showers: Showers) -> None:
            write_showers(showers, Path(folder) / "written.arrow", overwrite=True)

        return time_generation(generate, sizes, post_process=post_process, write=write, **options)


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
