"""The published graph network: graph convolutions on the hit cells, the mean over the shower, two dense layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt

from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.gcn import NormConvolution, PooledConvolution
from hgcal_gnn.nn.standardise import Standardise
from hgcal_gnn.regression.models.base import GraphNetworkConfig, Network, Sizes, hits_of

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.regression.batch import ShowerBatch

FEATURES = ("log_energy", "x", "y", "z", "share")  # how much, where, and how much of the whole


class GcnSettings(GraphNetworkConfig):
    """Settings of graph convolutional networks."""

    output: Literal["ratio", "absolute"] = Field(
        "absolute", description="the network gives energy / mean energy of the training, or ln(energy / reconstructed)"
    )
    features: tuple[str, ...] = Field(FEATURES, min_length=1, description="hit features, see batching.hit_features")
    hidden: PositiveInt = Field(64, description="columns of convolutions and dense layers")


class GcnConfig(GcnSettings):
    """Settings of `Gcn`."""

    kind: Literal["gcn"] = "gcn"


class Gcn(Network):
    """Three graph convolutions, the first two with batch norm, all with ReLU, mean pooling, two dense layers.

    High-level variables, if there are any, are joined to the pooled hits.
    """

    config_class: ClassVar[type[GcnSettings]] = GcnConfig

    def __init__(self, config: GcnSettings, sizes: Sizes) -> None:
        super().__init__()
        width = config.hidden
        self.first = NormConvolution(sizes.n_features, width)
        self.second = NormConvolution(width, width)
        self.third = PooledConvolution(width, width)
        self.standardise = Standardise(sizes.n_variables)
        self.leave = dense(width + sizes.n_variables, width, config.n_outputs)

    def forward(self, batch: ShowerBatch) -> Tensor:
        """Return [n_showers, n_outputs], see `Network`."""
        hits = hits_of(batch)
        x = self.first(hits.x, hits.adjacency)
        x = self.second(x, hits.adjacency)
        pooled = self.third(x, hits.adjacency, hits.ptr)
        found: Tensor = self.leave(torch.cat([pooled, self.standardise(batch.variables)], dim=1))
        return found
