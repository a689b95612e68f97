"""A fully connected network on high-level variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.standardise import Standardise
from hgcal_gnn.regression.models.base import Network, NetworkConfig, Sizes

if TYPE_CHECKING:
    from hgcal_gnn.regression.batch import ShowerBatch

TYPICAL = 50.0  # GeV; energies are measured in it, so that they and their logarithms are of order 1


class DnnConfig(NetworkConfig):
    """Settings of `Dnn`; published: 4 x 512, dropout 0.04, learning rate 2e-4 (arXiv:1912.06794)."""

    kind: Literal["dnn"] = "dnn"
    variables: tuple[str, ...] = Field(("all",), description="high-level variables the network sees")
    hidden: PositiveInt = Field(512, description="width of the hidden layers")
    n_layers: PositiveInt = Field(4, description="hidden layers")
    dropout: float = Field(0.04, ge=0, lt=1, description="share of the hidden numbers left out in each step")


class Dnn(Network):
    """Dense layers on the standardised variables and the reconstructed energy."""

    config_class = DnnConfig

    def __init__(self, config: DnnConfig, sizes: Sizes) -> None:
        super().__init__()
        self.standardise = Standardise(sizes.n_variables)
        hidden = [config.hidden] * config.n_layers
        n_in = sizes.n_variables + 2
        self.layers = dense(n_in, *hidden, config.n_outputs, starts_at_zero=True, dropout=config.dropout)

    def forward(self, batch: ShowerBatch) -> Tensor:
        """Return [n_showers, n_outputs], see `Network`."""
        out: Tensor = self.layers(torch.cat([self.standardise(batch.variables), of_energy(batch)], dim=1))
        return out


def of_energy(batch: ShowerBatch) -> Tensor:
    """Return the reconstructed energy and its logarithm, of order 1: float [n_showers, 2]."""
    energy = batch.reference[:, :1] / TYPICAL
    return torch.cat([energy, energy.log()], dim=1)
