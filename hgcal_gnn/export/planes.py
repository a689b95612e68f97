"""Convolutions in three dimensions as convolutions of planes, for which onnxruntime has kernels that are twice as fast.

The planes that a filter sees, one behind the other, become channels of one plane: the products and sums are the same.
"""

from __future__ import annotations

import copy
import math
from functools import reduce
from itertools import product
from operator import add
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from hgcal_gnn.generation.voxel.upsampling import UpsampledConvolution

Module = TypeVar("Module", bound=nn.Module)


def in_planes(module: Module) -> Module:
    """Return a copy with its convolutions replaced, where that is possible; for an export only."""
    result = copy.deepcopy(module)
    for part in list(result.modules()):
        for name, layer in part.named_children():
            if isinstance(layer, nn.Conv3d) and _is_plain(layer):
                setattr(part, name, _convolution(layer.weight, layer.bias, layer.padding))  # type: ignore[arg-type]
            elif isinstance(layer, nn.ConvTranspose3d):
                other = _transposed(layer)
                if other is not None:
                    setattr(part, name, other)
            elif isinstance(layer, UpsampledConvolution):
                weight, bias = layer.get_buffer("weight"), getattr(layer, "bias", None)
                layer.convolve = PlaneConvolution(weight, bias, (0, 0, 0))
    return result


class PlaneConvolution(nn.Module):
    """Does what `torch.nn.functional.conv3d` with stride 1 does.

    Parameters
    ----------
    weight : [n_out, n_in, *kernel]
    bias : [n_out] or None
    padding
        Zeros on both sides of each axis.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, padding: tuple[int, int, int]) -> None:
        super().__init__()
        n_out, self.depth, self.padding = weight.shape[0], weight.shape[2], padding
        flat = weight.detach().permute(0, 2, 1, 3, 4).reshape(n_out, -1, *weight.shape[3:])
        self.register_buffer("weight", flat.contiguous())
        self.register_buffer("bias", None if bias is None else bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Return [n, n_out, *shape] of [n, n_in, *shape]."""
        behind, *across = self.padding
        planes = x.transpose(1, 2)
        if behind:
            planes = pad(planes, (0, 0, 0, 0, 0, 0, behind, behind))
        n_planes = planes.shape[1] - self.depth + 1
        if self.depth > 1:
            planes = torch.cat([planes[:, i : i + n_planes] for i in range(self.depth)], dim=2)
        found = conv2d(planes.flatten(0, 1), self.get_buffer("weight"), self.bias, padding=across)
        return found.reshape(-1, n_planes, *found.shape[1:]).transpose(1, 2)


class SingleChannel(nn.Module):
    """A convolution to one channel: all products at once, then the sum over the voxels they come from.

    Parameters
    ----------
    As of `PlaneConvolution`, for one channel.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, padding: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.padding = weight.shape[2:], padding
        self.register_buffer("weight", weight.detach()[0].flatten(1).T.contiguous())  # [products, n_in]
        self.register_buffer("bias", None if bias is None else bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Return [n, 1, *shape] of [n, n_in, *shape]."""
        shape = x.shape[2:]
        products = (self.get_buffer("weight") @ x.flatten(2)).reshape(-1, math.prod(self.kernel), *shape)
        products = pad(products, [side for zeros in reversed(self.padding) for side in (zeros, zeros)])
        lengths = [size + 2 * zeros - width + 1 for size, zeros, width in zip(
            shape, self.padding, self.kernel, strict=True)]  # fmt: skip
        parts = [
            products[:, number, i : i + lengths[0], j : j + lengths[1], k : k + lengths[2]]
            for number, (i, j, k) in enumerate(product(*map(range, self.kernel)))
        ]
        found = reduce(add, parts)
        return found[:, None] if self.bias is None else found[:, None] + self.bias


def _convolution(weight: Tensor, bias: Tensor | None, padding: tuple[int, int, int]) -> nn.Module:
    return (SingleChannel if weight.shape[0] == 1 else PlaneConvolution)(weight, bias, padding)


def _is_plain(layer: nn.Conv3d | nn.ConvTranspose3d) -> bool:
    return (
        set(layer.stride) == {1} == set(layer.dilation) and layer.groups == 1 and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )  # fmt: skip


def _transposed(layer: nn.ConvTranspose3d) -> nn.Module | None:
    """Return what does the same as a transposed convolution, None where there is nothing better."""
    if not isinstance(layer.padding, str) and _is_plain(layer) and set(layer.output_padding) == {0}:
        # a convolution with the filter turned around
        less = [size - 1 - zeros for size, zeros in zip(layer.kernel_size, layer.padding, strict=True)]
        if min(less) >= 0 and max(layer.kernel_size) == 3:
            weight = layer.weight.detach().transpose(0, 1).flip(2, 3, 4)
            return _convolution(weight, layer.bias, (less[0], less[1], less[2]))
    return None
