"""generate: showers of a beam of particles, by a trained generator."""

from __future__ import annotations

import json
import math
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.cli.beam_options import ENERGY_FORMS, BeamOptions, Direction, Particle, Pt, spectrum_text
from hgcal_gnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from hgcal_gnn.generation.generator import AnyGenerator
    from hgcal_gnn.generation.request import ParticleRows
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile


class Engine(StrEnum):
    """What runs the networks."""

    torch = "torch"
    onnx = "onnx"


MANY = 0.1  # share of showers without hits that is worth a warning


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("generate")(generate)


def generate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run that trained a generator.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .arrow (store), .root or .h5.")],
    number: Annotated[
        int | None, typer.Option("-n", "--number", min=1, help="How many showers. Default: as many as --like has.")
    ] = None,
    like: Annotated[
        Path | None, typer.Option("--like", help="Store (.arrow): one shower for each of its particles, in its order.")
    ] = None,
    particle: Annotated[Particle | None, typer.Option(help="What is shot. Default: as trained on.")] = None,
    energy: Annotated[
        str | None, typer.Option(help=f"Total energy [GeV]: {ENERGY_FORMS}. Default: as trained on.")
    ] = None,
    pt: Pt = None,
    eta: Annotated[str | None, typer.Option(help="Pseudorapidity: 2.0 or 1.6..2.9. Default: as trained on.")] = None,
    phi: Annotated[str | None, typer.Option(help="Azimuth [rad]: 1.57 or 0..1.05. Default: as trained on.")] = None,
    direction: Direction = None,
    vertex: Annotated[
        str | None, typer.Option(help="Where the particles start [cm]: x,y,z. Default: as trained on.")
    ] = None,
    vertex_sigma: Annotated[
        str | None, typer.Option(help="Gaussian smearing of the vertex [cm]: x,y,z. Default: as trained on.")
    ] = None,
    graph: Annotated[
        Path | None, typer.Option("--graph", help="Generate in these cells (.safetensors). Default: as trained in.")
    ] = None,
    detector: args.Detector = None,
    material: Annotated[
        str | None, typer.Option(help="Material per layer: YAML file, or a built-in detector (default: of the graph).")
    ] = None,
    steps: args.Steps = None,
    seed: Annotated[int, typer.Option(min=0, help="Same command and seed, same file.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Showers at a time; others give other showers.")] = 256,
    layout: Annotated[
        str, typer.Option(help="Of an .h5 file: calochallenge, lcd, showerdata, ... Default: that of the detector.")
    ] = "",
    engine: Annotated[
        Engine, typer.Option(help="What computes: torch, or onnx (onnxruntime): the same showers up to rounding.")
    ] = Engine.torch,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads. Default: all processors.")] = None,
    scheduler: args.Scheduler = None,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Allow energies beyond twice those trained on.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write time and peak memory of the generation here (JSON).")
    ] = None,
    overwrite: args.Overwrite = False,
) -> None:
    """Generate showers. An interrupted generation into a store goes on with the same command."""
    from hgcal_gnn.files import check_writable
    from hgcal_gnn.showers.convert.files import kind_of

    check_writable(output, overwrite=overwrite)
    if report is not None:
        check_writable(report, overwrite=overwrite)
    needs_cells = kind_of(output) != "arrow"
    options = BeamOptions(particle, energy, pt, eta, phi, direction, vertex, vertex_sigma)
    if like is None and number is None:
        msg = "how many showers? Give -n, or the particles of a store with --like"
        raise UsageError(msg)
    if like is not None and any(value is not None for value in options):
        msg = (
            "--like takes the particles of a store as they are: leave out the options of a beam (--energy, --eta, ...)"
        )
        raise UsageError(msg)
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.cli.showers_interrupt import resumable
    from hgcal_gnn.cli.threads import use_threads
    from hgcal_gnn.generation.request import Asked, check_request
    from hgcal_gnn.generation.sample_file import write_generated
    from hgcal_gnn.progress import progress_bar
    from hgcal_gnn.training.generation.load import load_generator, weights_digest

    use_threads(threads)
    geometry = _geometry(graph, detector, material)
    generator = load_generator(run, device=device, batch_size=batch_size, steps=steps, geometry=geometry)
    _use(engine, run, generator)
    if like is None:
        particles, told = _of_beam(generator, options, seed)
        n, source = int(number or 0), "the beam"
    else:
        particles, n, told = _of_store(like, number)
        source = str(like)
    check_request(Asked.of(particles, n), generator.trained_on, source=source, extrapolate=extrapolate)
    cells = _cells(run, generator, geometry) if needs_cells else None
    about = {"particles": told, "weights": weights_digest(run), **({} if steps is None else {"steps": str(steps)})}
    about |= {} if engine is Engine.torch else {"engine": engine.value}
    started = time.perf_counter()
    with compile_note(), resumable(output), progress_bar("generating", total=n, unit="shower") as bar:
        found = write_generated(
            generator, particles, n, output, seed=seed, about=about, cells=cells, layout=layout, cluster=scheduler,
            overwrite=overwrite, progress=lambda done: bar.update(done - bar.n),
        )  # fmt: skip
    seconds = time.perf_counter() - started
    made = n - found.resumed
    earlier = f" ({found.resumed} from an earlier run)" if found.resumed else ""
    print(f"{output}: {n} showers ({told}) of {run.name}, seed {seed}{earlier}")
    print(f"generated and written in {seconds:.1f} s ({1e3 * seconds / max(made, 1):.3g} ms/shower)")
    if report is not None:
        took = {"showers": made, "empty": found.empty, "seconds": round(seconds, 3)}
        _report(report, about | {"seed": str(seed)} | took, overwrite=overwrite)
    if found.empty > MANY * made:
        print(f"warning: {found.empty} of {made} generated showers have no hit", file=sys.stderr)


