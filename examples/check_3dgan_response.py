# %% [markdown]
# # 3DGAN at single energies
#
# When 3DGAN was published (arXiv:1912.06794), its showers were compared with full simulation at single energies: the
# response at 100, 150 and 300 GeV and the longitudinal and transverse profiles from 100 to 400 GeV. The same for a run
# of `configs/generation/gan3d_lcd_electron.yaml` (or `..._small.yaml`, a quarter of an hour): give its folder as the
# argument. Without one, a generator far too small and hardly trained is made first, at energies ten times lower, to
# show the steps in seconds.

# %%
import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.evaluation.beams import check_beams
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.plotting.beams import beams_figure
from hgcal_gnn.plotting.style import save_figure
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample
from hgcal_gnn.training.generation.load import load_generator
from hgcal_gnn.training.generation.run import run_generation
from hgcal_gnn.training_log import read_columns

folder = Path(mkdtemp())
run = Path(sys.argv[1]) if sys.argv[1:] and Path(sys.argv[1]).is_dir() else None
BEAMS = (100.0, 150.0, 300.0, 400.0) if run else (10.0, 15.0, 30.0, 40.0)
SHOWERS = 4000 if run else 80

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
# generator is asked for the same particles.

# %%
cells = make_detector("lcd25", layers=(1, 25))
beam = Beam("electron", parse_spectrum(",".join(map(str, BEAMS))), direction=(1.0, 0.0, 0.0))
write_sample(cells, beam, SHOWERS, folder / "reference.arrow", seed=7)
reference = open_store(folder / "reference.arrow")[:]
grid = VoxelGrid.of_cells(cells)
(shape,) = grid.shapes.values()
(axes,) = grid.axes.values()
energy = np.asarray(reference.incident_energy)
images, _ = grid.to_images(reference)
generated = generator.make(Particles.of(reference), seed=1)

# %%
checks = check_beams(BEAMS, (energy, images.reshape(-1, *shape)), (energy, generated.reshape(-1, *shape)))
for check in checks:
    print(f"{check.energy:5g} GeV: response {check.response:.3f} +- {check.error:.3f}, width {check.width:.2f}")

save_figure(beams_figure(checks, axes), folder / "beams.png")
print(f"profiles: {folder / 'beams.png'}")

# %% [markdown]
# The energy that the discriminator sees in showers was published to be right within 10 %. The log of the training has
# its mean error in percent, between two checks each, on real and on generated showers.

# %%
log = read_columns(run / "log.csv", "train_auxiliary_real")
for kind in ("real", "fake"):
    first, last = (float(log[f"train_auxiliary_{kind}"][check]) for check in (0, -1))
    print(f"energy of {kind} showers, as the discriminator sees it: {last:.1f} % off (at first {first:.1f} %)")
