# %% [markdown]
# # 3DGAN at single energies
#
# When 3DGAN was published (arXiv:1912.06794), its showers were compared with full simulation at single energies: the
# response at 100, 150 and 300 GeV and the longitudinal and transverse profiles from 100 to 400 GeV, the energies of
# cells, and the energy that the discriminator sees. The same for a run of `configs/generation/gan3d_lcd_electron.yaml`
# (or `..._small.yaml`, a quarter of an hour): give its folder as the argument. Without one, a generator far too small
# and hardly trained is made first, at energies ten times lower, to show the steps in seconds.

# %%
import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.evaluation.beams import check_beams
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.voxel.gan3d import GAN3D
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.plotting.beams import beams_figure, cells_figure
from hgcal_gnn.plotting.style import save_figure
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample
from hgcal_gnn.simulation.simulate import simulate
from hgcal_gnn.training.generation.beam import trained_beam
from hgcal_gnn.training.generation.load import load_generator, load_trained
from hgcal_gnn.training.generation.run import run_generation
from hgcal_gnn.training_log import read_columns

folder = Path(mkdtemp())
run = Path(sys.argv[1]) if sys.argv[1:] and Path(sys.argv[1]).is_dir() else None
BEAMS = (100.0, 150.0, 300.0, 400.0) if run else (10.0, 15.0, 30.0, 40.0)
SHOWERS = 1200 if run else 80

# %%
if run is None:
    along_x = {"direction": [1.0, 0.0, 0.0]}
    config = GenerationConfig.model_validate(
        {
            "data": {
                "detector": "lcd25",
                "window": {"layers": [1, 25]},
                "train": {"simulate": {"particle": "electron", "energy": "5..50", "number": 100, **along_x}},
            },
            "model": {"kind": "gan3d", "latent": 8, "channels": [4, 2, 2], "discriminator": [2, 2, 2, 2]},
            "train": {"iterations": 4, "batch_size": 4, "check_every": 2, "check_showers": 10, "pictures": 0},
        }
    )
    run = run_generation(config, folder / "run").path

generator = load_generator(run)

# %% [markdown]
# The reference: showers of the parametrised simulation at these energies, straight into the middle of the voxels. The
# generator is asked for the same particles. Voxels below the threshold of the run are empty, in both.

# %%
cells = make_detector("lcd25", layers=(1, 25))
beam = Beam("electron", parse_spectrum(",".join(map(str, BEAMS))), direction=(1.0, 0.0, 0.0))
write_sample(cells, beam, SHOWERS, folder / "reference.arrow", seed=7)
reference = open_store(folder / "reference.arrow")[:]
grid = VoxelGrid.of_cells(cells)
(shape,) = grid.shapes.values()
(axes,) = grid.axes.values()
energy = np.asarray(reference.incident_energy)
threshold = generator.model.config.threshold
images, generated = (
    np.where(found > threshold, found, 0).reshape(-1, *shape)
    for found in (grid.to_images(reference)[0], generator.make(Particles.of(reference), seed=1))
)

# %%
checks = check_beams(BEAMS, (energy, images), (energy, generated))
for check in checks:
    print(f"{check.energy:5g} GeV: response {check.response:.3f} +- {check.error:.3f}, width {check.width:.2f}")
    (simulated_mean, simulated_width), (mean, width) = 1e3 * check.cell
    print(
        f"  cells [MeV]: mean {mean:.2f} (simulation {simulated_mean:.2f}), width {width:.2f} ({simulated_width:.2f})"
    )

save_figure(beams_figure(checks, axes), folder / "beams.png")
save_figure(cells_figure(checks, axes, "layer"), folder / "cells.png")
print(f"profiles: {folder / 'beams.png'}, energies of cells: {folder / 'cells.png'}")

# %% [markdown]
# The energy that the discriminator sees in showers was published to be right within 10 %. Here for simulated showers,
# of the energies above and of all energies of the training. Its normalisations use statistics that they gathered from
# simulated and generated showers, or those of the showers at hand, as in the training; no dropout. At the end what the
# log of the training says, with dropout and normalisations of single batches, between two checks each.

# %%
model = load_trained(run)
if not isinstance(model, GAN3D):
    sys.exit(f"{run} is no run of gan3d")
norms = [layer for layer in model.discriminator.modules() if isinstance(layer, torch.nn.BatchNorm3d)]
mixed = simulate(cells, trained_beam(generator.trained_on), len(energy) // 4, seed=8)
seen_by_head = {
    "the energies above": (energy, images),
    "the training's energies": (np.asarray(mixed.incident_energy), grid.to_images(mixed)[0]),
}
for statistics, of_batches in (("gathered", False), ("of 128 showers each", True)):
    for layer in norms:
        layer.train(of_batches)
    for name, (true_energy, found) in seen_by_head.items():
        lit = torch.from_numpy(np.where(found > threshold, found, 0).reshape(len(found), -1))
        with torch.no_grad():
            read = torch.cat([model.head_energy(part) for part in lit.split(128)]).numpy()
        off = 100 * (read / true_energy - 1)
        print(f"energy head, {name}, statistics {statistics}: {np.abs(off).mean():.1f} % off ({np.median(off):+.1f} %)")

log = read_columns(run / "log.csv", "train_auxiliary_real")
for kind in ("real", "fake"):
    first, last = (float(log[f"train_auxiliary_{kind}"][check]) for check in (0, -1))
    print(f"in the training, {kind} showers: {last:.1f} % off (at first {first:.1f} %)")
