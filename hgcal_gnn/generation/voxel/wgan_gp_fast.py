"""The generator of the WGAN-GP for inference on CPUs: the same images, up to rounding, in about half the time.

The stems and the first transposed convolution are linear and become one matrix; voxels lie with the channels side by
side; layer norm and ReLU are one step in place; the last convolution is a product and a sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.nn.voxel_norm import convolve_to_one, voxel_norm_relu_

if TYPE_CHECKING:
    from hgcal_gnn.generation.voxel.wgan_gp_networks import Branch, Generator

AT_ONCE = 8  # showers whose feature maps, 4 MB each at the published size, stay in the caches


class FastGenerator(nn.Module):
    """Stands in for `Generator`; cannot be trained."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.branches = nn.ModuleList(FastBranch(branch) for branch in generator.branches)  # type: ignore[arg-type]
        self.register_buffer("unit", generator.unit)

    def forward(self, z: Tensor, energy: Tensor) -> list[Tensor]:
        """Return images [n, *shape], at least 0, of noise [n, latent] and scaled energy [n, 1]."""
        return [branch(z, energy).relu_() for branch in self.branches]


class FastBranch(nn.Module):
    """Stands in for `Branch`.

    Attributes
    ----------
    matrix : float32 [1 + latent, n_voxels x n_channels]
        Energy and noise to what the first transposed convolution gives, channels last.
    """

    matrix: Tensor

    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.cut, self.shape = branch.cut, branch.shape
        convolutions = [layer for layer in branch.doublings if isinstance(layer, nn.ConvTranspose3d)]
        self.norms = [layer for layer in branch.doublings if isinstance(layer, nn.LayerNorm)]
        with torch.no_grad():
            units = torch.eye(1 + branch.noise_stem.in_channels)
            first = channels_last(convolutions[0](branch.stems(units[:, 1:], units[:, :1])))
            self.lengths = first.shape[1:]
            self.register_buffer("matrix", first.reshape(len(units), -1))
            self.weights = [
                layer.weight.detach().contiguous(memory_format=torch.channels_last_3d) for layer in convolutions[1:]
            ]
            self.last = branch.last.weight.detach()
            self.lines = [(norm.weight.detach().reshape(-1), norm.bias.detach().reshape(-1)) for norm in self.norms]

    def forward(self, z: Tensor, energy: Tensor) -> Tensor:
        """Return images [n, *shape] before the last ReLU."""
        told = torch.cat([energy, z], dim=1)
        return torch.cat([self._some(rows) for rows in torch.split(told, AT_ONCE)])

    def _some(self, told: Tensor) -> Tensor:
        x = torch.matmul(told, self.matrix).reshape(-1, *self.lengths)
        for number, (norm, (weight, bias)) in enumerate(zip(self.norms, self.lines, strict=True)):
            if number:
                x = channels_last(
                    functional.conv_transpose3d(x.movedim(-1, 1), self.weights[number - 1], stride=2, padding=1)
                )
            voxel_norm_relu_(x.flatten(1, 3), weight, bias, norm.eps)
        return convolve_to_one(x, self.last, self.cut, self.shape)


def channels_last(x: Tensor) -> Tensor:
    """Return [n, depth, height, width, n_channels], contiguous, of [n, n_channels, depth, height, width]."""
    return x.movedim(1, -1).contiguous()
