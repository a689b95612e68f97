# %% [markdown]
# # An energy regressor from Python
#
# A piece of the HGCAL as a cell graph, photons in it, a small graph network trained on them, and its resolution beside
# that of the plain sum of the hits. The numbers of showers and epochs are those of a demonstration of seconds: raise
# them to learn something about the detector.

# %%
from pathlib import Path
from tempfile import mkdtemp

from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.evaluation.observables import shower_variables
from hgcal_gnn.evaluation.resolution import measure_resolution
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.graph_file import save_graph
from hgcal_gnn.plotting.resolution import resolution_figure
from hgcal_gnn.plotting.style import save_figure
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample
from hgcal_gnn.training.load import load_regressor
from hgcal_gnn.training.run import run_training

folder = Path(mkdtemp())

# %% [markdown]
# The graph: 28 layers of the electromagnetic section around pseudorapidity 2. `hgcal-gnn build-graph` does the same for
# the table of any detector.

# %%
cells = make_detector("hgcal", eta=(1.9, 2.1), phi=(1.49, 1.65), layers=(1, 28), side=1)
graph, _ = build_graph(cells)
save_graph(graph, folder / "graph.safetensors")
print(graph)

# %% [markdown]
# Showers: photons with energies flat in the logarithm to learn from, and beams of three energies to be tested on.

# %%
for name, spectrum, number, seed in (("train", "log:5..60", 1000, 1), ("test", "10,20,40", 450, 2)):
    beam = Beam("photon", parse_spectrum(spectrum), eta=2.0, phi=1.57)
    write_sample(cells, beam, number, folder / f"{name}.arrow", seed=seed)

# %% [markdown]
# A run is told everything by its settings, the same as in a YAML file for `hgcal-gnn train`; what is left out has a
# default (`hgcal-gnn schema` lists all). A wrong name or value is refused here, not in the middle of the training.

# %%
config = RunConfig.model_validate(
    {
        "seed": 1,
        "data": {
            "graph": folder / "graph.safetensors",
            "train": {"showers": folder / "train.arrow"},
            "validation_fraction": 0.25,
            "test": {"showers": folder / "test.arrow"},
        },
        "model": {"kind": "message_passing", "hidden": 8, "n_layers": 1, "message": 8},
        "train": {"epochs": 2, "batch_size": 50, "learning_rate": 3e-3, "device": "cpu"},
    }
)
run = run_training(config, folder / "run")
print(sorted(path.name for path in run.path.iterdir()))

# %% [markdown]
# A finished run is a function of showers: any showers in the same cells.

# %%
regressor = load_regressor(run.path)
showers = open_store(folder / "test.arrow").read(slice(0, 450))
estimated = regressor(showers).energy
print(estimated[:5], "GeV, in truth", showers.incident_energy[:5])

# %% [markdown]
# Bias and resolution with errors, in bins of the true energy, beside those of the sum of the calibrated hits.

# %%
plain = shower_variables(showers, regressor.inputs.numbers, ("energy",))[:, 0]
tables = {
    "message passing": measure_resolution(showers.incident_energy, estimated),
    "plain sum": measure_resolution(showers.incident_energy, plain),
}
for name, table in tables.items():
    for label, bias, width in zip(table.bins.labels(), table.bias.value, table.resolution.value, strict=True):
        print(f"{name:>16} {label:>7}: bias {bias:+.3f}, resolution {width:.3f}")
save_figure(resolution_figure(tables), folder / "resolution.png")
print(folder / "resolution.png")
