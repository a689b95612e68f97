"""simulate: showers of a beam of particles in a detector, by parametrisation."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.cli.beam_options import ENERGY_FORMS, BeamOptions, Direction, Particle, Pt

if TYPE_CHECKING:
    from hgcal_gnn.geometry.material import MaterialProfile

MANY = 0.1  # share of showers without hits that is worth a warning


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("simulate")(simulate)


def simulate(
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .arrow (store) or .root.")],
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many showers.")],
    detector: args.Detector = None,
    graph: args.Graph = None,
    material: Annotated[
        str | None,
        typer.Option(help="Material per layer: YAML file, or a built-in detector (default: what the graph is called)."),
    ] = None,
    particle: Annotated[Particle, typer.Option(help="What is shot.")] = Particle.photon,
    energy: Annotated[str | None, typer.Option(help=f"Total energy [GeV]: {ENERGY_FORMS}. Default: 50.")] = None,
    pt: Pt = None,
    eta: Annotated[
        str | None,
        typer.Option(help="Pseudorapidity: 2.0 or 1.6..2.9 (flat). Default: 2.0; small detectors: at their middle."),
    ] = None,
    phi: Annotated[str | None, typer.Option(help="Azimuth [rad]: 1.57 or 0..1.05 (flat). Default: all around.")] = None,
    direction: Direction = None,
    vertex: Annotated[str, typer.Option(help="Where the particles start [cm]: x,y,z.")] = "0,0,0",
    vertex_sigma: Annotated[str, typer.Option(help="Gaussian smearing of the vertex [cm]: x,y,z.")] = "0,0,0",
    seed: Annotated[int, typer.Option(help="Same command and seed, same file.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads. Default: all processors.")] = None,
    scheduler: args.Scheduler = None,
    overwrite: args.Overwrite = False,
) -> None:
    """Simulate showers of single particles. An interrupted simulation into a store goes on with the same command."""
    from hgcal_gnn.files import check_writable

    check_writable(output, overwrite=overwrite)
    options = BeamOptions(particle, energy, pt, eta, phi, direction, vertex, vertex_sigma)
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.cli.showers_geometry import choose_graph
    from hgcal_gnn.cli.showers_interrupt import resumable
    from hgcal_gnn.progress import progress_bar
    from hgcal_gnn.simulation.beam import Beam
    from hgcal_gnn.simulation.sample import aim, check_output, write_sample

    check_output(output)
    beam = options.change(Beam())
    cells = choose_graph(graph, detector).cells
    beam = beam if options.is_aimed else replace(beam, direction=aim(cells))
    known = _material(material, cells.detector)
    started = time.perf_counter()
    with compile_note(), resumable(output), progress_bar("simulating", total=number, unit="shower") as bar:
        found = write_sample(
            cells,
            beam,
            number,
            output,
            seed=seed,
            material=known,
            threads=threads,
            cluster=scheduler,
            overwrite=overwrite,
            progress=lambda done: bar.update(done - bar.n),
        )
    spectrum = f"{energy or 50} GeV" if pt is None else f"pT {pt} GeV"
    earlier = f" ({found.resumed} from an earlier run)" if found.resumed else ""
    seconds = time.perf_counter() - started
    print(f"{output}: {number} {particle} showers of {spectrum} in {cells.detector}, seed {seed}{earlier}")
    print(f"written in {seconds:.1f} s, cells_sha256 {cells.sha256[:12]}")
    if found.empty > MANY * number:
        advice = "does the beam point at the detector? (--eta, --phi, --direction, --vertex)"
        print(f"warning: {found.empty} of {number} showers left no hit: {advice}", file=sys.stderr)


def _material(material: str | None, detector: str) -> MaterialProfile:
    """Load the material by the name of a detector, or from a file."""
    from hgcal_gnn.geometry.material import load_material

    if material is None or Path(material).suffix not in (".yaml", ".yml"):
        return load_material(material or detector)
    return load_material(detector, Path(material))
