"""Networks of the BIB-AE, with the sizes of github.com/FLC-QU-hep/getting_high (BIBAE_models.py) at 30x30x30 voxels.

Other arrays: kernels, strides and channels stay, the sizes between them and the normalisations follow.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hgcal_gnn.generation.voxel.fold import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOPE = 0.2  # of the leaky ReLU
SMALLEST = 15  # cells along an axis that the critic's convolutions need


class Encoder(nn.Module):
    """Image and condition to mean and ln(variance) of the latents: 35,224,598 weights."""

    def __init__(self, shape: tuple[int, ...], channels: int, hidden: Sequence[int], latent: int, told: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_in = 1
        for number, (kernel, stride, padding) in enumerate([(4, 2, 2), (4, 2, 2), (4, 2, 2), (3, 1, 1)]):
            n_out = channels << number
            shape = after(shape, kernel, stride, padding)
            layers += [nn.Conv3d(n_in, n_out, kernel, stride, padding, bias=False), nn.LayerNorm(shape)]
            layers.append(nn.LeakyReLU(SLOPE))
            n_in = n_out
        self.image = nn.Sequential(*layers, nn.Flatten())
        self.dense = dense([n_in * math.prod(shape) + told, *hidden])
        self.mean = nn.Linear(hidden[-1], latent)
        self.variance = nn.Linear(hidden[-1], latent)

    def forward(self, image: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Encode images [n, 1, *shape] with conditions [n, told], [n, latent] each."""
        hidden = self.dense(torch.cat([self.image(image), told], dim=1))
        return self.mean(hidden), self.variance(hidden)


class Decoder(nn.Module):
    """Latents and condition to an image, through one of twice the size: 36,218,496 weights."""

    def __init__(self, shape: tuple[int, ...], channels: int, hidden: Sequence[int], n_latent: int) -> None:
        super().__init__()
        self.start = (channels, *(math.ceil(size / 3) for size in shape))
        self.dense = dense([n_latent, *hidden, math.prod(self.start)])
        twice = tuple(2 * size for size in shape)
        one, two, four = channels, 2 * channels, 4 * channels
        missing = [size - (3 * (n - 1) + 1) for size, n in zip(shape, self.start[1:], strict=True)]
        a, b, c = missing
        grown = [
            nn.ConvTranspose3d(one, one, 3, 3, 1, output_padding=(a, b, c), bias=False), nn.LayerNorm(shape),
            nn.LeakyReLU(SLOPE),
            nn.ConvTranspose3d(one, two, 3, 2, 1, output_padding=1, bias=False), nn.LayerNorm(twice),
            nn.LeakyReLU(SLOPE),
            nn.Conv3d(two, one, 2, 2, bias=False), nn.LayerNorm(shape), nn.LeakyReLU(SLOPE),
        ]  # fmt: skip
        for n_in, n_out in pairwise([one, two, four, two]):
            grown += [nn.Conv3d(n_in, n_out, 3, padding=1, bias=False), nn.LayerNorm(shape), nn.LeakyReLU(SLOPE)]
        self.image = nn.Sequential(*grown, nn.Conv3d(two, 1, 3, padding=1, bias=False), nn.ReLU())

    def forward(self, latents: Tensor) -> Tensor:
        """Decode latents with conditions [n, n_latent], [n, 1, *shape], at least 0."""
        image: Tensor = self.image(self.dense(latents).reshape(-1, *self.start))
        return image


