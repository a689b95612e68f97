"""A three-dimensional network of inception blocks, after GoogLeNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, PositiveInt, field_validator
from torch import Tensor, nn

from hgcal_gnn.nn.convolution3d import Inception, conv_block
from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.standardise import Standardise
from hgcal_gnn.regression.models.base import Network, Sizes
from hgcal_gnn.regression.models.on_voxels import VoxelNetworkConfig, known_besides, shares_of

if TYPE_CHECKING:
    from hgcal_gnn.regression.batch import ShowerBatch


class GoogLeNet3dConfig(VoxelNetworkConfig):
    """Settings of `GoogLeNet3d`.

    Published, for a GPU (arXiv:1912.06794): a stem of 192 filters, nine blocks of 256 to 1,024 channels, a dense layer
    of 1,024, learning rate 1e-4, dropout 0.01. The defaults are smaller, to train on two cores.
    """

    kind: Literal["googlenet3d"] = "googlenet3d"
    stem: PositiveInt = Field(16, description="filters before the first block; published: 192")
    blocks: tuple[tuple[PositiveInt, ...], ...] = Field(
        ((32,), (48, 48)),
        description="channels of the inception blocks, each a multiple of 8; lengths are halved before every group",
    )
    hidden: PositiveInt = Field(128, description="width of the dense layer; published: 1,024")
    dropout: float = Field(0.01, ge=0, lt=1, description="share of the hidden numbers left out in each step")

    @field_validator("blocks")
    @classmethod
    def _branches_share_evenly(cls, blocks: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        odd = [channels for group in blocks for channels in group if channels % 8]
        if odd:
            msg = f"channels must be multiples of 8, got {', '.join(map(str, odd))}"
            raise ValueError(msg)
        return blocks


class GoogLeNet3d(Network):
    """Inception blocks on the largest window; the other windows count by their sums, as published."""

    config_class = GoogLeNet3dConfig

    def __init__(self, config: GoogLeNet3dConfig, sizes: Sizes) -> None:
        super().__init__()
        shapes = sizes.voxels or {}
        self.window = max(shapes, key=lambda name: _size(shapes[name]))
        layers: list[nn.Module] = [conv_block(1, config.stem, 3, stride=2)]
        n_in = config.stem
        for group in config.blocks:
            layers.append(nn.MaxPool3d(3, stride=2, padding=1))
            for n_out in group:
                layers.append(Inception(n_in, n_out))
                n_in = n_out
        self.blocks = nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten())
        self.standardise = Standardise(sizes.n_variables)
        n_known = len(shapes) + 2 + sizes.n_variables
        self.layers = dense(
            n_in + n_known, config.hidden, config.n_outputs, starts_at_zero=True, dropout=config.dropout
        )  # fmt: skip

    def forward(self, batch: ShowerBatch) -> Tensor:
        """Return [n_showers, n_outputs], see `Network`."""
        shares = shares_of(batch)
        seen = self.blocks(shares[self.window].clamp(min=0).sqrt()[:, None])
        out: Tensor = self.layers(torch.cat([seen, known_besides(batch, shares, self.standardise)], dim=1))
        return out


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
