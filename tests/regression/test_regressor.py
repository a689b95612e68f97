"""What the numbers of a network mean."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hgcal_gnn.nn.standardise import Standardise
from hgcal_gnn.regression.batch import ShowerBatch
from hgcal_gnn.regression.models.base import NetworkConfig
from hgcal_gnn.regression.regressor import Regressor

REFERENCE = torch.tensor([[10.0, 2.0, 3.1], [40.0, 1.5, -1.0]])


class Says(nn.Module):
    """Gives the same numbers for every batch."""

    def __init__(self, numbers):
        super().__init__()
        self.numbers = torch.tensor(numbers)
        self.standardise = nn.ModuleList([Standardise(2), Standardise(3)])

    def forward(self, _):
        return self.numbers


def predict(config, numbers, scale=1.0):
    regressor = Regressor(Says(numbers), config)
    regressor.energy_scale.fill_(scale)
    plain = REFERENCE[:, : len(config.targets)]
    return regressor(ShowerBatch(target=plain, reference=plain, variables=torch.zeros(2, 0)))


def test_a_ratio_is_the_logarithm_of_energy_over_reference():
    values, log_sigma = predict(NetworkConfig(), [[0.0], [math.log(1.5)]])
    assert values[:, 0].tolist() == pytest.approx([10.0, 60.0])
    assert log_sigma is None


def test_absolute_energies_are_in_units_of_the_mean():
    values, _ = predict(NetworkConfig(output="absolute"), [[1.0], [0.5]], scale=75.0)
    assert values[:, 0].tolist() == pytest.approx([75.0, 37.5])


def test_angles_are_tenths_from_the_reference_and_sigma_is_last():
    config = NetworkConfig(targets=("energy", "eta", "phi"), uncertainty=True)
    values, log_sigma = predict(config, [[0.0, 1.0, -2.0, math.log(0.2)], [0.0, 0.0, 0.5, 99.0]])
    assert values[0].tolist() == pytest.approx([10.0, 2.1, 2.9])
    assert values[1].tolist() == pytest.approx([40.0, 1.5, -0.95])
    assert log_sigma.exp()[0].item() == pytest.approx(0.2)
    assert math.isfinite(log_sigma.exp()[1].item())


def test_wild_outputs_stay_finite():
    values, _ = predict(NetworkConfig(), [[1e4], [-1e4]])
    assert torch.isfinite(values).all()


def test_scales_come_from_the_training_sample():
    network = Says([[0.0]])
    regressor = Regressor(network, NetworkConfig())
    variables = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    regressor.fit_inputs(variables, torch.tensor([50.0, 100.0]))
    two, three = network.standardise
    assert two.mean.tolist() == [2.0, 20.0]
    assert three.mean.tolist() == [0.0, 0.0, 0.0]  # of other columns
    assert regressor.energy_scale == 75
    assert {"energy_scale", "network.standardise.0.mean"} <= regressor.state_dict().keys()
