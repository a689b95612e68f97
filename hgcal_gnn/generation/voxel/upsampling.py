"""Upsampling and the convolution after it, as one convolution of the small array.

After repetition neighbouring voxels are equal: each voxel of the result sees a few coarse ones, each many times. Sums
of the weights take the place of the repetitions, one set for each place within a coarse voxel. The same holds for
interpolation, which is a weighted sum of two coarse voxels along each axis. The result is the same up to rounding, for
several times less work.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv3d, pad

Triple = tuple[int, int, int]


class UpsampledConvolution(nn.Module):
    """Does what `nn.Upsample` and `nn.Conv3d` (stride 1, zeros as padding) do together.

    Parameters
    ----------
    factors
        Of the upsampling, three whole numbers.
    layer
        The convolution; its weights are copied.
    linear
        Upsampling by interpolation (trilinear, corners not aligned) instead of repetition; without padding only.
    """

    def __init__(self, factors: Triple, layer: nn.Conv3d, *, linear: bool = False) -> None:
        super().__init__()
        self.factors = factors
        self.linear = linear
        self.convolve: nn.Module | None = None  # what does the convolution in its place, where something does
        self.kernel = [int(size) for size in layer.kernel_size]
        self.padding = [int(size) for size in layer.padding]
        weight = layer.weight.detach()
        n_out, n_in = weight.shape[:2]
        shares = _interpolated if linear else _repeated
        x, y, z = (shares(factor, size).to(weight) for factor, size in zip(factors, self.kernel, strict=True))
        coarse = torch.einsum("pax,qby,rcz,oixyz->opqriabc", x, y, z, weight)
        self.n_out = n_out
        n_places = math.prod(factors)
        weight = coarse.reshape(n_out * n_places, n_in, *coarse.shape[-3:])
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last_3d))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().repeat_interleave(n_places))

    def forward(self, values: Tensor) -> Tensor:
        """Turn values [n, n_in, *coarse] into [n, n_out, *fine]."""
        weight = self.get_buffer("weight")
        sides: list[int] = []
        cuts: list[tuple[int, int]] = []
        axes = zip(self.factors, self.kernel, self.padding, values.shape[2:], weight.shape[2:], strict=True)
        for factor, size, zeros, n, reach in axes:
            # coarse voxels that hold the zeros (those too many are cut off), or one of which an edge voxel is a mean
            before = 1 if self.linear else -(-zeros // factor)
            start = 0 if self.linear else before * factor - zeros
            length = n * factor + 2 * zeros - size + 1
            after = -(-(start + length) // factor) + reach - 1 - n - before
            sides = [before, after, *sides]
            cuts.append((start, start + length))
        if any(sides):
            values = pad(values, sides, mode="replicate" if self.linear else "constant")
        found = self.convolve(values) if self.convolve else conv3d(values, weight, self.bias)  # type: ignore[arg-type]
        a, b, c = found.shape[2:]
        p, q, r = self.factors
        fine = found.reshape(-1, self.n_out, p, q, r, a, b, c).permute(0, 1, 5, 2, 6, 3, 7, 4)
        fine = fine.reshape(-1, self.n_out, a * p, b * q, c * r)
        (x, xx), (y, yy), (z, zz) = cuts
        return fine[:, :, x:xx, y:yy, z:zz]


def _repeated(factor: int, size: int) -> Tensor:
    """Say which coarse voxel each weight of a kernel falls on, [factor, coarse, size], for each place within one."""
    place, weight = torch.arange(factor)[:, None], torch.arange(size)[None]
    coarse = (place + weight) // factor
    return (coarse[:, None, :] == torch.arange(int(coarse.max()) + 1)[None, :, None]).float()


def _interpolated(factor: int, size: int) -> Tensor:
    """Return the share of coarse voxels in what each weight of a kernel falls on, counted from the voxel before."""
    place, weight = torch.arange(factor)[:, None], torch.arange(size)[None]
    position = (place + weight + 0.5) / factor + 0.5  # of the centres of fine voxels: 1 is that of the first coarse one
    coarse = torch.arange(int(position.max()) + 2)
    return (1 - (position[:, None, :] - coarse[None, :, None]).abs()).clamp(min=0)
