"""A network and what its numbers mean: energies in GeV, angles, uncertainties."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from hgcal_gnn.nn.standardise import Standardise

if TYPE_CHECKING:
    from hgcal_gnn.regression.batch import ShowerBatch
    from hgcal_gnn.regression.models.base import Network, NetworkConfig

ANGLE_UNIT = 0.1  # networks give (angle - reference) in units of this [rad, or pseudorapidity]
LOG_LIMIT = 15.0  # of ln(E / reference), so that one wild number does not become infinite
SIGMA_LIMITS = (-7.0, 3.0)  # of ln(relative uncertainty): from 0.1 % to 20


class Prediction(NamedTuple):
    """What a network says of some showers.

    Attributes
    ----------
    values : [n_showers, n_targets]
        Energy [GeV], then the other targets (eta, phi [rad]).
    log_sigma : [n_showers] or None
        ln of the relative uncertainty of the energy.
    """

    values: Tensor
    log_sigma: Tensor | None


class Regressor(nn.Module):
    """A network whose output is turned into energies.

    Attributes
    ----------
    network
    energy_scale
        What the output 1 means for ``output: absolute`` [GeV]: the mean energy of the training sample.
    """

    energy_scale: Tensor

    def __init__(self, network: Network, config: NetworkConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.register_buffer("energy_scale", torch.ones(()))

    @torch.no_grad()
    def fit_inputs(self, variables: Tensor, energy: Tensor) -> None:
        """Take scales from the training sample.

        Parameters
        ----------
        variables : [n_showers, n_variables]
            High-level variables as the network gets them; every `Standardise` of as many columns is fitted to them.
        energy : [n_showers]
            Truth [GeV].
        """
        self.energy_scale.copy_(energy.double().mean())
        for module in self.modules():
            if isinstance(module, Standardise) and len(module.mean) == variables.shape[1] > 0:
                module.fit(variables)

    def forward(self, batch: ShowerBatch) -> Prediction:
        """Predict the targets of a batch."""
        reference = batch.reference
        found = self.network(batch).to(reference.dtype)
        n_targets = len(self.config.targets)
        if self.config.output == "ratio":
            energy = reference[:, 0] * found[:, 0].clamp(-LOG_LIMIT, LOG_LIMIT).exp()
        else:
            energy = found[:, 0] * self.energy_scale
        angles = reference[:, 1:] + ANGLE_UNIT * found[:, 1:n_targets]
        log_sigma = found[:, -1].clamp(*SIGMA_LIMITS) if self.config.uncertainty else None
        return Prediction(torch.cat([energy[:, None], angles], dim=1), log_sigma)
