"""Fifty Geant4 showers of photons and neutral pions: a smoke test on data nobody here made, and nothing more."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector, voxel_map
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.regression.inputs import RegressionInputs
from hgcal_gnn.regression.models.base import Sizes
from hgcal_gnn.regression.models.message_passing import MessagePassingConfig, MessagePassingNetwork
from hgcal_gnn.showers.hdf5 import read_hdf5
from hgcal_gnn.showers.showers import Showers

N_SEEN = 40
STEPS = 80
CONFIG = MessagePassingConfig(hidden=16, n_layers=1, message=16)


@pytest.fixture(autouse=True)
def _one_thread():
    """Threads wait for each other longer than these few hits take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def batch(shared_data):
    graph, _ = build_graph(make_detector("lcd"))
    path = shared_data / "lcd_photon_pi0_50_showers.h5"
    showers = Showers.concatenate(list(read_hdf5(path, voxel_map("lcd").rows)))
    return RegressionInputs(graph, load_material("lcd"), CONFIG.needs())(showers)


def test_the_sum_of_real_showers_follows_their_energy(batch):
    """Correlation of the calibrated sum with the true energy; the raw sum of the cells has 0.986 and more."""
    assert np.corrcoef(batch.reference[:, 0], batch.target[:, 0])[0, 1] > 0.986


def test_the_network_can_learn_real_showers_by_heart(batch):
    """If thousands of weights cannot describe 40 showers to 2 %, something between features and output is broken."""
    torch.manual_seed(0)
    network = MessagePassingNetwork(CONFIG, Sizes(n_features=batch.hits.x.shape[1]))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    wanted = (batch.target / batch.reference)[:, 0].log()
    before = (network(batch)[:, 0] - wanted)[:N_SEEN].abs().mean().item()
    for _ in range(STEPS):
        loss = (network(batch)[:, 0] - wanted)[:N_SEEN].abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    ratio = (network(batch)[:, 0] - wanted)[:N_SEEN].detach().exp()
    assert (ratio - 1).abs().mean() < 0.02
    assert (ratio - 1).abs().mean() < 0.5 * before
