# %% [markdown]
# # Showers from an exported generator
#
# What `hgcal-gnn export` writes needs NumPy and onnxruntime, and nothing else: neither this package nor PyTorch. The
# same few calls exist for C++, C#, Java and Rust. Of a voxel model that was trained:
#
#     hgcal-gnn export runs/calo_shower_gan_tiny-0 -o model.onnx
#     python examples/run_exported_generator.py model.onnx
#
# The file says itself what it wants, in one metadata key.

# %%
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

if Path(sys.argv[-1]).suffix != ".onnx":
    print("give an exported voxel model: python run_exported_generator.py model.onnx")
    raise SystemExit
session = onnxruntime.InferenceSession(sys.argv[-1], providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["hgcal_gnn"])
print(f"{about['kind']} in {about['detector']}, inputs {', '.join(about['inputs'])}")

# %% [markdown]
# Particles of the energies that the generator was trained on [GeV], along the z axis.

# %%
n, random = 100, np.random.default_rng(1)
energy = random.uniform(*about["inputs"]["energy"]["trained_on"], n).astype(np.float32)
given = {
    "energy": energy,
    "direction": np.tile(np.float32([0, 0, 1]), (n, 1)),
    "vertex": np.zeros((n, 3), np.float32),  # cm
    "kind": np.zeros(n, np.int64),  # place in about["pdg_ids"]
}

# %% [markdown]
# Noise of the law and size that the network expects. Where it has parts for ranges of energy, each part wants rows for
# its own particles.

# %%
LAWS = {"normal": random.standard_normal, "even": random.random, "uniform": lambda size: random.uniform(-1, 1, size)}
for name, told in about["inputs"].items():
    if "law" in told:
        low, high = told.get("energy", (0, None))
        rows = np.count_nonzero((energy > low) & (energy <= (high or np.inf)))
        given[name] = LAWS[told["law"]]((rows, *told["size"])).astype(np.float32)
(image,) = session.run(None, {one.name: given[one.name] for one in session.get_inputs()})
image = np.where(image > about["threshold"], image, 0)  # deposits [GeV], one row per shower

# %% [markdown]
# A voxel is a cell: `cells` has its row in the geometry table, which is sorted by side, layer, subdetector and id.

# %%
cells = about["cells"]
row = np.asarray(cells["rows"]) if "rows" in cells else cells["first"] + np.arange(image.shape[1])
shower, voxel = np.nonzero(image)
print(f"{n} showers of {energy.min():.3g} to {energy.max():.3g} GeV, {len(shower) / n:.1f} hits each")
print(f"visible energy over incident energy: {(image.sum(axis=1) / energy).mean():.4f}")
for number in np.flatnonzero(shower == 0)[:5]:
    print(f"shower 0, cell {row[voxel[number]]}: {1e3 * image[0, voxel[number]]:.3f} MeV")
