"""CaloGAN: one locally connected generator per layer of the calorimeter, and attention from each layer to the next.

arXiv:1705.02355 and 1712.10321; sizes and losses as in the code published with them. Layers are images of two axes:
3 x 96, 12 x 12 and 12 x 6 there, any number and sizes here.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.noise import noise
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.generation.voxel.base import ImageSizes, VoxelModel, VoxelModelConfig
from hgcal_gnn.generation.voxel.calogan_discriminator import Discriminator, Shape, layer_energies
from hgcal_gnn.generation.voxel.calogan_layers import EPS, SLOPE, convolved
from hgcal_gnn.nn.locally_connected import LocallyConnected2d, locally_connected
from hgcal_gnn.nn.norm_relu import running_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.image_batch import ImageBatch

CARRY_OVER = -10.0  # at the start hardly anything of a layer is taken over into the next


class CaloGANConfig(VoxelModelConfig):
    """Settings of CaloGAN."""

    kind: Literal["calogan"] = "calogan"
    latent: PositiveInt = Field(1024, description="size of the noise")
    energy_scale: PositiveFloat = Field(100.0, description="the noise is multiplied by energy / this [GeV]")
    energy_power: NonNegativeFloat = Field(
        1.0, description="to this power; with per_energy, 1 lets images begin as the square of the energy: take less"
    )
    channels: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (36, 16, 6), description="of a generator: dense, convolution, locally connected"
    )
    attention: bool = Field(True, description="let a layer take over parts of the one before")
    momentum: float = Field(0.01, gt=0, le=1, description="of the running means of the generator's normalisation")
    critic_channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = Field(
        (64, 16, 8, 8), description="of the discriminator: convolution, locally connected"
    )
    minibatch: tuple[PositiveInt, PositiveInt] = Field((10, 10), description="features, dimensions of each")
    energy_weight: NonNegativeFloat = Field(0.05, description="of the mean |total - requested energy| [1/GeV]")
    class_weight: NonNegativeFloat = Field(0.2, description="of telling particles apart, where there are several")
    label_flip: NonNegativeFloat = Field(
        0.3, le=1, description="share of generated showers of which it is told another particle"
    )
    generator_turns: PositiveInt = Field(2, description="steps of the generator per step of the discriminator")
    generator_optimiser: OptimiserConfig = OptimiserConfig.of(learning_rate=2e-4, betas=(0.5, 0.999))
    critic_optimiser: OptimiserConfig = OptimiserConfig.of(learning_rate=2e-5, betas=(0.5, 0.999))


class CaloGAN(VoxelModel):
    """A GAN that knows its layers.

    The published images are deposits in absorber and argon: they sum up to about the incident energy. Here images are
    divided by the visible share of each kind of particle, so that the energies in the losses are of the same size.
    """

    config_class = CaloGANConfig
    config: CaloGANConfig
    generating: Streams

    def __init__(self, config: CaloGANConfig, sizes: ImageSizes) -> None:
        super().__init__(config, sizes)
        shapes = [(rows, columns) for rows, columns in sizes.shapes.values()]
        self.generating = Streams(shapes, config, len(sizes.pdg_ids))
        self.discriminator = Discriminator(shapes, config.critic_channels, config.minibatch, len(sizes.pdg_ids))

    @classmethod
    def check(cls, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse layers of other than two axes.

        Raises
        ------
        UsageError
        """
        wrong = [f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items() if len(shape) != 2]
        if wrong or not shapes:
            msg = (
                f"calogan generates layers of two axes, this grid has {', '.join(wrong) or 'none'}; it is made for the "
                "detectors calogan and calogan-siw, elsewhere set data.by_layer; calo_shower_gan takes any grid, "
                "others single arrays of three axes"
            )
            raise UsageError(msg)

    def fit(self, sample: ImageBatch) -> None:
        """Take the visible share of the energy of each kind of particle."""
        visible, energy, kind = sample.image.sum(dim=1), sample.condition.energy, sample.condition.kind
        for number in range(len(self.generating.share)):
            mine = kind == number if bool((kind == number).any()) else kind >= 0
            self.generating.share[number] = visible[mine].sum() / energy[mine].sum()

    def stages(self, iterations: int) -> Sequence[Stage]:
        """Train discriminator and generator in turn."""
        config = self.config
        players = (
            Player("critic", self.discriminator, self.critic_losses, config.critic_optimiser),
            Player(
                "generator", self.generating, self.generator_losses, config.generator_optimiser,
                turns=config.generator_turns,
            ),
        )  # fmt: skip
        return [Stage("gan", players, iterations)]

    def generate(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images [GeV]."""
        image = torch.cat([layer.flatten(1) for layer in self.layers(condition, random)], dim=1)
        return image * self.generating.share[condition.kind][:, None]

    def prepare(self) -> Self:
        """Return a faster model of the same images."""
        return self._with_generating(self.generating.folded())

    def layers(self, condition: Condition, random: torch.Generator | None = None) -> list[Tensor]:
        """Generate calibrated layers [GeV], [n, rows, columns] each."""
        z = noise(condition.n, self.config.latent, condition.energy, random)
        h = z * (condition.energy / self.config.energy_scale).pow(self.config.energy_power)[:, None]
        return [self.with_energy(layer, condition) for layer in self.generating(h, condition.kind)]

    def critic_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Tell real from generated.

        The two are judged one after the other: batch normalisation and minibatch discrimination would see the mixture.
        """
        condition = batch.condition
        real = list(self.sections(batch.image / self.generating.share[condition.kind][:, None]).values())
        with torch.no_grad():
            fake = self.layers(condition)
        on_real, kinds_real = self.discriminator(real, condition.energy)
        on_fake, kinds_fake = self.discriminator(fake, condition.energy)
        # the energies of both are what they are: their distance to the requested ones teaches the generator only
        adversarial = cross_entropy(on_real, real=True) + cross_entropy(on_fake, real=False)
        if kinds_real is None:
            return {"loss": adversarial}
        told = flipped(condition.kind, self.config.label_flip, kinds_fake.shape[1])
        classes = functional.cross_entropy(kinds_real, condition.kind) + functional.cross_entropy(kinds_fake, told)
        return {"loss": adversarial + self.config.class_weight * classes, "critic_classes": classes}

    def generator_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Be taken for real, of the requested energy and kind."""
        condition = batch.condition
        fake = self.layers(condition)
        verdict, kinds = self.discriminator(fake, condition.energy)
        energy = (layer_energies(fake).sum(dim=1) - condition.energy).abs().mean()
        losses = {"loss": cross_entropy(verdict, real=True) + self.config.energy_weight * energy, "energy": energy}
        if kinds is not None:
            losses["classes"] = functional.cross_entropy(kinds, condition.kind)
            losses["loss"] = losses["loss"] + self.config.class_weight * losses["classes"]
        return losses


class Streams(nn.Module):
    """The generators of all layers, each LAGAN-like (arXiv:1701.05927), and the attention between them."""

    share: Tensor

    def __init__(self, shapes: Sequence[Shape], config: CaloGANConfig, n_kinds: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(Stream(shape, config.latent, config.channels, config.momentum) for shape in shapes)
        followers = shapes[1:] if config.attention else []
        self.attention = nn.ModuleList(CarryOver(shape) for shape in followers)
        self.embedding = nn.Embedding(n_kinds, config.latent) if n_kinds > 1 else None
        if self.embedding is not None:
            nn.init.xavier_normal_(self.embedding.weight)
        self.register_buffer("share", torch.ones(n_kinds))  # visible energy per incident energy

    def forward(self, h: Tensor, kind: Tensor) -> list[Tensor]:
        """Turn noise [n, latent] into layers [n, rows, columns], at least 0."""
        if self.embedding is not None:
            h = h * self.embedding(kind)
        image: Tensor | None = None
        images = []
        for number, stream in enumerate(self.streams):
            own: Tensor = stream(h)
            image = own if image is None or not len(self.attention) else self.attention[number - 1](own, image)
            images.append(image)
        return [image.relu().squeeze(3) for image in images]

    def folded(self) -> Self:
        """Return the same for use only, with `FoldedStream`s."""
        other = copy.copy(self)
        folded = (FoldedStream(stream) for stream in self.streams)  # type: ignore[arg-type]
        other._modules = {**self._modules, "streams": nn.ModuleList(folded)}
        return other


class Stream(nn.Module):
    """Noise to the image of one layer: dense, convolution, two locally connected layers."""

    def __init__(self, shape: Shape, latent: int, channels: tuple[int, int, int], momentum: float) -> None:
        super().__init__()
        rows, columns = shape
        self.wide = (rows + 2, columns + 2)  # each locally connected layer takes a row and a column away
        dense, convolution, local = channels
        self.dense = nn.Linear(latent, self.wide[0] * self.wide[1] * dense)
        self.convolution = nn.Conv2d(dense, convolution, 2)
        self.norm = nn.BatchNorm2d(convolution, EPS, momentum)
        self.local = LocallyConnected2d(self.wide, convolution, local, (2, 2))
        self.last = LocallyConnected2d((rows + 1, columns + 1), local, 1, (2, 2), bias=False)
        nn.init.xavier_uniform_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)
        for layer, fan_in in ((self.convolution, 4 * dense), (self.local, 4 * convolution)):
            bound = (6 / fan_in) ** 0.5  # He uniform
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.last.weight, std=(2 / (4 * local + 4)) ** 0.5)  # Glorot normal

    def forward(self, h: Tensor) -> Tensor:
        """Turn [n, latent] into [n, rows, columns, 1], of either sign."""
        x = self.dense(h).view(h.shape[0], *self.wide, -1).permute(0, 3, 1, 2)
        x = self.norm(functional.leaky_relu(convolved(x, self.convolution), SLOPE)).permute(0, 2, 3, 1)
        x = functional.leaky_relu(self.local(x), SLOPE)
        found: Tensor = self.last(x)
        return found


class FoldedStream(nn.Module):
    """A stream in use: nothing bends between dense layer and convolution, so both are one; so are norm and next layer.

    As published, this takes 4/9 of the operations and of the memory, with the same result but for rounding.
    """

    weight: Tensor
    bias: Tensor
    local_weight: Tensor
    local_bias: Tensor

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.wide, self.last = stream.wide, stream.last
        dense, convolution, local = stream.dense, stream.convolution, stream.local
        with torch.no_grad():
            columns = torch.cat([dense.weight.T, dense.bias[None]])  # an image for each number of the noise, and one
            images = columns.reshape(-1, *stream.wide, convolution.in_channels).permute(0, 3, 1, 2)
            columns = convolved(images, convolution, bias=False).permute(0, 2, 3, 1).flatten(1)
            scale, shift = (line.repeat(4) for line in running_line(stream.norm))
            self.register_buffer("weight", columns[:-1].T.contiguous())
            added = convolution.bias.repeat(math.prod(stream.wide))  # type: ignore[union-attr]
            self.register_buffer("bias", columns[-1] + added)
            self.register_buffer("local_weight", local.weight * scale[:, None])
            self.register_buffer("local_bias", local.bias + (shift @ local.weight)[:, None])  # type: ignore[operator]

    def forward(self, h: Tensor) -> Tensor:
        """Do the same as the stream."""
        x = functional.leaky_relu(functional.linear(h, self.weight, self.bias), SLOPE).view(h.shape[0], *self.wide, -1)
        x = functional.leaky_relu(locally_connected(x, self.local_weight, self.local_bias, (2, 2)), SLOPE)
        found: Tensor = self.last(x)
        return found


class CarryOver(nn.Module):
    """Attention: at each place a weighted mean of a layer's own image and of that of the layer before."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.local = LocallyConnected2d(shape, 2, 2, (3, 3), padding=(1, 1))
        with torch.no_grad():
            self.local.bias[:, :, 1] = CARRY_OVER  # type: ignore[index]

    def forward(self, own: Tensor, before: Tensor) -> Tensor:
        """Mix [n, rows, columns, 1] with the image of the layer before, of whatever size."""
        # repeats where the layer is finer by a whole number, takes means where it is coarser
        resized = functional.adaptive_avg_pool2d(before.permute(0, 3, 1, 2), self.shape).permute(0, 2, 3, 1)
        both = torch.cat([own, resized], dim=3)
        found: Tensor = (both * self.local(both).softmax(dim=3)).sum(dim=3, keepdim=True)
        return found


def cross_entropy(logits: Tensor, *, real: bool) -> Tensor:
    """Return the mean binary cross entropy of verdicts on samples that count all as real or all as generated."""
    return functional.softplus(-logits if real else logits).mean()


def flipped(kind: Tensor, share: float, n_kinds: int) -> Tensor:
    """Return kinds of which a share, drawn by chance, is another one."""
    other = (kind + torch.randint_like(kind, 1, n_kinds)) % n_kinds
    return torch.where(torch.rand(kind.shape, device=kind.device) < share, other, kind)
