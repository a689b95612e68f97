"""Blocks of three-dimensional convolutional networks on voxels."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvPool(nn.Module):
    """Convolution, ReLU and maximum over pairs along every axis that has two; all of it as one row per shower.

    Parameters
    ----------
    shape
        Of the voxels.
    n_filters
    kernel
        Size of the filters; cut to the shape.

    Attributes
    ----------
    n_out
        Columns of the result.
    """

    def __init__(self, shape: tuple[int, ...], n_filters: int, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        kernel = (min(kernel[0], shape[0]), min(kernel[1], shape[1]), min(kernel[2], shape[2]))
        convolved = [length - width + 1 for length, width in zip(shape, kernel, strict=True)]
        window = tuple(min(2, length) for length in convolved)
        self.layers = nn.Sequential(nn.Conv3d(1, n_filters, kernel), nn.ReLU(), nn.MaxPool3d(window), nn.Flatten())
        self.n_out = n_filters
        for length, width in zip(convolved, window, strict=True):
            self.n_out *= length // width

    def forward(self, voxels: Tensor) -> Tensor:
        """Return float [n_showers, n_out] of [n_showers, *shape]."""
        out: Tensor = self.layers(voxels[:, None])
        return out


class Inception(nn.Module):
    """Convolutions of several widths side by side, as in GoogLeNet, in three dimensions (arXiv:1409.4842, section 4).

    Branches: 1; 1 then 3; 1 then 3 then 3 (as wide as a filter of 5); maximum of 3 then 1. Each convolution is followed
    by a normalisation within the shower and ReLU.

    Parameters
    ----------
    n_in
        Channels.
    n_out
        Channels of all branches together, divisible by 8: 2, 3, 2 and 1 eighths.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        if n_out % 8:
            msg = f"the channels of an inception block must be divisible by 8, got {n_out}"
            raise ValueError(msg)
        part, narrow = n_out // 8, max(n_out // 8, 4)
        self.branches = nn.ModuleList(
            [
                conv_block(n_in, 2 * part, 1),
                nn.Sequential(conv_block(n_in, 2 * narrow, 1), conv_block(2 * narrow, 3 * part, 3)),
                nn.Sequential(
                    conv_block(n_in, narrow, 1), conv_block(narrow, 2 * narrow, 3), conv_block(2 * narrow, 2 * part, 3)
                ),
                nn.Sequential(nn.MaxPool3d(3, stride=1, padding=1), conv_block(n_in, part, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [n_showers, n_out, ...] of [n_showers, n_in, ...]; the other axes keep their lengths."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def conv_block(n_in: int, n_out: int, width: int, *, stride: int = 1) -> nn.Sequential:
    """Return a convolution that keeps the lengths (divided by `stride`), normalisation within each shower, and ReLU."""
    return nn.Sequential(
        nn.Conv3d(n_in, n_out, width, stride=stride, padding=width // 2, bias=False), _norm(n_out), nn.ReLU()
    )


def _norm(n_channels: int) -> nn.Module:
    """Normalise each channel of each shower; unlike over a batch, showers then do not see each other.

    One group per channel is `InstanceNorm3d`, without its refusal of a single voxel.
    """
    return nn.GroupNorm(n_channels, n_channels)
