# %% [markdown]
# # Hits of a WGAN beside those of the simulation
#
# The WGAN for pions of arXiv:2112.09709 makes too many hits, most of all near 50 GeV, while its visible energy is
# right: the surplus are cells of little energy. Here is the same check for any run of the project: number of hits,
# visible energy and cell energies at three energies, generated and simulated.
#
# Give the folder of a run as the argument: of `hgcal-gnn train configs/generation/wgan_ild_ahcal_pion.yaml`, or
# `..._pion_small.yaml`, a quarter of an hour. Without one, a network far too small is trained for seconds first, to
# show how it goes.

# %%
import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.plotting.style import blank_figure, save_figure, tidy
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample
from hgcal_gnn.training.generation.load import load_generator
from hgcal_gnn.training.generation.run import run_generation

given = [Path(name) for name in sys.argv[1:] if Path(name).is_dir()]
trained = given[0] if given else None
layers = (1, 48) if trained else (1, 16)
n_showers = 2000 if trained else 40  # at each energy
energies = (20.0, 50.0, 80.0)
half_mip = 2.5e-4  # GeV, of a tile of 3 mm: cells below it are noise in a real detector
folder = Path(mkdtemp())

# %% [markdown]
# The settings are those of the published network with fewer feature maps, showers and updates.

# %%
if trained is None:
    config = GenerationConfig.model_validate(
        {
            "data": {
                "detector": "ild-ahcal",
                "window": {"layers": layers},
                "train": {
                    "simulate": {"particle": "pion", "energy": "10..100", "direction": [1.0, 0.0, 0.0], "number": 300}
                },
                "empty": "drop",
            },
            "model": {
                "kind": "wgan_gp",
                "channels": 4,
                "critic_channels": 4,
                "constrainer_channels": 4,
                "critic_steps": 2,
                "generator_optimiser": {"learning_rate": 2e-3, "betas": (0.5, 0.9)},
                "critic_optimiser": {"learning_rate": 2e-3, "betas": (0.5, 0.9)},
            },
            "train": {"iterations": 40, "batch_size": 16, "check_every": 20, "check_showers": 20, "device": "cpu"},
        }
    )
    trained = run_generation(config, folder / "run").path
generator = load_generator(trained)
print(trained, generator.grid.shapes)

# %% [markdown]
# Pions of fixed energies, simulated; then generated for the same particles.

# %%
cells = make_detector("ild-ahcal", layers=layers)
beam = Beam("pion", parse_spectrum(",".join(map(str, energies))), direction=(1.0, 0.0, 0.0))
write_sample(cells, beam, n_showers * len(energies), folder / "simulated.arrow", seed=5)
simulated = open_store(folder / "simulated.arrow").read(slice(0, n_showers * len(energies)))
generated = generator.sample(Particles.of(simulated), seed=6)
samples = {"simulated": simulated.above(half_mip), "generated": generated.above(half_mip)}

# %% [markdown]
# Mean numbers, and the three distributions at each energy. Too many hits at the right visible energy show in the last
# column: where the generated cells outnumber the simulated ones.

# %%
fig = blank_figure(11, 9)
for row, energy in zip(fig.subplots(len(energies), 3), energies, strict=True):
    parts = {
        name: showers[np.flatnonzero(np.isclose(showers.incident_energy, energy))] for name, showers in samples.items()
    }
    hits = {name: part.n_hits.mean() for name, part in parts.items()}
    visible = {name: part.visible.mean() for name, part in parts.items()}
    print(
        f"{energy:3.0f} GeV: {hits['simulated']:.1f} hits simulated, {hits['generated']:.1f} generated; visible energy "
        f"{1e3 * visible['simulated']:.1f} MeV and {1e3 * visible['generated']:.1f} MeV"
    )
    for axes, what, values in (
        (row[0], "hits", {name: part.n_hits for name, part in parts.items()}),
        (row[1], "visible energy [MeV]", {name: 1e3 * part.visible for name, part in parts.items()}),
        (row[2], "log10(cell energy / MeV)", {name: np.log10(1e3 * part.energy) for name, part in parts.items()}),
    ):
        found = np.concatenate(list(values.values()))
        edges = np.linspace(found.min(), found.max() + 1e-6, 41)
        for name, numbers in values.items():
            axes.stairs(np.histogram(numbers, edges)[0] / n_showers, edges, label=name)
        tidy(axes, what, "per shower", f"{energy:.0f} GeV")
        axes.set_yscale("log" if axes is row[2] else "linear")
    row[0].legend(frameon=False)
save_figure(fig, folder / "hits.png")
print(folder / "hits.png")