def _use(engine: Engine, run: Path, generator: AnyGenerator) -> None:
    """Let a generator run in what was asked for."""
    if engine is Engine.onnx:
        from hgcal_gnn.cli.export import use_engine

        use_engine(run, generator)


def _report(path: Path, content: dict[str, Any], *, overwrite: bool) -> None:
    """Write what was generated and what it took, the memory of the whole process with files and libraries included."""
    from hgcal_gnn.files import atomic_path
    from hgcal_gnn.hardware import peak_memory_mib

    peak = peak_memory_mib()
    memory = {"peak_memory_mib": round(peak, 1) if math.isfinite(peak) else None}
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(content | memory, indent=1) + "\n", encoding="utf-8")


def _of_beam(generator: AnyGenerator, options: BeamOptions, seed: int) -> tuple[ParticleRows, str]:
    """Return particles of the beam of the training with what was asked for changed, and what they are.

    What neither the training sample nor the options tell stays unknown.
    """
    from hgcal_gnn.generation.particles import Particles
    from hgcal_gnn.showers.particles import particle_name
    from hgcal_gnn.training.generation.beam import not_told, trained_beam

    wanted = None if options.particle is None else options.particle.value
    beam = options.change(trained_beam(generator.trained_on, wanted))
    told = {"direction": options.is_aimed, "vertex": options.has_vertex}
    unknown = [name for name in not_told(generator.trained_on) if not told[name]]
    if options.pt is not None and "direction" in unknown:
        msg = "--pt needs a direction, and that of the training showers is not known: give --eta or --direction, too"
        raise UsageError(msg)

    def particles(first: int, n: int) -> Particles:
        return Particles.of_beam(beam, n, seed=seed, first=first).without(unknown)

    remark = f", {' and '.join(unknown)} not known" if unknown else ""
    return particles, f"{particle_name(beam.pdg_id)}, {spectrum_text(beam)}{remark}"


def _of_store(path: Path, number: int | None) -> tuple[ParticleRows, int, str]:
    """Return the particles of a store, how many are wanted, and what they are."""
    from hgcal_gnn.generation.particles import Particles
    from hgcal_gnn.showers.store import open_store

    store = open_store(path)
    if not len(store):
        msg = f"{path}: holds no showers"
        raise InputError(msg)
    whole = Particles.of_store(store)
    if number is not None and number > len(whole):
        whole = whole.repeated(number)
    return (lambda first, n: whole[first : first + n]), number or len(whole), f"the particles of {path.name}"


def _geometry(
    graph: Path | None, detector: str | None, material: str | None
) -> tuple[CellGraph, MaterialProfile] | None:
    """Load the cells that were asked for, None for those of the training."""
    from hgcal_gnn.cli.showers_geometry import choose_graph
    from hgcal_gnn.training.geometry import find_material

    if graph is None and detector is None:
        if material is not None:
            msg = "--material belongs to --graph or --detector"
            raise UsageError(msg)
        return None
    cells = choose_graph(graph, detector)
    return cells, find_material(material, cells.cells.detector)


def _cells(run: Path, generator: AnyGenerator, geometry: tuple[CellGraph, MaterialProfile] | None) -> CellTable:
    """Return the cells that showers are generated in."""
    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.training.geometry import load_geometry
    from hgcal_gnn.training.run_folder import RunFolder

    if geometry is None:
        geometry = load_geometry(RunFolder(run).read_config(GenerationConfig).data)
    cells = geometry[0].cells
    ShowerMetadata(generator.cells_sha256).check_geometry(cells.sha256, source=str(run))
    return cells
