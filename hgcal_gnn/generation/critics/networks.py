"""The critics: graph convolutions, messages along edges, deep sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hgcal_gnn.generation.critics.config import (
    DeepSetsCriticConfig,
    GcnCriticConfig,
    GraphCriticConfig,
    MessagePassingCriticConfig,
)
from hgcal_gnn.generation.critics.critic import GraphCritic
from hgcal_gnn.nn.gcn import GraphConvolution
from hgcal_gnn.nn.message_passing import MessagePassing
from hgcal_gnn.nn.pooling import pool_sum, spread

if TYPE_CHECKING:
    from hgcal_gnn.generation.critics.hit_sets import HitSets


def make_critic(config: GraphCriticConfig, n_features: int, n_kinds: int = 1) -> GraphCritic:
    """Make the critic of some settings; see `GraphCritic`."""
    match config:
        case GcnCriticConfig():
            return GcnCritic(config, n_features, n_kinds)
        case MessagePassingCriticConfig():
            return MessagePassingCritic(config, n_features, n_kinds)
        case DeepSetsCriticConfig():
            return DeepSetsCritic(config, n_features, n_kinds)


class GcnCritic(GraphCritic):
    """Graph convolutions with ReLU, each added to what there was (`nn.gcn`)."""

    config: GcnCriticConfig

    def make_layers(self) -> None:
        """Make the convolutions."""
        width = self.config.hidden
        self.layers = nn.ModuleList(GraphConvolution(width, width) for _ in range(self.config.n_layers))

    def through(self, x: Tensor, place: Tensor, presence: Tensor, hits: HitSets) -> Tensor:
        """Convolve."""
        del place
        for layer in self.layers:
            x = x + torch.relu(layer(x, hits.adjacency, presence))
        return x


class MessagePassingCritic(GraphCritic):
    """Rounds of messages that see both ends, displacement and type of the edge (`nn.message_passing`)."""

    config: MessagePassingCriticConfig

    def make_layers(self) -> None:
        """Make the rounds."""
        config = self.config
        self.layers = nn.ModuleList(
            MessagePassing(config.hidden, config.message, reduce=config.reduce) for _ in range(config.n_layers)
        )

    def through(self, x: Tensor, place: Tensor, presence: Tensor, hits: HitSets) -> Tensor:
        """Pass messages, each round added to what there was: rounds alone may die at their ReLU."""
        for layer in self.layers:
            x = x + layer(x, place, hits.adjacency, presence)
        return x


class DeepSetsCritic(GraphCritic):
    """Each hit by itself, knowing the mean of all hits of its shower (deep sets, arXiv:1703.06114)."""

    config: DeepSetsCriticConfig

    def make_layers(self) -> None:
        """Make the updates."""
        self.layers = nn.ModuleList(WithMean(self.config.hidden) for _ in range(self.config.n_layers))

    def through(self, x: Tensor, place: Tensor, presence: Tensor, hits: HitSets) -> Tensor:
        """Update."""
        del place
        for layer in self.layers:
            x = layer(x, presence, hits.ptr)
        return x


class WithMean(nn.Module):
    """x_i' = x_i + C relu(A x_i + B mean(x) + a) + c.

    Parameters
    ----------
    width
        Columns.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own = nn.Linear(width, width)
        self.mean = nn.Linear(width, width, bias=False)
        self.change = nn.Linear(width, width)

    def forward(self, x: Tensor, presence: Tensor, ptr: Tensor) -> Tensor:
        """Return [n_hits, width]; hits count in the mean as far as they are there."""
        there = presence[:, None]
        sums = pool_sum(torch.cat([there, there * x], dim=1), ptr)
        mean = sums[:, 1:] / sums[:, :1].clamp(min=1)
        changed: Tensor = x + self.change(torch.relu(self.own(x) + spread(self.mean(mean), ptr)))
        return changed
