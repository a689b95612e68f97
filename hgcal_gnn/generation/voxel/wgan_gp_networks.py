"""Networks of the WGAN-GP with constrainer ("Getting High", arXiv:2005.05334), for sections of any lengths."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = tuple[int, int, int]

DOUBLINGS = 3  # of the lengths in the generator
SLOPE = 0.2  # of the leaky ReLU


class Generator(nn.Module):
    """Noise and energy to images: a stem for each, three transposed convolutions that double the lengths, one more.

    Parameters
    ----------
    shapes
        Of the sections (depth, across, across).
    latent
    channels
        32 as published.

    Attributes
    ----------
    unit : float32 []
        Of the images [GeV].
    """

    unit: Tensor

    def __init__(self, shapes: Sequence[Shape], latent: int, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Branch(shape, latent, channels) for shape in shapes)
        self.register_buffer("unit", torch.tensor(1e-3))

    def forward(self, z: Tensor, energy: Tensor) -> list[Tensor]:
        """Return images [n, *shape], at least 0, of noise [n, latent] and scaled energy [n, 1]."""
        return [torch.relu(branch(z, energy)) for branch in self.branches]


class Branch(nn.Module):
    """The generator of one section."""

    def __init__(self, shape: Shape, latent: int, channels: int) -> None:
        super().__init__()
        self.shape = shape
        start = tuple(math.ceil(length / 2**DOUBLINGS) for length in shape)
        self.energy_stem = nn.ConvTranspose3d(1, 4 * channels, start, bias=False)
        self.noise_stem = nn.ConvTranspose3d(latent, 4 * channels, start, bias=False)
        layers: list[nn.Module] = []
        for number, (n_in, n_out) in enumerate(pairwise(factor * channels for factor in (8, 4, 2, 1)), start=1):
            layers += [
                nn.ConvTranspose3d(n_in, n_out, 4, stride=2, padding=1, bias=False),
                nn.LayerNorm([length * 2**number for length in start]),
                nn.ReLU(),
            ]
        self.doublings = nn.Sequential(*layers)
        # what is too long is cut equally at both ends: of 32 cells the published padding of 2 leaves the inner 30
        long = [length * 2**DOUBLINGS for length in start]
        self.cut = ((long[0] - shape[0]) // 2, (long[1] - shape[1]) // 2, (long[2] - shape[2]) // 2)
        self.last = nn.ConvTranspose3d(channels, 1, 3, padding=1, bias=False)

    def stems(self, z: Tensor, energy: Tensor) -> Tensor:
        """Return the first feature maps [n, 8 x channels, *start]."""
        of_energy, of_noise = self.energy_stem(energy[..., None, None, None]), self.noise_stem(z[..., None, None, None])
        return torch.cat([of_energy, of_noise], dim=1)

    def forward(self, z: Tensor, energy: Tensor) -> Tensor:
        """Return images [n, *shape] before the last ReLU."""
        x: Tensor = self.last(self.doublings(self.stems(z, energy)))[:, 0]
        for axis, (first, length) in enumerate(zip(self.cut, self.shape, strict=True), start=1):
            x = x.narrow(axis, first, length)
        return x


class Critic(nn.Module):
    """Images and energy to a score: kernels long in depth and of two cells across; dense layers with the energy."""

    def __init__(self, shapes: Sequence[Shape], channels: int, hidden: Sequence[int], eps: float) -> None:
        super().__init__()
        widths = [1, channels, 2 * channels, 4 * channels, 1]
        depths, strides, paddings = (10, 6, 4, 4), (2, 2, 2, 1), (1, 0, 0, 0)
        branches, n_out = [], 0
        for shape in shapes:
            layers = Convolutions(shape, eps)
            for (n_in, n), depth, stride, padding in zip(pairwise(widths), depths, strides, paddings, strict=True):
                layers.add(n_in, n, (depth, 2, 2), (1, stride, stride), (0, padding, padding))
            branches.append(layers.made())
            n_out += layers.n_out
        self.branches = nn.ModuleList(branches)
        self.dense = nn.Sequential(*leaky([n_out + 1, *hidden, 1]))

    def forward(self, images: Sequence[Tensor], energy: Tensor) -> Tensor:
        """Return scores [n] of images [n, *shape] and scaled energies [n, 1]."""
        seen = [branch(image[:, None]) for branch, image in zip(self.branches, images, strict=True)]
        score: Tensor = self.dense(torch.cat([*seen, energy], dim=1))[:, 0]
        return score


class Constrainer(nn.Module):
    """Images to energies [GeV]."""

    def __init__(self, shapes: Sequence[Shape], channels: int, hidden: int, eps: float) -> None:
        super().__init__()
        branches, n_out = [], 0
        for shape in shapes:
            layers = Convolutions(shape, eps)
            layers.add(1, channels, (3, 3, 3), (2, 2, 2))
            layers.add(channels, 2 * channels, (3, 3, 3), (2, 2, 2))
            layers.add(2 * channels, channels, (2, 2, 2), (1, 1, 1))
            branches.append(layers.made())
            n_out += layers.n_out
        self.branches = nn.ModuleList(branches)
        self.dense = nn.Sequential(nn.Linear(n_out, hidden), nn.LeakyReLU(SLOPE))
        self.last = nn.Linear(hidden, 1)

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        """Return energies [n], at least 0."""
        seen = [branch(image[:, None]) for branch, image in zip(self.branches, images, strict=True)]
        return torch.relu(self.last(self.dense(torch.cat(seen, dim=1)))[:, 0])


class Convolutions:
    """Convolutions with layer norms over the voxels of each channel and leaky ReLU between them, as rows at the end.

    Kernels are cut to the lengths there are.
    """

    def __init__(self, shape: Shape, eps: float) -> None:
        self.shape: tuple[int, ...] = shape
        self.eps = eps
        self.n_channels = 1
        self.layers: list[nn.Module] = []

    def add(self, n_in: int, n_out: int, kernel: Shape, stride: Shape, padding: Shape = (0, 0, 0)) -> None:
        """Add a convolution, and what lies between the one before and it."""
        if self.layers:
            self.layers += [nn.LayerNorm(self.shape, self.eps), nn.LeakyReLU(SLOPE)]
        padded = [length + 2 * more for length, more in zip(self.shape, padding, strict=True)]
        kernel = (min(kernel[0], padded[0]), min(kernel[1], padded[1]), min(kernel[2], padded[2]))
        self.layers.append(nn.Conv3d(n_in, n_out, kernel, stride, padding, bias=False))
        self.shape = tuple((length - k) // s + 1 for length, k, s in zip(padded, kernel, stride, strict=True))
        self.n_channels = n_out

    @property
    def n_out(self) -> int:
        """Columns of the rows."""
        return self.n_channels * math.prod(self.shape)

    def made(self) -> nn.Sequential:
        """Return the layers."""
        return nn.Sequential(*self.layers, nn.Flatten())


def depth_first(shape: tuple[int, ...], axis: int) -> Shape:
    """Return a shape with the axis of the layers as the first one."""
    depth, first, second = shape[axis], *shape[:axis], *shape[axis + 1 :]
    return depth, first, second


def leaky(sizes: Sequence[int]) -> list[nn.Module]:
    """Make dense layers with leaky ReLU between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(SLOPE)]
    return layers[:-1]


def initialise(layer: nn.Module) -> None:
    """Draw weights from N(0, 0.02), those of layer norms from N(1, 0.02), as published."""
    if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d | nn.Linear):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.LayerNorm):
        nn.init.normal_(layer.weight, 1.0, 0.02)
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
