# %% [markdown]
# # CaloGAN at energies it was not trained on
#
# The papers of CaloGAN ask a network that was trained on 1 to 100 GeV for showers of one energy in between (1,000 of
# 25 GeV), and for some of 150 GeV, beyond all it has seen. The same here: visible energy and the shares of the layers,
# beside simulated showers. Of a finished run:
#
#     hgcal-gnn train configs/generation/calogan_siw_photon.yaml -o runs/calogan   # ..._small.yaml: 20 minutes
#     python examples/check_calogan_energies.py runs/calogan
#
# Without one, a network far too small is trained for seconds first: its showers are poor, the steps are the same.

# %%
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.generation.generator import check_energies
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.plotting.generated_samples import layer_sums
from hgcal_gnn.plotting.style import INK, LINES, blank_figure, save_figure, tidy
from hgcal_gnn.simulation.beam import Spectrum
from hgcal_gnn.simulation.simulate import simulate
from hgcal_gnn.training.generation.beam import trained_beam
from hgcal_gnn.training.generation.load import load_generator
from hgcal_gnn.training.generation.run import run_generation

folder = Path(mkdtemp())
given = [Path(name) for name in sys.argv[1:] if Path(name).is_dir()]
n_showers = 1000 if given else 100

# %% [markdown]
# A run, from the command line or small enough for a demonstration.

# %%
SMALL = {
    "data": {
        "detector": "calogan-siw",
        "train": {
            "simulate": {
                "particle": "photon",
                "energy": "1..20",
                "direction": [0.0, 0.0, 1.0],
                "number": 300,
                "seed": 1,
            }
        },
        "empty": "drop",
    },
    "model": {
        "kind": "calogan",
        "latent": 32,
        "channels": [4, 4, 2],
        "critic_channels": [4, 4, 4, 4],
        "generator_optimiser": {"learning_rate": 2e-3, "betas": [0.5, 0.999]},
        "critic_optimiser": {"learning_rate": 1e-3, "betas": [0.5, 0.999]},
    },
    "train": {"iterations": 20, "batch_size": 32, "check_every": 10, "pictures": 0, "device": "cpu"},
}
run = given[0] if given else run_generation(GenerationConfig.model_validate(SMALL), folder / "run").path
generator = load_generator(run)
low, high = generator.trained_on.energy
print(f"{run}: trained on {low:.1f} to {high:.1f} GeV in {generator.detector}")

# %% [markdown]
# Simulated and generated showers of the same particles: a quarter of the highest energy, and half as much again as the
# highest. `check_energies` warns of the second; `extrapolate` (`--extrapolate` of `hgcal-gnn generate`) lifts the limit
# of twice the highest energy.

# %%
cells = make_detector(generator.detector)
samples = {}
for energy in (round(0.25 * high), round(1.5 * high)):
    beam = replace(trained_beam(generator.trained_on), spectrum=Spectrum("list", (float(energy),)))
    simulated = simulate(cells, beam, n_showers, seed=energy)
    particles = Particles.of(simulated)
    check_energies(generator.trained_on, particles.incident_energy, extrapolate=True)
    samples[energy] = {"simulation": simulated, "CaloGAN": generator.sample(particles, seed=1)}

# %% [markdown]
# The visible energy, and its shares in the layers.

# %%
n_layers = int(cells.layer.max())
fig = blank_figure(3.2 * (n_layers + 1), 5.6)
axes = fig.subplots(len(samples), n_layers + 1, squeeze=False)
for row, (energy, both) in zip(axes, samples.items(), strict=True):
    sums = {name: layer_sums(showers, cells.layer) for name, showers in both.items()}
    columns = {"visible energy [GeV]": {name: values.sum(axis=1) for name, values in sums.items()}}
    for layer in range(n_layers):
        columns[f"share of layer {layer}"] = {
            name: values[:, layer] / np.maximum(values.sum(axis=1), 1e-9) for name, values in sums.items()
        }
    for ax, (label, found) in zip(row, columns.items(), strict=True):
        reference, generated = found["simulation"], found["CaloGAN"]
        print(
            f"{energy:4d} GeV, {label:21}: mean {generated.mean():.3g} (simulation {reference.mean():.3g}), "
            f"width {generated.std():.2g} ({reference.std():.2g})"
        )
        edges = np.linspace(*np.quantile(np.concatenate([reference, generated]), [0.005, 0.995]), 41)
        for colour, (name, values) in zip((INK, LINES[1]), found.items(), strict=True):
            ax.hist(values, bins=edges, histtype="step", color=colour, density=True, label=name)
        tidy(ax, label, "", f"{energy} GeV")
axes[0, 0].legend(frameon=False, fontsize=9)
save_figure(fig, folder / "energies.png")
print(folder / "energies.png")
