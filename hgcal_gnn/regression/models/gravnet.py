"""GravNet: hits exchange what they know with those near them in a learned space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from hgcal_gnn.nn.gravnet import GravNet
from hgcal_gnn.nn.pooling import pool_mean, spread
from hgcal_gnn.regression.models.on_hits import HitNetwork, HitNetworkConfig

if TYPE_CHECKING:
    from hgcal_gnn.regression.batch import HitBatch
    from hgcal_gnn.regression.models.base import Sizes


class GravNetConfig(HitNetworkConfig):
    """Settings of `GravNetNetwork`; published: 4 layers, 64 numbers per hit, 40 neighbours (arXiv:1902.07987)."""

    kind: Literal["gravnet"] = "gravnet"
    edges: Literal["none"] = Field("none", description="always none: the network finds its own neighbours")
    hidden: PositiveInt = Field(64, description="numbers per hit before each exchange")
    n_layers: PositiveInt = Field(4, description="layers")
    nearest: PositiveInt = Field(16, description="neighbours in the learned space; published: 40")
    space: PositiveInt = Field(4, description="dimensions of the learned space")
    sent: PositiveInt = Field(18, description="numbers that a hit sends to its neighbours")
    filters: PositiveInt = Field(42, description="numbers per hit after each exchange")


class GravNetNetwork(HitNetwork):
    """Blocks of [mean over the shower joined, three dense layers, GravNet]; the outputs of all of them are read out.

    As published, but for the normalisation: hidden layers have tanh, so that none is needed, and showers of a batch
    do not see each other.
    """

    config_class = GravNetConfig

    def __init__(self, config: GravNetConfig, sizes: Sizes) -> None:
        super().__init__(config, sizes, n_read=config.n_layers * config.filters)
        n_in = [config.hidden] + [config.filters] * (config.n_layers - 1)
        self.blocks = nn.ModuleList([GravNetBlock(config, n) for n in n_in])

    def _through(self, x: Tensor, hits: HitBatch) -> Tensor:
        states = []
        for block in self.blocks:
            x = block(x, hits.ptr)
            states.append(x)
        return torch.cat(states, dim=1)


class GravNetBlock(nn.Module):
    """A block of `GravNetNetwork`."""

    def __init__(self, config: GravNetConfig, n_in: int) -> None:
        super().__init__()
        width = config.hidden
        # the first dense layer, of the hits' own states and of the mean: the latter acts once per shower
        self.own, self.mean = nn.Linear(n_in, width), nn.Linear(n_in, width, bias=False)
        self.layers = nn.Sequential(nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.exchange = GravNet(width, config.filters, n_space=config.space, n_sent=config.sent, k=config.nearest)

    def forward(self, x: Tensor, ptr: Tensor) -> Tensor:
        """Return the new states of the hits, float [n_hits, filters]."""
        entered = self.own(x) + spread(self.mean(pool_mean(x, ptr)), ptr, x.shape[0])
        new: Tensor = self.exchange(self.layers(entered), ptr)
        return new
