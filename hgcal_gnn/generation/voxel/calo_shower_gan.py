"""CaloShowerGAN: dense WGAN-GP on voxels in units of the incident energy (arXiv:2309.06515), one or several by energy.

Hyper-parameters: table of the paper; photons by default, `PION` for pions.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt, field_validator
from torch import Tensor, nn

from hgcal_gnn.generation.gradient_penalty import gradient_penalty
from hgcal_gnn.generation.noise import noise
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.generation.voxel.base import ImageSizes, VoxelModel, VoxelModelConfig
from hgcal_gnn.generation.voxel.fold import folded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.image_batch import ImageBatch

ACTIVATIONS: dict[str, type[nn.Module]] = {"swish": nn.SiLU, "relu": nn.ReLU}
Activation = Literal["swish", "relu"]


class CaloShowerGANConfig(VoxelModelConfig):
    """Settings of CaloShowerGAN."""

    kind: Literal["calo_shower_gan"] = "calo_shower_gan"
    latent: PositiveInt = Field(100, description="N0: size of the noise")
    generator: tuple[PositiveInt, ...] = Field((100, 200, 400), description="N1..N3: hidden layers of the generator")
    critic: tuple[PositiveInt, ...] = Field((368, 368, 368), description="N4..N6: hidden layers of the critic")
    activation: Activation = Field("swish", description="after the hidden layers of the generator")
    critic_activation: Activation = Field("relu", description="after those of the critic")
    scale: PositiveFloat = Field(1.0, description="what the voxels of a mean shower sum up to inside of the networks")
    generator_init: Literal["glorot_normal", "he_uniform"] = Field(
        "glorot_normal", description="weights that the generator begins with"
    )
    gradient_penalty: PositiveFloat = Field(3.0, description="lambda")
    critic_steps: PositiveInt = Field(8, description="D/G ratio: steps of the critic per step of the generator")
    generator_optimiser: OptimiserConfig = OptimiserConfig.of(learning_rate=1e-4, betas=(0.5, 0.999))
    critic_optimiser: OptimiserConfig = OptimiserConfig.of(learning_rate=1e-4, betas=(0.9, 0.999))
    split: tuple[PositiveFloat, ...] = Field(
        (), description="energies [GeV] at which another GAN takes over; both train on them"
    )
    generators: tuple[tuple[PositiveInt, ...], ...] = Field(
        (), description="hidden layers of the generators of a split, lowest energies first; default: generator for all"
    )
    latents: tuple[PositiveInt, ...] = Field((), description="sizes of their noise; default: latent for all")
    activations: tuple[Activation, ...] = Field((), description="their activations; default: activation for all")

    @field_validator("split")
    @classmethod
    def _ascends(cls, split: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(split)):
            msg = f"{list(split)}: energies must ascend"
            raise ValueError(msg)
        return split

    def parts(self) -> list[tuple[int, tuple[int, ...], Activation]]:
        """Return size of the noise, hidden layers and activation of each generator."""
        n = len(self.split) + 1
        return list(
            zip(
                self.latents or (self.latent,) * n,
                self.generators or (self.generator,) * n,
                self.activations or (self.activation,) * n,
                strict=True,
            )
        )


class CaloShowerGAN(VoxelModel):
    """One GAN, or one for each range of energy, behind one sampler."""

    config_class = CaloShowerGANConfig
    config: CaloShowerGANConfig
    generating: nn.ModuleList

    def __init__(self, config: CaloShowerGANConfig, sizes: ImageSizes) -> None:
        super().__init__(config, sizes)
        self.generating = nn.ModuleList(
            DenseGenerator(latent, hidden, sizes.n_voxels, activation, config.generator_init)
            for latent, hidden, activation in config.parts()
        )
        self.critics = nn.ModuleList(
            dense([sizes.n_voxels + 1, *config.critic, 1], config.critic_activation, "he_uniform")
            for _ in self.generating
        )
        self.generating.register_buffer("unit", torch.ones(()))
        low, high = sizes.energy
        self.edges = (0.0, *config.split, math.inf)
        self.ends = [(max(low, start), min(high, stop)) for start, stop in pairwise(self.edges)]

    def fit(self, sample: ImageBatch) -> None:
        """Take the visible share of the energy, so that voxels sum up to about 1 as those of the data set do."""
        self.unit.fill_(float(sample.image.sum() / sample.condition.energy.sum()) / self.config.scale)

    @property
    def unit(self) -> Tensor:
        """Visible energy per incident energy, over the scale."""
        unit: Tensor = self.generating.unit  # type: ignore[assignment]
        return unit

    def stages(self, iterations: int) -> Sequence[Stage]:
        """Train the GANs one after the other, each on its energies."""
        return [self._stage(number, iterations) for number in range(len(self.generating))]

    def generate(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images [GeV]: each particle by the GAN of its energy."""
        if len(self.generating) == 1:
            return self.part(0, condition, random)
        images = condition.energy.new_zeros(len(condition), self.sizes.n_voxels)
        which = torch.bucketize(condition.energy, torch.tensor(self.config.split, device=condition.energy.device))
        for number in range(len(self.generating)):
            rows = (which == number).nonzero()[:, 0]
            if len(rows):
                images[rows] = self.part(number, condition.rows(rows), random)
        return images

    def prepare(self) -> Self:
        """Generate with the normalisations folded into the dense layers."""
        return self._with_generating(folded(self.generating))

    def part(self, number: int, condition: Condition, random: torch.Generator | None) -> Tensor:
        """Generate images [GeV] by one of the GANs."""
        fractions = torch.relu(self._fractions(number, condition, random))  # swish reaches below 0
        return fractions * (condition.energy * self.unit)[:, None]

    def _fractions(self, number: int, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate voxels in units of the incident energy."""
        part: DenseGenerator = self.generating[number]  # type: ignore[assignment]
        # Gaussian noise of mean 0.5 and standard deviation 0.5
        z = 0.5 + 0.5 * noise(condition.n, part.latent, condition.energy, random)
        fractions: Tensor = part(z, self._scaled(number, condition))
        return fractions

    def _scaled(self, number: int, condition: Condition) -> Tensor:
        """Return the logarithm of the energy on a scale from 0 to 1 over the range of the GAN, [n, 1]."""
        low, high = self.ends[number]
        width = math.log(high / low) if high > low else 1.0
        return ((condition.energy / low).log() / width)[:, None]

    def _stage(self, number: int, iterations: int) -> Stage:
        config = self.config
        generator, critic = self.generating[number], self.critics[number]

        def score(fractions: Tensor, condition: Tensor) -> Tensor:
            result: Tensor = critic(torch.cat([fractions, condition], dim=1))
            return result

        def critic_losses(batch: ImageBatch) -> dict[str, Tensor]:
            scaled = self._scaled(number, batch.condition)
            real = batch.image / (batch.condition.energy * self.unit)[:, None]
            with torch.no_grad():
                fake = self._fractions(number, batch.condition)
            distance = score(real, scaled).mean() - score(fake, scaled).mean()
            penalty = gradient_penalty(lambda image: score(image, scaled), real, fake)
            return {"loss": config.gradient_penalty * penalty - distance, "distance": distance, "penalty": penalty}

        def generator_losses(batch: ImageBatch) -> dict[str, Tensor]:
            fake = self._fractions(number, batch.condition)
            return {"loss": -score(fake, self._scaled(number, batch.condition)).mean()}

        players = (
            Player("critic", critic, critic_losses, config.critic_optimiser),
            Player("generator", generator, generator_losses, config.generator_optimiser, every=config.critic_steps),
        )
        several = len(self.generating) > 1
        name = f"gan_{number}" if several else "gan"
        energy = (self.edges[number], self.edges[number + 1]) if several else None
        return Stage(name, players, iterations, energy)


class DenseGenerator(nn.Module):
    """Noise and condition to voxels: dense layers with batch normalisation between them, the activation at the end.

    The public code (chnzhangrui/funcXtraining, training/model.py) ends with the same activation: swish for photons.
    """

    def __init__(self, latent: int, hidden: Sequence[int], n_voxels: int, activation: Activation, init: str) -> None:
        super().__init__()
        self.latent = latent
        self.layers = dense([latent + 1, *hidden, n_voxels], activation, init, normalised=True)
        self.output = ACTIVATIONS[activation]()

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        """Turn noise [n, latent] and condition [n, 1] into voxels [n, n_voxels] in units of the incident energy."""
        voxels: Tensor = self.output(self.layers(torch.cat([z, condition], dim=1)))
        return voxels


def dense(sizes: Sequence[int], activation: str, init: str, *, normalised: bool = False) -> nn.Sequential:
    """Make dense layers with activations between them."""
    layers: list[nn.Module] = []
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        layer = nn.Linear(n_in, n_out)
        if init == "he_uniform":
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        else:
            nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        layers.append(layer)
        if number < len(sizes) - 2:
            layers += [nn.BatchNorm1d(n_out, eps=1e-3, momentum=0.01)] if normalised else []  # the defaults of Keras
            layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)
