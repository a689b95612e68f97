# %% [markdown]
# # One network, two sections
#
# A charged pion that begins its shower in the ECAL leaves much energy there and little in the HCAL behind; one that
# begins late crosses the ECAL as a minimum ionising particle. At one energy the two sections are anti-correlated, and a
# network that generates them together has to know. Mean energies in both and their correlation, beside simulated
# showers; of a finished run:
#
#     hgcal-gnn train configs/generation/wgan_lcd_pion_ecal_hcal_small.yaml -o runs/sections
#     python examples/check_ecal_hcal.py runs/sections
#
# Without one, a network far too small is trained for seconds first: its showers are poor, the steps are the same.

# %%
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.plotting.style import INK, LINES, blank_figure, save_figure, tidy
from hgcal_gnn.simulation.beam import Spectrum
from hgcal_gnn.simulation.simulate import simulate
from hgcal_gnn.training.generation.beam import trained_beam
from hgcal_gnn.training.generation.load import load_generator
from hgcal_gnn.training.generation.run import run_generation

folder = Path(mkdtemp())
given = [Path(name) for name in sys.argv[1:] if Path(name).is_dir()]
n_showers = 2000 if given else 100

# %% [markdown]
# A run, from the command line or small enough for a demonstration.

# %%
SMALL = {
    "data": {
        "detector": "lcd25",
        "train": {
            "simulate": {"particle": "pion", "energy": "10..20", "direction": [1.0, 0.0, 0.0], "number": 200, "seed": 1}
        },
        "empty": "drop",
    },
    "model": {
        "kind": "wgan_gp",
        "depth_axis": 2,
        "per_energy": True,
        "channels": 2,
        "critic_channels": 2,
        "constrainer_channels": 2,
        "critic_steps": 1,
        "generator_optimiser": {"learning_rate": 2e-3, "betas": [0.5, 0.9]},
        "critic_optimiser": {"learning_rate": 2e-3, "betas": [0.5, 0.9]},
    },
    "train": {
        "iterations": 10,
        "batch_size": 16,
        "check_every": 5,
        "check_showers": 20,
        "pictures": 0,
        "device": "cpu",
    },
}
run = given[0] if given else run_generation(GenerationConfig.model_validate(SMALL), folder / "run").path
generator = load_generator(run)
low, high = generator.trained_on.energy
grid, threshold = generator.grid, generator.model.config.threshold
print(f"{run}: trained on {low:.1f} to {high:.1f} GeV, {grid.shapes}")

# %% [markdown]
# Simulated and generated showers of the same particles, at three energies within the trained range; voxels below the
# threshold of the run are empty, in both. The energy of a section is the sum of its voxels.

# %%
cells = make_detector(grid.detector)
ends = np.cumsum([np.prod(shape) for shape in grid.shapes.values()])[:-1]
energies = [round(low + share * (high - low)) for share in (0.1, 0.45, 0.8)]
fig = blank_figure(4.0 * len(energies), 4.2)
for energy, ax in zip(energies, fig.subplots(1, len(energies)), strict=True):
    beam = replace(trained_beam(generator.trained_on), spectrum=Spectrum("list", (float(energy),)))
    simulated = simulate(cells, beam, n_showers, seed=energy)
    samples = {
        "simulation": grid.to_images(simulated)[0],
        "generated": generator.make(Particles.of(simulated), seed=1),
    }
    for (name, images), colour in zip(samples.items(), (INK, LINES[1]), strict=True):
        lit = np.where(images > threshold, images, 0)
        ecal, hcal = (1e3 * part.sum(axis=1, dtype=np.float64) for part in np.split(lit, ends, axis=1))
        print(
            f"{energy:4d} GeV, {name:10}: ECAL {ecal.mean():.1f} +- {ecal.std():.1f} MeV, HCAL {hcal.mean():.1f} +- "
            f"{hcal.std():.1f} MeV, correlation {np.corrcoef(ecal, hcal)[0, 1]:.2f}"
        )
        ax.plot(ecal[:1000], hcal[:1000], ".", color=colour, markersize=2.5, label=name)
    tidy(ax, "ECAL [MeV]", "HCAL [MeV]" if energy == energies[0] else "", f"{energy} GeV")
    ax.legend(frameon=False, fontsize=9)
save_figure(fig, folder / "sections.png")
print(folder / "sections.png")
