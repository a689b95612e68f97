"""Vanilla GAN: a 3D DCGAN with the minmax loss (arXiv:2005.05334, section 3.1; github.com/FLC-QU-hep/getting_high).

Numbers are those of its code, whose generator has 4,392,224 weights (the text says 1.5 million) and whose discriminator
has 2,056,097, for 30x30x30 voxels. Other arrays of three axes are cut out of the next larger one that the transposed
convolutions can make.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from hgcal_gnn.generation.noise import uniform_noise
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.generation.voxel.base import ImageSizes, VoxelModel, VoxelModelConfig, single_section
from hgcal_gnn.generation.voxel.fold import folded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.image_batch import ImageBatch

ADAM = OptimiserConfig.of(learning_rate=1e-5, betas=(0.5, 0.999))


class GANConfig(VoxelModelConfig):
    """Settings of the vanilla GAN."""

    kind: Literal["gan"] = "gan"
    threshold: NonNegativeFloat = Field(
        1e-4, description="voxels of at most this energy are empty, in the training showers as in generated ones [GeV]"
    )
    latent: PositiveInt = Field(100, description="size of the noise")
    channels: tuple[PositiveInt, ...] = Field((256, 128, 64, 32), description="of the generator, from the noise on")
    discriminator: tuple[PositiveInt, ...] = Field((32, 64, 128, 256, 128), description="channels")
    hidden: PositiveInt = Field(64, description="dense layer of the discriminator")
    unit: PositiveFloat = Field(1e-3, description="energy of a voxel of value 1 [GeV]")
    energy_unit: PositiveFloat = Field(1.0, description="incident energy of value 1 [GeV]")
    label_smoothing: float = Field(0.0, ge=0, lt=0.5, description="real showers are labelled 1 - this")
    critic_steps: PositiveInt = Field(1, description="D/G ratio: steps of the discriminator per step of the generator")
    generator_loss: Literal["non_saturating", "minmax"] = Field(
        "non_saturating", description="-log D (of the published code), or log(1 - D)"
    )
    generator_optimiser: OptimiserConfig = ADAM
    discriminator_optimiser: OptimiserConfig = ADAM


class GAN(VoxelModel):
    """Generator and discriminator of one array of voxels."""

    config_class = GANConfig
    config: GANConfig
    generating: Generator

    def __init__(self, config: GANConfig, sizes: ImageSizes) -> None:
        super().__init__(config, sizes)
        shape = single_section(config.kind, sizes.shapes)
        self.generating = Generator(config.latent, config.channels, shape)
        self.discriminator = Discriminator(config.discriminator, config.hidden, shape)
        self.generating.apply(initialise)
        self.discriminator.apply(initialise)

    @classmethod
    def check(cls, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse all but one array of three axes."""
        single_section("gan", shapes)

    def stages(self, iterations: int) -> Sequence[Stage]:
        """Let both players take turns."""
        config = self.config
        players = (
            Player("discriminator", self.discriminator, self.discriminator_losses, config.discriminator_optimiser),
            Player(
                "generator",
                self.generating,
                self.generator_losses,
                config.generator_optimiser,
                every=config.critic_steps,
            ),
        )
        return [Stage("gan", players, iterations)]

    def generate(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images [GeV]."""
        return self._values(condition, random).flatten(1) * self.config.unit

    def prepare(self) -> Self:
        """Fold the normalisations."""
        return self._with_generating(folded(self.generating))

    def discriminator_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the binary cross-entropy of real and of generated showers, whose sum is one step.

        Generated showers have the energies of the batch: the published code draws them flat from 10 to 100 GeV, the
        spectrum of its training sample.
        """
        with torch.no_grad():
            fake = self._values(batch.condition)
        real = batch.image.reshape(fake.shape) / self.config.unit
        of_real, of_fake = self._scores(real, batch.condition), self._scores(fake, batch.condition)
        smooth = 1 - self.config.label_smoothing  # of real showers only, arXiv:1606.03498, section 3.4
        loss = cross_entropy(of_real, smooth) + cross_entropy(of_fake, 0.0)
        return {"loss": loss, "score_real": of_real.sigmoid().mean(), "score_fake": of_fake.sigmoid().mean()}

    def generator_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return -log D of generated showers, or log(1 - D)."""
        scores = self._scores(self._values(batch.condition), batch.condition)
        if self.config.generator_loss == "minmax":
            return {"loss": logsigmoid(-scores).mean()}
        return {"loss": cross_entropy(scores, 1.0)}

    def _values(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images in the unit of the networks, [n, *shape]: the noise is multiplied by the energy."""
        z = uniform_noise(condition.n, self.config.latent, condition.energy, random)
        values: Tensor = self.generating(z * (condition.energy / self.config.energy_unit)[:, None])
        return self.with_energy(values, condition)

    def _scores(self, values: Tensor, condition: Condition) -> Tensor:
        scores: Tensor = self.discriminator(values, condition.energy / self.config.energy_unit)
        return scores


class Generator(nn.Module):
    """Noise to voxels: transposed convolutions, each doubling the sizes, and a last one that cuts the edges off.

    The last one has stride 1: it is written as the convolution that it is, which takes less time.
    """

    def __init__(self, latent: int, channels: Sequence[int], shape: tuple[int, ...]) -> None:
        super().__init__()
        growth = 2 ** (len(channels) - 1)
        a, b, c = (math.ceil(size / growth) for size in shape)
        layers: list[nn.Module] = [nn.ConvTranspose3d(latent, channels[0], (a, b, c), bias=False)]
        for n_in, n_out in pairwise(channels):
            layers += [nn.ConvTranspose3d(n_in, n_out, 4, 2, 1, bias=False), nn.BatchNorm3d(n_out), nn.ReLU()]
        missing = [size + 2 - growth * n for size, n in zip(shape, (a, b, c), strict=True)]  # 0 for 30 voxels
        (x, xx), (y, yy), (z, zz) = ((some // 2, some - some // 2) for some in missing)
        if any(missing):
            layers.append(nn.ConstantPad3d((z, zz, y, yy, x, xx), 0.0))  # cuts off where negative
        self.layers = nn.Sequential(*layers, nn.Conv3d(channels[-1], 1, 3, bias=False), nn.ReLU())
        self.layers.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, z: Tensor) -> Tensor:
        """Turn noise times energy [n, latent] into values of voxels [n, *shape], at least 0."""
        values: Tensor = self.layers(z[:, :, None, None, None])
        return values[:, 0]


class Discriminator(nn.Module):
    """Voxels and energy to one number, the logarithm of the odds that the shower is real."""

    def __init__(self, channels: Sequence[int], hidden: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv3d(1, channels[0], 3, 2, 3, bias=False), nn.LeakyReLU(0.2)]
        sizes = [(size + 3) // 2 + 1 for size in shape]
        for n_in, n_out in pairwise(channels[:-1]):
            layers += [nn.Conv3d(n_in, n_out, 3, 2, 1, bias=False), nn.BatchNorm3d(n_out), nn.LeakyReLU(0.2)]
            sizes = [(size - 1) // 2 + 1 for size in sizes]
        a, b, c = (min(3, size) for size in sizes)  # 3 for 30x30x30, where one voxel is left
        layers += [nn.Conv3d(channels[-2], channels[-1], (a, b, c), 2, bias=False), nn.Flatten()]
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        n_features = channels[-1] * math.prod((size - min(3, size)) // 2 + 1 for size in sizes)
        self.dense = nn.Sequential(nn.Linear(n_features + 1, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1))

    def forward(self, values: Tensor, energy: Tensor) -> Tensor:
        """Judge voxels [n, *shape] of particles of energy [n]; the result is [n]."""
        features = torch.cat([self.layers(values[:, None]), energy[:, None]], dim=1)
        scores: Tensor = self.dense(features)
        return scores[:, 0]


def initialise(module: nn.Module) -> None:
    """Draw weights of convolutions and dense layers from N(0, 0.02), of normalisations from N(1, 0.02)."""
    if isinstance(module, nn.Conv3d | nn.ConvTranspose3d | nn.Linear | nn.BatchNorm3d):
        nn.init.normal_(module.weight, 1.0 if isinstance(module, nn.BatchNorm3d) else 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def cross_entropy(scores: Tensor, label: float) -> Tensor:
    """Return the mean binary cross-entropy of scores (logarithms of odds) for one label."""
    return binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))
