"""A run folder with a regressor that was never trained, its graph and some showers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hgcal_gnn.config.any_run import check_run
from hgcal_gnn.config.read import write_config
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.graph_file import save_graph
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.regression.inputs import RegressionInputs
from hgcal_gnn.regression.models import MODELS
from hgcal_gnn.regression.models.base import Sizes
from hgcal_gnn.regression.predictor import Weights
from hgcal_gnn.regression.regressor import Regressor
from hgcal_gnn.showers.store import write_showers
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path


def make_regressor(folder: Path) -> Path:
    """Write ``run/`` with its weights, graph.safetensors and showers.arrow; return the path of the weights."""
    cells = make_detector("hgcal", eta=(1.9, 2.1), phi=(1.49, 1.65), layers=(1, 28), side=1)
    graph = build_graph(cells)[0]
    save_graph(graph, folder / "graph.safetensors")
    showers = simulate(cells, Beam("photon", parse_spectrum("5"), eta=2.0, phi=1.57), 5)
    write_showers(showers, folder / "showers.arrow")
    data = {"graph": str(folder / "graph.safetensors"), "train": {"showers": str(folder / "showers.arrow")}}
    config = check_run({"data": data, "model": {"kind": "message_passing", "hidden": 4, "n_layers": 1}}, "here")
    inputs = RegressionInputs(graph, load_material("hgcal"), config.model.needs())
    batch = inputs(showers)
    sizes = Sizes(n_features=batch.hits.x.shape[1], n_variables=batch.variables.shape[1], voxels=None)
    regressor = Regressor(MODELS["message_passing"](config.model, sizes), config.model)
    arrays = {name: values.numpy() for name, values in regressor.state_dict().items()}
    (folder / "run").mkdir()
    write_config(config, folder / "run" / "config.yaml")
    Weights(arrays, graph.cells_sha256, sizes).save(folder / "run" / "model.safetensors")
    return folder / "run" / "model.safetensors"
