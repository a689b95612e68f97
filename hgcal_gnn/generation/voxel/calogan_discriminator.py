"""The discriminator of CaloGAN: locally connected layers and what physicists look at (arXiv:1705.02355, section 4)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.generation.voxel.calogan_layers import SLOPE, ChannelNorm, convolved, keras_linear
from hgcal_gnn.nn.locally_connected import LocallyConnected2d
from hgcal_gnn.nn.minibatch_discrimination import MinibatchDiscrimination

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = tuple[int, int]
LAYER_SCALE, TOTAL_SCALE = 10.0, 100.0  # [GeV], of energies that the discriminator is told
TOO_FAR = 5.0  # [GeV] from the requested energy


class Discriminator(nn.Module):
    """Judges all layers together.

    Parameters
    ----------
    shapes
        Rows and columns of the layers.
    channels
        Of the convolution and of the locally connected layers.
    minibatch
        Features of the minibatch discrimination, dimensions of each.
    n_kinds
        Kinds of particles.
    """

    def __init__(
        self, shapes: Sequence[Shape], channels: Sequence[int], minibatch: tuple[int, int], n_kinds: int
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(LayerJudge(shape, channels, minibatch) for shape in shapes)
        features, dims = minibatch
        self.energies = MinibatchDiscrimination(len(shapes), features, dims)
        judged = sum(layer.n_out for layer in self.layers)  # type: ignore[misc]
        n_in = int(judged) + len(shapes) + 3 + features
        self.verdict = keras_linear(n_in, 1)
        self.kind = keras_linear(n_in, n_kinds) if n_kinds > 1 else None

    def forward(self, images: Sequence[Tensor], requested: Tensor) -> tuple[Tensor, Tensor | None]:
        """Judge layers [n, rows, columns] of the requested energies [n], all in GeV.

        Returns
        -------
        verdict : [n]
            Logit of being real.
        kind : [n, n_kinds] or None
            Logits of the kinds of particles, where there are several.
        """
        energies = layer_energies(images)
        total = energies.sum(dim=1, keepdim=True)
        well = (total - requested[:, None]).abs()
        features = torch.cat(
            [
                *(layer(image) for layer, image in zip(self.layers, images, strict=True)),
                energies / LAYER_SCALE,
                total / TOTAL_SCALE,
                well,
                10.0 * (well > TOO_FAR),
                self.energies(energies).tanh(),
            ],
            dim=1,
        )
        return self.verdict(features)[:, 0], None if self.kind is None else self.kind(features)


class LayerJudge(nn.Module):
    """Features of one layer: local ones, how alike they are in the batch, and the share of cells that were hit."""

    def __init__(self, shape: Shape, channels: Sequence[int], minibatch: tuple[int, int]) -> None:
        super().__init__()
        first, *local = channels
        self.convolution = nn.Conv2d(1, first, 2)
        nn.init.xavier_uniform_(self.convolution.weight)
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]
        layers: list[nn.Module] = []
        for (n_in, n_out), kernel, stride in zip(
            pairwise([first, *local]), ((3, 3), (2, 2), (2, 2)), ((1, 2), (1, 1), (1, 2)), strict=True
        ):
            layer = LocallyConnected2d(shape, n_in, n_out, kernel, stride=stride, padding=(1, 1))
            layers += [layer, nn.LeakyReLU(SLOPE), ChannelNorm(n_out)]
            shape = layer.out_shape
        self.local = nn.Sequential(*layers)
        n_local = shape[0] * shape[1] * local[-1]
        self.alike = MinibatchDiscrimination(n_local, *minibatch)
        self.alike_sparsity = MinibatchDiscrimination(1, *minibatch)
        self.n_out = n_local + 1 + 2 * minibatch[0]

    def forward(self, image: Tensor) -> Tensor:
        """Turn images [n, rows, columns] into features [n, n_out]."""
        x = functional.leaky_relu(convolved(image[:, None], self.convolution), SLOPE)
        local = self.local(x.permute(0, 2, 3, 1)).flatten(1)
        hit = (image > 0).flatten(1).to(image.dtype).mean(dim=1, keepdim=True)
        return torch.cat([local, self.alike(local).tanh(), hit, self.alike_sparsity(hit).tanh()], dim=1)


def layer_energies(images: Sequence[Tensor]) -> Tensor:
    """Return the energies of layers, [n, n_layers]."""
    return torch.stack([image.sum(dim=(1, 2)) for image in images], dim=1)
