"""What benchmark times: the parametrised simulation, and the model of a run beside it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.evaluation.timing import time_generation, time_inference
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.request import Asked, check_request
from hgcal_gnn.showers.store import write_showers
from hgcal_gnn.simulation.beam import Beam
from hgcal_gnn.simulation.sample import aim
from hgcal_gnn.simulation.simulate import Simulator
from hgcal_gnn.training.generation.beam import trained_beam
from hgcal_gnn.training.generation.load import load_generator
from hgcal_gnn.training.load import load_regressor

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.cli.beam_options import BeamOptions
    from hgcal_gnn.config.any_run import AnyRunConfig
    from hgcal_gnn.evaluation.timing import Generate, Made_co, Timing, TimingPlan
    from hgcal_gnn.generation.generator import AnyGenerator
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.showers import Showers

SIMULATION = "parametrised simulation"


class Conditions(NamedTuple):
    """How it is timed.

    Attributes
    ----------
    batch_sizes
        Showers per call.
    plan
    seed
    threads
    device
        Of the model.
    steps
        Of generators that sample in steps; None: as in their settings.
    """

    batch_sizes: list[int]
    plan: TimingPlan
    seed: int
    threads: int
    device: str
    steps: int | None = None


class Made(NamedTuple):
    """What a generator made (images or hits), and for which particles."""

    energies: Any
    particles: Particles

    def __len__(self) -> int:
        return len(self.particles)


class GeneratorCalls:
    """A generator as it is timed: images or hits, and showers of them, for particles that were drawn before."""

    def __init__(self, generator: AnyGenerator, particles: Particles) -> None:
        self.generator, self.particles = generator, particles

    def make(self, n: int, seed: int, /) -> Made:
        """Generate images or hits for some of the particles."""
        start = n * seed % (len(self.particles) - n + 1)
        some = self.particles[start : start + n]
        return Made(self.generator.make(some, seed=seed), some)

    def showers(self, made: Made) -> Showers:
        """Make showers of them."""
        return self.generator.to_showers(made.energies, made.particles)


def time_run(
    run: Path | None,
    config: AnyRunConfig | None,
    graph: CellGraph,
    material: MaterialProfile,
    options: BeamOptions,
    conditions: Conditions,
) -> tuple[Beam, list[Timing]]:
    """Time the simulation, and the model of a run if there is one; return the particles, too."""
    generator = None
    if run is not None and isinstance(config, GenerationConfig):
        generator = load_generator(
            run, device=conditions.device, batch_size=max(conditions.batch_sizes), steps=conditions.steps,
            geometry=(graph, material),
        )  # fmt: skip
        wanted = None if options.particle is None else options.particle.value
        beam = options.change(trained_beam(generator.trained_on, wanted, aim(graph.cells)))
    else:
        beam = options.change(Beam(direction=None if options.is_aimed else aim(graph.cells)))
    simulator = Simulator(graph.cells, beam, material=material, threads=conditions.threads)
    if generator is not None and run is not None:
        particles = Particles.of_beam(beam, max(1000, *conditions.batch_sizes), seed=conditions.seed)
        check_request(Asked.of(lambda first, n: particles[first : first + n], len(particles)), generator.trained_on)
        calls = GeneratorCalls(generator, particles)
        name = f"generator {run.name}"
        timings = _time(calls.make, name, conditions, device=conditions.device, post_process=calls.showers)
        return beam, _time(simulator, SIMULATION, conditions) + timings
    predictor = None if run is None else load_regressor(run, graph, device=conditions.device)
    timings = _time(simulator, SIMULATION, conditions)
    if run is not None and predictor is not None:
        sample = simulator(max(conditions.batch_sizes), conditions.seed)
        timings += time_inference(
            predictor, sample, conditions.batch_sizes, name=f"regressor {run.name}", plan=conditions.plan,
            device=conditions.device, threads=conditions.threads,
        )  # fmt: skip
    return beam, timings


def _time(
    generate: Generate[Made_co],
    name: str,
    conditions: Conditions,
    *,
    device: str = "cpu",
    post_process: Callable[[Made_co], Showers] | None = None,
) -> list[Timing]:
    """Time a simulation or a generator, and writing its showers to a store."""
    with tempfile.TemporaryDirectory() as folder:

        def write(showers: Showers) -> Any:
            write_showers(showers, Path(folder) / "written.arrow", overwrite=True)

        return time_generation(
            generate, conditions.batch_sizes, name=name, post_process=post_process, write=write, plan=conditions.plan,
            seed=conditions.seed, device=device, threads=conditions.threads,
        )  # fmt: skip
