"""Layers as those of Keras, which CaloGAN was written in: other paddings, beginnings and defaults than PyTorch's."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.3  # of LeakyReLU where it is negative
EPS, MOMENTUM = 1e-3, 0.01  # of batch normalisation


def convolved(x: Tensor, layer: nn.Conv2d, *, bias: bool = True) -> Tensor:
    """Convolve with a window of 2 x 2, images of the same size: "same" of Keras adds zeros after, not before."""
    return functional.conv2d(functional.pad(x, (0, 1, 0, 1)), layer.weight, layer.bias if bias else None)


def keras_linear(n_in: int, n_out: int) -> nn.Linear:
    """Make a dense layer that starts as one of Keras: Glorot uniform, no bias."""
    layer = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class ChannelNorm(nn.BatchNorm1d):
    """Batch normalisation of channels that come last."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, EPS, MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [n, rows, columns, channels]."""
        return super().forward(x.reshape(-1, x.shape[3])).view(x.shape)