class FastDecoder(nn.Module):
    """A decoder for inference: the same values, up to rounding, with the channels of an image last in memory.

    oneDNN then takes a quarter of the time for the transposed convolutions; normalisations follow the order, where
    those of PyTorch would copy images of twice the size to and fro.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.start, self.dense = decoder.start, decoder.dense
        self.image = nn.Sequential(*map(_in_place, folded(decoder.image)))

    def forward(self, latents: Tensor) -> Tensor:
        """Decode latents as `Decoder` does."""
        if len(latents) == 1 and torch.get_num_threads() == 1:
            # PyTorch keeps oneDNN from a single image on a single thread; two images take less time
            both: Tensor = self(latents.repeat(2, 1))
            return both[:1]
        start = self.dense(latents).reshape(-1, *self.start)
        image: Tensor = self.image(start.contiguous(memory_format=torch.channels_last_3d))
        return image.contiguous()


class SpatialNorm(nn.Module):
    """Layer normalisation over the axes of space, in whatever order the numbers lie in memory."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, image: Tensor) -> Tensor:
        """Normalise images [n, channels, *shape], in place."""
        n = image[0, 0].numel()
        image.sub_(image.sum(dim=(2, 3, 4), keepdim=True) / n)
        # one image at a time, whose squares stay near; `vector_norm` loses digits
        squares = torch.stack([one.square().sum(dim=(1, 2, 3), keepdim=True) for one in image])
        return image.mul_(torch.rsqrt(squares / n + self.eps)).mul_(self.weight).add_(self.bias)


class Critic(nn.Module):
    """Scores a pair of an image and the one it was made from, in four streams: 4,762,753 weights.

    The streams see the image, ln(1 + image), its difference to the other one, and the condition.
    """

    def __init__(self, shape: tuple[int, ...], channels: int, told: int) -> None:
        super().__init__()
        half, twice = math.ceil(channels / 2), 2 * channels
        self.linear = _image_stream(shape, channels, half)
        self.logarithmic = _image_stream(shape, channels, half)
        self.difference = nn.Linear(math.prod(shape), half)
        self.told = nn.Linear(told, half)
        self.dense = nn.Sequential(dense([4 * half, twice, twice, twice]), nn.Linear(twice, 1))

    def forward(self, pair: Tensor, told: Tensor) -> Tensor:
        """Score pairs (the first is the original) [n, 2, *shape] with conditions [n, told], [n, 1]."""
        original, image = pair[:, :1], pair[:, 1:]
        streams = [
            self.linear(image),
            self.logarithmic(image.log1p()),
            self.difference((image - original).flatten(1)),
            self.told(told),
        ]
        score: Tensor = self.dense(nn.functional.leaky_relu(torch.cat(streams, dim=1), SLOPE))
        return score


class LatentCritic(nn.Module):
    """Scores each latent by itself: 10,301 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Sequential(dense([1, 50, 100, 50], slope=0.01), nn.Linear(50, 1))

    def forward(self, latents: Tensor) -> Tensor:
        """Score latents [n, n_latent], [n, n_latent]."""
        score: Tensor = self.dense(latents[..., None])
        return score[..., 0]


def _in_place(layer: nn.Module) -> nn.Module:
    """Return what does the same where the numbers are: fresh memory costs as much as the sums themselves."""
    if isinstance(layer, nn.LayerNorm):
        return SpatialNorm(layer)
    return nn.LeakyReLU(SLOPE, inplace=True) if isinstance(layer, nn.LeakyReLU) else layer


def _image_stream(shape: tuple[int, ...], channels: int, n_out: int) -> nn.Sequential:
    half = after(shape, 3, 2, 0)
    quarter = after(half, 3, 2, 0)
    return nn.Sequential(
        nn.Conv3d(1, channels, 3, 2, bias=False), nn.LayerNorm(half), nn.LeakyReLU(SLOPE),
        nn.Conv3d(channels, channels, 3, 2, bias=False), nn.LayerNorm(quarter), nn.LeakyReLU(SLOPE),
        nn.Conv3d(channels, channels, 3, bias=False), nn.LeakyReLU(SLOPE), nn.Flatten(),
        nn.Linear(channels * math.prod(after(quarter, 3, 1, 0)), n_out),
    )  # fmt: skip


def after(shape: Sequence[int], kernel: int, stride: int, padding: int) -> tuple[int, ...]:
    """Return the shape after a convolution."""
    return tuple((size + 2 * padding - kernel) // stride + 1 for size in shape)


def dense(sizes: Sequence[int], slope: float = SLOPE) -> nn.Sequential:
    """Make dense layers, each with a leaky ReLU behind it."""
    return nn.Sequential(*(layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.LeakyReLU(slope))))
