"""Message passing between the hits, which learns how much each hit counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.message_passing import MessagePassing
from hgcal_gnn.nn.pooling import pool_mean, pool_sum
from hgcal_gnn.nn.standardise import Standardise
from hgcal_gnn.regression.inputs import SMALLEST
from hgcal_gnn.regression.models.base import GraphNetworkConfig, Network, Sizes, hits_of

if TYPE_CHECKING:
    from hgcal_gnn.regression.batch import HitBatch, ShowerBatch

FEATURES = (
    "log_mips", "log_energy", "share", "across_1", "across_2", "distance", "depth", "from_mean", "silicon", "mip",
)  # fmt: skip
WEIGHT_LIMIT = 3.0  # |w_i| stays below: a hit counts between 1/20 and 20 times its energy
TYPICAL = 50.0  # GeV; logarithms of energies are taken from here, so that they are of order 1


class MessagePassingConfig(GraphNetworkConfig):
    """Settings of `MessagePassingNetwork`."""

    kind: Literal["message_passing"] = "message_passing"
    output: Literal["ratio"] = Field("ratio", description="always ln(energy / reconstructed): it weighs the hits")
    features: tuple[str, ...] = Field(FEATURES, min_length=1, description="hit features, see batching.hit_features")
    hidden: PositiveInt = Field(64, description="numbers per hit")
    n_layers: PositiveInt = Field(3, description="rounds of messages")
    reduce: Literal["sum", "mean"] = Field("sum", description="how the messages of the neighbours are joined")


class MessagePassingNetwork(Network):
    """Every hit's energy gets a weight, known from its neighbourhood; a correction knows the whole shower.

    The energy is sum_i e_i exp(w_i) exp(c): w_i is linear in the state of hit i after the messages and bounded, c comes
    from the pooled states and the high-level variables. Both are 0 before the training, so that it starts from the
    plain sum of the calibrated energies.
    """

    config_class = MessagePassingConfig

    def __init__(self, config: MessagePassingConfig, sizes: Sizes) -> None:
        super().__init__()
        width = config.hidden
        self.enter = dense(sizes.n_features, width, width)
        self.layers = nn.ModuleList([MessagePassing(width, reduce=config.reduce) for _ in range(config.n_layers)])
        self.weight = nn.Linear(width, 1)
        nn.init.zeros_(self.weight.weight)
        nn.init.zeros_(self.weight.bias)
        self.standardise = Standardise(sizes.n_variables)
        n_known = 2 * width + 2 + sizes.n_variables
        self.leave = dense(n_known, width, width, config.n_outputs, starts_at_zero=True)

    def forward(self, batch: ShowerBatch) -> Tensor:
        """Return [n_showers, n_outputs], see `Network`."""
        hits = hits_of(batch)
        x = self.enter(hits.x)
        for layer in self.layers:
            x = layer(x, hits.position, hits.adjacency)
        return self._of_showers(x, hits, batch)

    def _of_showers(self, x: Tensor, hits: HitBatch, batch: ShowerBatch) -> Tensor:
        x = x.to(hits.energy.dtype)  # sums over many hits need more digits than half precision has
        energy = hits.energy[:, None]
        weight = WEIGHT_LIMIT * torch.tanh(self.weight(x).to(energy.dtype) / WEIGHT_LIMIT)
        total = pool_sum(energy, hits.ptr).clamp(min=SMALLEST)
        pooled = pool_sum(torch.cat([energy * weight.exp(), energy * x], dim=1), hits.ptr)
        reference = batch.reference[:, :1]
        weighted = (pooled[:, :1].clamp(min=SMALLEST) / reference).log()
        known = [pool_mean(x, hits.ptr), pooled[:, 1:] / total, (reference / TYPICAL).log(), weighted]
        found = self.leave(torch.cat([*known, self.standardise(batch.variables)], dim=1))
        return torch.cat([found[:, :1] + weighted, found[:, 1:]], dim=1)
