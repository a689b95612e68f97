"""Networks of 3DGAN, for 25x25x25 and for 51x51x25 voxels; sources in `gan3d`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Triple = tuple[int, int, int]
EPSILON = 1e-3  # of normalisations, as in Keras
SLOPE = 0.3  # of leaky ReLU, as in Keras
DROPOUT = 0.2


@dataclass(frozen=True)
class Convolution:
    """A convolution of the generator and what comes before it.

    Attributes
    ----------
    kernel
    padding
        Zeros on both sides of the three axes; None: as many as keep the size.
    upsampling
        Of what comes in.
    normalised
    """

    kernel: Triple
    padding: Triple | None = (0, 0, 0)
    upsampling: Triple = (1, 1, 1)
    normalised: bool = True


@dataclass(frozen=True)
class Layout:
    """Sizes of a published variant.

    Attributes
    ----------
    shape
        Of an image.
    latent
    start
        Shape that the first, dense layer fills, with `start_channels` channels.
    start_channels
    convolutions, channels
        Of the generator, without the last convolution to one channel (2x2x2).
    last_bias
        Whether that one has one.
    leaky, trilinear
        Activations and upsampling of the generator.
    critic_kernel, critic_padding, discriminator
        Of the discriminator: of all convolutions, padding of those after the first, channels.
    sum_per_gev
        Mean sum of an image per GeV of incident energy.
    adversarial_weight, auxiliary_weight
        Of the losses.
    """

    shape: Triple
    latent: int
    start: Triple
    start_channels: int
    convolutions: tuple[Convolution, ...]
    channels: tuple[int, ...]
    last_bias: bool
    leaky: bool
    trilinear: bool
    critic_kernel: Triple
    critic_padding: tuple[Triple, ...]
    discriminator: tuple[int, ...]
    sum_per_gev: float
    adversarial_weight: float
    auxiliary_weight: float


PLAIN = Layout(
    shape=(25, 25, 25), latent=200, start=(7, 7, 8), start_channels=8,
    convolutions=(
        Convolution((6, 6, 8), None),
        Convolution((6, 5, 8), (2, 2, 0), upsampling=(2, 2, 2)),
        Convolution((3, 3, 8), (1, 0, 3), upsampling=(2, 2, 3), normalised=False),
    ),
    channels=(64, 6, 6), last_bias=False, leaky=True, trilinear=False,
    critic_kernel=(5, 5, 5), critic_padding=((2, 2, 2), (2, 2, 2), (1, 1, 1)), discriminator=(32, 8, 8, 8),
    sum_per_gev=0.02, adversarial_weight=6.0, auxiliary_weight=0.2,
)  # fmt: skip
ANGLE = Layout(
    shape=(51, 51, 25), latent=254, start=(9, 9, 8), start_channels=8,
    convolutions=(
        Convolution((6, 6, 8), upsampling=(6, 6, 6)),
        *[Convolution((4, 4, 6), (2, 2, 1))] * 3,
        Convolution((3, 3, 5), (1, 1, 0)),
        Convolution((3, 3, 3), (1, 1, 0)),
    ),
    channels=(8, 6, 6, 6, 6, 6), last_bias=True, leaky=False, trilinear=True,
    critic_kernel=(5, 6, 6), critic_padding=((0, 0, 1), (0, 0, 1), (0, 0, 0)), discriminator=(16, 8, 8, 8),
    sum_per_gev=1.0, adversarial_weight=3.0, auxiliary_weight=0.1,
)  # fmt: skip


def generator_layers(layout: Layout, n_inputs: int, channels: Sequence[int], momentum: float) -> nn.Sequential:
    """Make the layers from noise [n, n_inputs] to an image [n, 1, *shape], at least 0."""
    filled = (layout.start_channels, *layout.start)
    layers: list[nn.Module] = [_dense(n_inputs, math.prod(filled)), nn.Unflatten(1, filled)]
    n_in = layout.start_channels
    for convolution, n_out in zip(layout.convolutions, channels, strict=True):
        if convolution.upsampling != (1, 1, 1):
            layers.append(
                nn.Upsample(scale_factor=tuple(map(float, convolution.upsampling)), mode="trilinear")
                if layout.trilinear
                else nn.Upsample(scale_factor=tuple(map(float, convolution.upsampling)))
            )
        layers += _convolved(n_in, n_out, convolution.kernel, convolution.padding, nn.init.kaiming_uniform_)
        layers.append(nn.LeakyReLU(SLOPE) if layout.leaky else nn.ReLU())
        layers += [nn.BatchNorm3d(n_out, EPSILON, momentum)] if convolution.normalised else []
        n_in = n_out
    layers += _convolved(n_in, 1, (2, 2, 2), (0, 0, 0), nn.init.xavier_uniform_, bias=layout.last_bias)
    network = nn.Sequential(*layers, nn.ReLU())
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]


class Discriminator(nn.Module):
    """Voxels to two numbers: logarithm of the odds that the shower is real, and what the second task asks for."""

    def __init__(self, layout: Layout, channels: Sequence[int], momentum: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        size, n_in = layout.shape, 1
        for number, (n_out, padding) in enumerate(zip(channels, (None, *layout.critic_padding), strict=True)):
            layers += _convolved(n_in, n_out, layout.critic_kernel, padding, nn.init.xavier_uniform_)
            layers.append(nn.LeakyReLU(SLOPE))
            layers += [nn.BatchNorm3d(n_out, EPSILON, momentum)] if number else []
            layers.append(nn.Dropout(DROPOUT))
            n_in = n_out
            if padding is not None:
                x, y, z = (n + 2 * p - k + 1 for n, p, k in zip(size, padding, layout.critic_kernel, strict=True))
                size = (x, y, z)
        features = nn.Sequential(*layers, nn.AvgPool3d(2), nn.Flatten())
        self.features = features.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.n_features = n_in * math.prod(n // 2 for n in size)
        self.real = _dense(self.n_features, 1)
        self.second = _dense(self.n_features, 1)
        nn.init.ones_(self.second.bias)  # a ReLU that gives 0 for all showers would never learn

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Judge images [n, *shape]; both results are [n]."""
        features = self.features(values[:, None])
        return self.real(features)[:, 0], self.second(features)[:, 0]


def _convolved(
    n_in: int, n_out: int, kernel: Triple, padding: Triple | None, initialise: Callable[[Tensor], Tensor], *,
    bias: bool = True,
) -> list[nn.Module]:  # fmt: skip
    """Make a convolution, after a layer of zeros around the image where they are not the same on both sides."""
    layers: list[nn.Module] = []
    if padding is None:  # Keras puts one more at the end
        sides = [side for size in reversed(kernel) for side in ((size - 1) // 2, size // 2)]
        layers.append(nn.ConstantPad3d((sides[0], sides[1], sides[2], sides[3], sides[4], sides[5]), 0.0))
        padding = (0, 0, 0)
    layer = nn.Conv3d(n_in, n_out, kernel, padding=padding, bias=bias)
    initialise(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return [*layers, layer]


def _dense(n_in: int, n_out: int) -> nn.Linear:
    """Make a dense layer with the first weights of Keras."""
    layer = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
