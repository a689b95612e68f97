"""Networks that tell generated showers from those of the reference: on features, on cells, on hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.message_passing import MessagePassing
from hgcal_gnn.nn.pooling import pool_mean, pool_sum
from hgcal_gnn.nn.standardise import Standardise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.nn.adjacency import Adjacency


@dataclass(frozen=True, eq=False)
class Cells:
    """Showers in all cells of a regular detector.

    Attributes
    ----------
    share : float32 [n_showers, n_cells]
        Square roots of the shares of the showers' energy.
    variables : float32 [n_showers, n_variables]
        What is known of the whole shower; NaN where it is not.
    """

    share: Tensor
    variables: Tensor

    def to(self, device: str) -> Cells:
        """Return a copy on another device."""
        return Cells(self.share.to(device), self.variables.to(device))


@dataclass(frozen=True, eq=False)
class Hits:
    """Graphs of the hits of showers, one after the other.

    Attributes
    ----------
    x : float32 [n_hits, n_features]
        Features, standardised by the network.
    energy : float32 [n_hits]
        Calibrated [GeV].
    position : float32 [n_hits, 3]
        Of order 1.
    adjacency : Adjacency
    ptr : int64 [n_showers + 1]
        First hit of each shower.
    variables : float32 [n_showers, n_variables]
        What is known of the whole shower; NaN where it is not.
    """

    x: Tensor
    energy: Tensor
    position: Tensor
    adjacency: Adjacency
    ptr: Tensor
    variables: Tensor

    def to(self, device: str) -> Hits:
        """Return a copy on another device."""
        x, energy, position = (part.to(device) for part in (self.x, self.energy, self.position))
        return Hits(x, energy, position, self.adjacency.to(device), self.ptr.to(device), self.variables.to(device))


class FeatureClassifier(nn.Module):
    """Dense layers on standardised features."""

    def __init__(self, n_features: int, hidden: Sequence[int], *, dropout: float = 0.0) -> None:
        super().__init__()
        self.standardise = Standardise(n_features)
        self.layers = dense(n_features, *hidden, 1, dropout=dropout)

    def fit(self, batch: Tensor) -> None:
        """Take the scale of the features from showers of the training sample."""
        self.standardise.fit(batch)

    def forward(self, batch: Tensor) -> Tensor:
        """Return scores [n_showers] of features [n_showers, n_features]; high means generated."""
        scores: Tensor = self.layers(self.standardise(batch))
        return scores[:, 0]


class CellClassifier(nn.Module):
    """Dense layers on all cells side by side, and on what is known of the shower."""

    scale: Tensor

    def __init__(self, n_cells: int, n_variables: int, hidden: Sequence[int], *, dropout: float = 0.0) -> None:
        super().__init__()
        self.standardise = Standardise(n_variables)
        self.register_buffer("scale", torch.ones(()))
        self.layers = dense(n_cells + n_variables, *hidden, 1, dropout=dropout)

    @torch.no_grad()
    def fit(self, batch: Cells) -> None:
        """Take scales from showers of the training sample: one for all cells, since most are rarely hit."""
        self.standardise.fit(batch.variables)
        hit = batch.share[batch.share > 0]
        if len(hit):
            self.scale.copy_(1 / hit.square().mean().sqrt())

    def forward(self, batch: Cells) -> Tensor:
        """Return scores [n_showers]; high means generated."""
        seen = torch.cat([batch.share * self.scale, self.standardise(batch.variables)], dim=1)
        scores: Tensor = self.layers(seen)
        return scores[:, 0]


class HitClassifier(nn.Module):
    """Rounds of messages between neighbouring hits, then dense layers on what all hits say together."""

    def __init__(self, n_features: int, n_variables: int, width: int, n_layers: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.standardise_hits = Standardise(n_features)
        self.standardise = Standardise(n_variables)
        self.enter = dense(n_features, width, width)
        self.messages = nn.ModuleList(MessagePassing(width, width, reduce="mean") for _ in range(n_layers))
        self.read = dense(2 * width + n_variables, 2 * width, width, 1, dropout=dropout)

    def fit(self, batch: Hits) -> None:
        """Take scales from showers of the training sample."""
        self.standardise_hits.fit(batch.x)
        self.standardise.fit(batch.variables)

    def forward(self, batch: Hits) -> Tensor:
        """Return scores [n_showers]; high means generated."""
        x = self.enter(self.standardise_hits(batch.x))
        for layer in self.messages:
            x = layer(x, batch.position, batch.adjacency)
        energy = batch.energy[:, None]
        weighted = pool_sum(energy * x, batch.ptr) / pool_sum(energy, batch.ptr).clamp(min=1e-6)
        known = [pool_mean(x, batch.ptr), weighted, self.standardise(batch.variables)]
        scores: Tensor = self.read(torch.cat(known, dim=1))
        return scores[:, 0]
