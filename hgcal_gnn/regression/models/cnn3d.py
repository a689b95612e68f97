"""The published three-dimensional convolutional network: few filters, then dense layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from hgcal_gnn.nn.convolution3d import ConvPool
from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.standardise import Standardise
from hgcal_gnn.regression.models.base import Network, Sizes
from hgcal_gnn.regression.models.on_voxels import VoxelNetworkConfig, known_besides, shares_of

if TYPE_CHECKING:
    from hgcal_gnn.regression.batch import ShowerBatch

KERNELS = {"ECAL": (4, 4, 4), "HCAL": (2, 2, 6)}  # published
OTHER_KERNEL = (4, 4, 4)


class Cnn3dConfig(VoxelNetworkConfig):
    """Settings of `Cnn3d`; the defaults are published, with learning rate 4e-4 (arXiv:1912.06794)."""

    kind: Literal["cnn3d"] = "cnn3d"
    filters: PositiveInt = Field(3, description="filters per window")
    kernels: dict[str, tuple[PositiveInt, PositiveInt, PositiveInt]] = Field(
        KERNELS, description="size of the filters of each window; others have 4 x 4 x 4"
    )
    hidden: PositiveInt = Field(512, description="width of the dense layers")
    n_layers: PositiveInt = Field(4, description="dense layers")
    dropout: float = Field(0.12, ge=0, lt=1, description="share of the hidden numbers left out in each step")


class Cnn3d(Network):
    """A convolution and a maximum per window, then dense layers, which know the energy sums too."""

    config_class = Cnn3dConfig

    def __init__(self, config: Cnn3dConfig, sizes: Sizes) -> None:
        super().__init__()
        shapes = sizes.voxels or {}
        windows = {
            name: ConvPool(shape, config.filters, config.kernels.get(name, OTHER_KERNEL))
            for name, shape in shapes.items()
        }
        self.windows = nn.ModuleDict(windows)
        self.standardise = Standardise(sizes.n_variables)
        n_in = sum(window.n_out for window in windows.values()) + len(shapes) + 2 + sizes.n_variables
        hidden = [config.hidden] * config.n_layers
        self.layers = dense(n_in, *hidden, config.n_outputs, starts_at_zero=True, dropout=config.dropout)

    def forward(self, batch: ShowerBatch) -> Tensor:
        """Return [n_showers, n_outputs], see `Network`."""
        shares = shares_of(batch)
        seen = [window(shares[name].clamp(min=0).sqrt()) for name, window in self.windows.items()]
        out: Tensor = self.layers(torch.cat([*seen, known_besides(batch, shares, self.standardise)], dim=1))
        return out
