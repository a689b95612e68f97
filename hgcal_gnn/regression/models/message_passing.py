"""Messages between neighbouring hits, which tell how much each hit counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt
from torch import nn

from hgcal_gnn.nn.message_passing import MessagePassing
from hgcal_gnn.regression.models.on_hits import HitNetwork, HitNetworkConfig

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.regression.batch import HitBatch
    from hgcal_gnn.regression.models.base import Sizes


class MessagePassingConfig(HitNetworkConfig):
    """Settings of `MessagePassingNetwork`."""

    kind: Literal["message_passing"] = "message_passing"
    message: PositiveInt = Field(32, description="numbers per message")
    reduce: Literal["sum", "mean"] = Field("sum", description="how the messages of the neighbours are joined")


class MessagePassingNetwork(HitNetwork):
    """Rounds of messages along the edges, which see both ends, displacement and type (`nn.message_passing`)."""

    config_class = MessagePassingConfig

    def __init__(self, config: MessagePassingConfig, sizes: Sizes) -> None:
        super().__init__(config, sizes)
        self.layers = nn.ModuleList(
            MessagePassing(config.hidden, config.message, reduce=config.reduce) for _ in range(config.n_layers)
        )

    def _through(self, x: Tensor, hits: HitBatch) -> Tensor:
        for layer in self.layers:
            x = layer(x, hits.position, hits.adjacency)
        return x
