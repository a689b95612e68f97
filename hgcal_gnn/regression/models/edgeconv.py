"""Edge convolutions on the hits, on a graph that stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field
from torch import Tensor, nn

from hgcal_gnn.nn.edge_conv import EdgeConv
from hgcal_gnn.regression.models.on_hits import HitNetwork, HitNetworkConfig

if TYPE_CHECKING:
    from hgcal_gnn.regression.batch import HitBatch
    from hgcal_gnn.regression.models.base import Sizes


class EdgeConvConfig(HitNetworkConfig):
    """Settings of `EdgeConvNetwork`."""

    kind: Literal["edgeconv"] = "edgeconv"
    deep: bool = Field(default=False, description="two linear layers per message instead of one")


class EdgeConvNetwork(HitNetwork):
    """Each hit adds the largest message of its neighbours, column by column, to its state."""

    config_class = EdgeConvConfig

    def __init__(self, config: EdgeConvConfig, sizes: Sizes) -> None:
        super().__init__(config, sizes)
        width = config.hidden
        self.layers = nn.ModuleList([EdgeConv(width, width, deep=config.deep) for _ in range(config.n_layers)])
        self.mix = nn.ModuleList([nn.Linear(width, width) for _ in range(config.n_layers)])

    def _through(self, x: Tensor, hits: HitBatch) -> Tensor:
        for layer, mix in zip(self.layers, self.mix, strict=True):
            x = x + mix(layer(x, hits.position, hits.adjacency))
        return x
