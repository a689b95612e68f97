"""A piece of the HGCAL and soft photons in it, for trainings of a second."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from hgcal_gnn.config.read import check_config
from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.graph import CellGraph
from hgcal_gnn.geometry.graph_file import save_graph
from hgcal_gnn.showers.store import ShowerStore, open_store
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample


class Piece(NamedTuple):
    """Graph and store, in memory and as files."""

    graph: CellGraph
    store: ShowerStore
    settings: dict

    def config(self, *, data=None, train=None, **changes) -> RunConfig:
        """Settings of a tiny network on these showers, with changes."""
        content = {
            **self.settings,
            "data": {**self.settings["data"], **(data or {})},
            "train": {**self.settings["train"], **(train or {})},
            **changes,
        }
        return check_config(RunConfig, content, "here")


@pytest.fixture(scope="session")
def piece(tmp_path_factory):
    folder = tmp_path_factory.mktemp("piece")
    cells = make_detector("hgcal", eta=(1.9, 2.1), phi=(1.49, 1.65), layers=(1, 28), side=1)
    graph = build_graph(cells)[0]
    save_graph(graph, folder / "graph.safetensors")
    beam = Beam("photon", parse_spectrum("2..10"), eta=2.0, phi=1.57)
    write_sample(cells, beam, 300, folder / "photons.arrow", seed=1)
    return Piece(
        graph,
        open_store(folder / "photons.arrow"),
        {
            "seed": 1,
            "data": {
                "graph": str(folder / "graph.safetensors"),
                "train": {"showers": str(folder / "photons.arrow")},
                "empty": "drop",
            },
            "model": {"kind": "message_passing", "hidden": 4, "n_layers": 1},
            "train": {"epochs": 2, "batch_size": 32, "device": "cpu", "loss": "log_l1"},
        },
    )


@pytest.fixture(autouse=True)
def _one_thread():
    """Sums of several threads come in another order each time; the machine of the tests is shared, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
