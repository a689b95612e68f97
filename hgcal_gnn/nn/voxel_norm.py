"""Layer norm over the voxels of a channel with ReLU, and a last convolution: the parts that voxel models generate with.

For inference on the CPU, on voxels with the channels side by side in memory (channels last), where the convolutions of
oneDNN are fastest and `torch.nn.LayerNorm` would have to reorder everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numba import njit, prange

from hgcal_gnn.nn.threads import array, relu, use_torch_threads

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import Array

BLOCK = 256  # voxels summed by themselves: sums do not depend on the number of threads


def voxel_norm_relu_(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise each channel of each shower over its voxels, and apply ReLU, in place.

    The same as ``relu(LayerNorm(voxels)(x))`` with the channels before the voxels.

    Parameters
    ----------
    x : float32 [n, n_voxels, n_channels]
        Contiguous, on the CPU.
    weight, bias : float32 [n_voxels]
    eps
        Added to the variance.

    Returns
    -------
    x
    """
    use_torch_threads()
    numbers = array(x)
    total, square = _sums(numbers).sum(axis=1).swapaxes(0, 1) / x.shape[1]
    scale = 1 / np.sqrt(np.maximum(square - total * total, 0.0) + eps)
    _normalise(
        numbers, scale.astype(np.float32), (-total * scale).astype(np.float32), array(weight), array(bias)
    )  # fmt: skip
    return x


def convolve_to_one(x: Tensor, weight: Tensor, first: tuple[int, int, int], shape: tuple[int, int, int]) -> Tensor:
    """Transposed convolution of all channels to one, stride 1, for a block of the voxels.

    A product with all elements of the kernel, and a sum over the voxels they reach: with one channel to come out, that
    is several times as fast as a convolution.

    Parameters
    ----------
    x : float32 [n, depth, height, width, n_channels]
        Contiguous, on the CPU.
    weight : float32 [n_channels, 1, 3, 3, 3]
        Of a `torch.nn.ConvTranspose3d` with a padding of 1.
    first, shape
        The block that is wanted.

    Returns
    -------
    float32 [n, *shape]
    """
    use_torch_threads()
    n_channels = x.shape[-1]
    products = torch.matmul(x.reshape(-1, n_channels), weight.reshape(n_channels, -1))
    out = x.new_empty(len(x), *shape)
    _gather(array(products).reshape(*x.shape[:4], 3, 3, 3), np.array(first), array(out))
    return out


@njit(cache=True, parallel=True, fastmath={"contract", "reassoc"})
def _sums(x: Array) -> Array:
    """Return sums of numbers and of squares of the channels in blocks, float64 [n, n_blocks, 2, n_channels]."""
    n, n_voxels, n_channels = x.shape
    n_blocks = (n_voxels + BLOCK - 1) // BLOCK
    sums = np.zeros((n, n_blocks, 2, n_channels))
    for number in prange(n * n_blocks):
        shower, block = number // n_blocks, number % n_blocks
        of_one = np.zeros(n_channels, dtype=np.float32)
        of_square = np.zeros(n_channels, dtype=np.float32)
        for voxel in range(block * BLOCK, min(n_voxels, (block + 1) * BLOCK)):
            for channel in range(n_channels):
                value = x[shower, voxel, channel]
                of_one[channel] += value
                of_square[channel] += value * value
        sums[shower, block, 0] = of_one
        sums[shower, block, 1] = of_square
    return sums


@njit(cache=True, parallel=True, fastmath={"contract"})
def _normalise(x: Array, scale: Array, shift: Array, weight: Array, bias: Array) -> None:
    """relu(weight (scale x + shift) + bias), scale and shift of the channels, weight and bias of the voxels."""
    n, n_voxels, n_channels = x.shape
    n_blocks = (n_voxels + BLOCK - 1) // BLOCK
    zero = x.dtype.type(0)
    for number in prange(n * n_blocks):
        shower, block = number // n_blocks, number % n_blocks
        for voxel in range(block * BLOCK, min(n_voxels, (block + 1) * BLOCK)):
            w, b = weight[voxel], bias[voxel]
            for channel in range(n_channels):
                z = x[shower, voxel, channel] * scale[shower, channel] + shift[shower, channel]
                x[shower, voxel, channel] = relu(z * w + b, zero)


@njit(cache=True, parallel=True)
def _gather(products: Array, first: Array, out: Array) -> None:
    """Add up what the neighbours of each voxel give it; `first` is the place of out[:, 0, 0, 0]."""
    n, depth, height, width = products.shape[:4]
    for number in prange(n * out.shape[1]):
        shower, i = number // out.shape[1], number % out.shape[1]
        for j in range(out.shape[2]):
            for k in range(out.shape[3]):
                total = np.float32(0)
                # element d of a transposed convolution carries a voxel to its neighbour d - 1
                for a in range(max(0, first[0] + i - 1), min(depth, first[0] + i + 2)):
                    for b in range(max(0, first[1] + j - 1), min(height, first[1] + j + 2)):
                        for c in range(max(0, first[2] + k - 1), min(width, first[2] + k + 2)):
                            total += products[
                                shower, a, b, c, first[0] + i + 1 - a, first[1] + j + 1 - b, first[2] + k + 1 - c
                            ]
                out[shower, i, j, k] = total
