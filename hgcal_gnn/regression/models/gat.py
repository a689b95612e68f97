"""Attention between neighbouring hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from hgcal_gnn.nn.attention import GraphAttention
from hgcal_gnn.regression.models.on_hits import HitNetwork, HitNetworkConfig

if TYPE_CHECKING:
    from hgcal_gnn.regression.batch import HitBatch
    from hgcal_gnn.regression.models.base import Sizes


class GatConfig(HitNetworkConfig):
    """Settings of `Gat`."""

    kind: Literal["gat"] = "gat"
    heads: PositiveInt = Field(4, description="attention heads; must divide hidden")

    @model_validator(mode="after")
    def _heads_share_evenly(self) -> Self:
        if self.hidden % self.heads:
            msg = f"heads must divide hidden, got {self.heads} and {self.hidden}"
            raise ValueError(msg)
        return self


class Gat(HitNetwork):
    """Each hit adds an average of its neighbours to its state, weighted by how much each matters to it."""

    config_class = GatConfig

    def __init__(self, config: GatConfig, sizes: Sizes) -> None:
        super().__init__(config, sizes)
        width = config.hidden
        self.layers = nn.ModuleList(
            [GraphAttention(width, width, n_heads=config.heads) for _ in range(config.n_layers)]
        )  # fmt: skip
        self.mix = nn.ModuleList([nn.Linear(width, width) for _ in range(config.n_layers)])

    def _through(self, x: Tensor, hits: HitBatch) -> Tensor:
        for layer, mix in zip(self.layers, self.mix, strict=True):
            x = x + mix(torch.relu(layer(x, hits.position, hits.adjacency, hits.ptr)))
        return x
