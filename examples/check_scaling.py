# %% [markdown]
# # How the time per shower grows with the calorimeter and with the energy
#
# The HGCAL has six million cells, a shower hits some hundred of them. A generator is of use there if its time follows
# the hits, not the cells. Here the time per shower of trained generators, and of the parametrised simulation, is taken
# in windows of growing size, and for photons of 10 to 500 GeV.
#
# Give the folders of runs as arguments: of photons at eta 2, phi 1.57 in the HGCAL, such as those of
# `hgcal-gnn study configs/studies/graph_vs_voxel.yaml`. Without any, two networks far too small are trained for
# seconds, to show how it goes. Energies beyond the training are for the times only.

# %%
import sys
from pathlib import Path
from tempfile import mkdtemp

from hgcal_gnn.cli.threads import use_threads
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.timing import GENERATION, Generate, TimingPlan, time_generation
from hgcal_gnn.generation.generator import AnyGenerator
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.geometry.detector_graph import detector_graph
from hgcal_gnn.geometry.graph import CellGraph
from hgcal_gnn.geometry.material import MaterialProfile, load_material
from hgcal_gnn.plotting.style import LINES, MARKERS, blank_figure, plain_log_ticks, save_figure, tidy
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import Simulator
from hgcal_gnn.training.generation.load import load_generator
from hgcal_gnn.training.generation.run import run_generation

use_threads(1)  # times of one core do not depend on what the others do
runs = [Path(name) for name in sys.argv[1:] if Path(name).is_dir()]
is_tiny = not runs
folder = Path(mkdtemp())
eta, phi = 2.0, 1.57
half_widths = (0.06, 0.1) if is_tiny else (0.1, 0.2, 0.4, 0.8)  # of the windows, in eta and phi
energies = (10.0, 50.0) if is_tiny else (10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
usual = "20" if is_tiny else "50"  # GeV, in the windows
batch = 5 if is_tiny else 50
plan = TimingPlan(calls=3, showers=batch, warm_up=1, most_seconds=20.0)
layers = (1, 10) if is_tiny else (1, 47)

# %% [markdown]
# Windows around the line of flight.


# %%
def window(half: float) -> tuple[CellGraph, MaterialProfile]:
    """Return the cells around the line of flight, and their material."""
    low, high = max(eta - half, 1.5), min(eta + half, 2.9)
    graph, _ = detector_graph("hgcal", eta=(low, high), phi=(phi - half, phi + half), layers=layers, side=1)
    return graph, load_material("hgcal")


tiny = {
    "voxels": {"kind": "calo_shower_gan", "generator": [16], "critic": [16]},
    "cells": {"kind": "cells", "layer_width": 16, "layer_blocks": 1, "place_width": 8, "components": 2, "hit_width": 8},
}
for name, model in tiny.items() if is_tiny else ():
    grid = {"grid": {"eta": eta, "phi": phi, "shape": [4, 4], "layers": layers}} if name == "voxels" else {}
    config = GenerationConfig.model_validate(
        {
            "data": {
                "detector": "hgcal",
                "window": {"eta": [1.9, 2.1], "phi": [phi - 0.1, phi + 0.1], "layers": layers, "side": 1},
                "train": {"simulate": {"energy": "10..50", "eta": eta, "phi": phi, "number": 200}},
                "empty": "drop",
                **grid,
            },
            "model": model,
            "train": {"iterations": 10, "batch_size": 16, "check_every": 10, "check_showers": 20, "device": "cpu"},
        }
    )
    runs.append(run_generation(config, folder / name).path)

# %% [markdown]
# The time of one call, to the finished showers. Voxel models stay in the voxels that they were trained in; graph
# models move into each window.


# %%
def beam(energy: str) -> Beam:
    """Photons of one energy along the line."""
    return Beam("photon", parse_spectrum(energy), eta=eta, phi=phi)


def ms(generate: Generate[Showers], name: str) -> float:
    """Return the mean time per shower."""
    timings = time_generation(generate, [batch], name=name, plan=plan, threads=1)
    found = next(timing for timing in timings if timing.stage == GENERATION)
    print(f"{name}: {found.mean:.3g} ± {found.mean_error:.1g} ms per shower")
    return found.mean


def calls(generator: AnyGenerator, energy: str) -> Generate[Showers]:
    """Return what time_generation calls."""
    particles = Particles.of_beam(beam(energy), batch, seed=1)
    return lambda n, seed: generator.sample(particles[:n], seed=seed)


by_cells: dict[str, dict[float, float]] = {}
by_energy: dict[str, dict[float, float]] = {}
for half in half_widths:
    graph, material = window(half)
    n_cells = graph.cells.n_cells
    simulator = Simulator(graph.cells, beam(usual), material=material, threads=1)
    by_cells.setdefault("simulation", {})[n_cells] = ms(simulator, f"simulation, {n_cells} cells")
    for run in runs:
        try:
            generator = load_generator(run, geometry=(graph, material), batch_size=batch)
        except UsageError as error:  # it does not move
            print(str(error).splitlines()[0])
            continue
        by_cells.setdefault(run.name, {})[n_cells] = ms(calls(generator, usual), f"{run.name}, {n_cells} cells")

graph, material = window(half_widths[-1])
for energy in energies:
    simulator = Simulator(graph.cells, beam(str(energy)), material=material, threads=1)
    by_energy.setdefault("simulation", {})[energy] = ms(simulator, f"simulation, {energy:g} GeV")
for run in runs:
    generator = load_generator(run, batch_size=batch)
    for energy in energies:
        time = ms(calls(generator, str(energy)), f"{run.name}, {energy:g} GeV")
        by_energy.setdefault(run.name, {})[energy] = time

# %% [markdown]
# A flat line on the left: the time does not know the size of the calorimeter. Voxel models are flat on the right, where
# they pay for all voxels at every energy.

# %%
fig = blank_figure(10, 4)
left, right = fig.subplots(1, 2, sharey=True)  # else noise fills the left one
for ax, what, found in (
    (left, f"cells of the window ({usual} GeV)", by_cells),
    (right, "energy of the photon [GeV]", by_energy),
):
    for number, name in enumerate(by_energy):
        if name in found:
            style = {"color": LINES[number % len(LINES)], "marker": MARKERS[number % len(MARKERS)]}
            ax.plot(list(found[name]), list(found[name].values()), label=name, **style)
    ax.set(xscale="log", yscale="log")
    plain_log_ticks(ax.xaxis)
    plain_log_ticks(ax.yaxis)
    tidy(ax, what, f"time per shower [ms], {batch} at a time, one core")
right.legend(frameon=False, fontsize=8)
save_figure(fig, folder / "scaling.png")
print(folder / "scaling.png")
