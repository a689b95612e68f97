"""WGAN-GP with an energy constrainer: convolutions in three dimensions ("Getting High", arXiv:2005.05334).

Networks, losses and numbers of the paper's second model and its published code, for 30 layers of 30 x 30 cells; other
lengths are computed. Several sections (ECAL and HCAL) are generated together: noise and energy are shared, each section
has a branch of convolutions in the generator, the critic and the constrainer.

The published images are in MeV, about 17 MeV per GeV of the photon. Layer norms forget the scale of an image but for
their `eps`, so that the unit matters: `fit` finds the one in which ours have the same sum. The published generator was
told the energy in GeV, 10 to 100 beside noise of size 1; here the energy is scaled to weigh as much as all the noise.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.gradient_penalty import gradient_penalty
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.generation.voxel.base import ImageSizes, VoxelModel, VoxelModelConfig, noise, single_section
from hgcal_gnn.generation.voxel.post_processor import PostProcessor, PostProcessorConfig, post_processor_stage
from hgcal_gnn.generation.voxel.wgan_gp_fast import FastGenerator
from hgcal_gnn.nn.threads import is_compiled_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.image_batch import ImageBatch

Shape = tuple[int, int, int]

SUM_PER_ENERGY = 17.0  # of the published images: about 1.7 GeV visible of a photon of 100 GeV, in MeV per GeV
DOUBLINGS = 3  # of the lengths in the generator
SLOPE = 0.2  # of the leaky ReLU


class WGANConfig(VoxelModelConfig):
    """Settings of the WGAN-GP with constrainer."""

    kind: Literal["wgan_gp"] = "wgan_gp"
    depth_axis: Literal[0, 1, 2] = Field(0, description="axis of the layers in the voxels: 0 for ild, 2 for lcd, clic")
    latent: PositiveInt = Field(100, description="size of the noise")
    channels: PositiveInt = Field(32, description="of the generator's last feature maps; before: 4, 4, 2 times as many")
    critic_channels: PositiveInt = Field(32, description="of the critic's first feature maps; then: 2, 4 times as many")
    critic_hidden: tuple[PositiveInt, ...] = Field((100, 200, 100, 75), description="dense layers of the critic")
    constrainer_channels: PositiveInt = Field(16, description="of the constrainer's feature maps: this, twice, this")
    constrainer_hidden: PositiveInt = Field(100, description="dense layer of the constrainer")
    eps: PositiveFloat = Field(
        1e-5, description="of the layer norms of critic and constrainer; larger: they see scales"
    )
    gradient_penalty: PositiveFloat = Field(5.0, description="lambda")
    constraint: NonNegativeFloat = Field(0.01, description="kappa: weight of the constrainer's squared errors [GeV^2]")
    critic_steps: PositiveInt = Field(5, description="steps of the critic per step of the generator")
    constrainer_until: PositiveInt | None = Field(30_000, description="iterations after which it learns no more")
    generator_optimiser: OptimiserConfig = OptimiserConfig.of(
        learning_rate=1e-4, betas=(0.5, 0.9), schedule="steps", milestones=(50_000, 100_000)
    )
    critic_optimiser: OptimiserConfig = OptimiserConfig.of(
        learning_rate=1e-5, betas=(0.5, 0.9), schedule="steps", milestones=(50_000,)
    )
    constrainer_optimiser: OptimiserConfig = OptimiserConfig.of(kind="sgd", learning_rate=1e-5)
    post_processor: PostProcessorConfig | None = Field(
        None, description="a second stage corrects the cells of one section; published: {stride: 50}, off"
    )


class WGAN(VoxelModel):
    """Generator, critic and constrainer."""

    config_class = WGANConfig
    config: WGANConfig
    generating: nn.ModuleDict

    def __init__(self, config: WGANConfig, sizes: ImageSizes) -> None:
        super().__init__(config, sizes)
        axis = config.depth_axis
        shapes = [depth_first(shape, axis) for shape in sizes.shapes.values()]
        self.generating = nn.ModuleDict({"generator": Generator(shapes, config.latent, config.channels)})
        self.critic = Critic(shapes, config.critic_channels, config.critic_hidden, config.eps)
        self.constrainer = Constrainer(shapes, config.constrainer_channels, config.constrainer_hidden, config.eps)
        self.middle = sum(sizes.energy) / 2
        for part in (self.generating, self.critic, self.constrainer):
            part.apply(initialise)
        if config.post_processor is not None:
            shape = single_section("the post-processor of wgan_gp", sizes.shapes)
            self.generating["post_processor"] = PostProcessor(shape, config.post_processor)

    @classmethod
    def check(cls, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse sections that are not arrays of three axes.

        Raises
        ------
        UsageError
        """
        wrong = {name: shape for name, shape in shapes.items() if len(shape) != 3}
        if wrong:
            told = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in wrong.items())
            msg = (
                f"wgan_gp generates arrays of three axes, this grid has {told}; calo_shower_gan takes any grid, "
                "calogan layers of two axes"
            )
            raise UsageError(msg)

    def fit(self, sample: ImageBatch) -> None:
        """Take the unit of the images, and start the constrainer at the mean energy.

        Its last layer ends in a ReLU: started at 0, every second seed would never leave it.
        """
        share = float(sample.image.sum() / sample.condition.energy.sum())
        self.unit.fill_(share / SUM_PER_ENERGY)
        if self.post_processor is not None:
            self.post_processor.fit(sample)
        nn.init.constant_(self.constrainer.last.bias, float(sample.condition.energy.mean()))

    @property
    def unit(self) -> Tensor:
        """Unit of the images inside [GeV]."""
        return self.generator.unit

    @property
    def generator(self) -> Generator:
        """The generator alone."""
        return self.generating["generator"]  # type: ignore[return-value]

    @property
    def post_processor(self) -> PostProcessor | None:
        """What corrects its images, if anything does."""
        return dict(self.generating.items()).get("post_processor")  # type: ignore[return-value]

    def generate(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images [GeV]."""
        images = self._flat(self._images(condition, random)) * self.unit
        return images if self.post_processor is None else self.post_processor(images, condition.energy)

    def prepare(self) -> VoxelModel:
        """Generate on CPUs with the faster form of the generator."""
        if not is_compiled_for(self.unit):
            return self
        return self._with_generating(nn.ModuleDict({**self.generating, "generator": FastGenerator(self.generator)}))

    def stages(self, iterations: int) -> Sequence[Stage]:
        """Train all three together, then the post-processor if there is one."""
        config = self.config
        players = (
            Player("critic", self.critic, self.critic_losses, config.critic_optimiser),
            Player(
                "constrainer", self.constrainer, self.constrainer_losses, config.constrainer_optimiser,
                until=config.constrainer_until,
            ),
            Player(
                "generator", self.generator, self.generator_losses, config.generator_optimiser,
                every=config.critic_steps,
            ),
        )  # fmt: skip
        stages = [Stage("gan", players, iterations)]
        if self.post_processor is not None and config.post_processor is not None:

            def uncorrected(batch: ImageBatch) -> Tensor:
                return self._flat(self._images(batch.condition)) * self.unit

            stages.append(post_processor_stage(self.post_processor, uncorrected, iterations, config.post_processor))
        return stages

    def critic_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Wasserstein distance, to be made large, with gradient penalty (equation 3 of arXiv:1704.00028)."""
        told, real = self._told(batch.condition), self._real(batch)
        with torch.no_grad():
            fake = self._images(batch.condition)
        scores = self.critic([torch.cat(pair) for pair in zip(real, fake, strict=True)], torch.cat([told, told]))
        distance = scores[: len(batch)].mean() - scores[len(batch) :].mean()

        def score(flat: Tensor) -> Tensor:
            result: Tensor = self.critic(self._sections(flat), told)
            return result

        penalty = gradient_penalty(score, self._flat(real), self._flat(fake))
        return {
            "loss": self.config.gradient_penalty * penalty - distance, "distance": distance, "penalty": penalty
        }  # fmt: skip

    def constrainer_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Mean absolute error of the energy of real showers [GeV]."""
        return {"loss": functional.l1_loss(self.constrainer(self._real(batch)), batch.condition.energy)}

    def generator_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Critic's score, and how differently the constrainer errs on generated and on real showers."""
        energy = batch.condition.energy
        fake = self._images(batch.condition)
        errors = [(self.constrainer(images) - energy).square() for images in (fake, self._real(batch))]
        constraint = (errors[0] - errors[1]).abs().mean()
        score = self.critic(fake, self._told(batch.condition)).mean()
        return {"loss": self.config.constraint * constraint - score, "constraint": constraint}

    def _images(self, condition: Condition, random: torch.Generator | None = None) -> list[Tensor]:
        """Generate the sections in the unit inside, [n, depth, across, across] each."""
        z = noise(len(condition), self.config.latent, condition.energy, random)
        images: list[Tensor] = self.generator(z, math.sqrt(self.config.latent) * self._told(condition))
        return [self.with_energy(image, condition) for image in images]

    def _real(self, batch: ImageBatch) -> list[Tensor]:
        return self._sections(batch.image / self.unit)

    def _told(self, condition: Condition) -> Tensor:
        """Return the energies in units of the middle of their range, [n, 1]."""
        return condition.energy[:, None] / self.middle

    def _sections(self, flat: Tensor) -> list[Tensor]:
        """Return sections with the layers as the first axis after the shower."""
        return [part.movedim(1 + self.config.depth_axis, 1) for part in self.sections(flat).values()]

    def _flat(self, sections: Sequence[Tensor]) -> Tensor:
        """Undo `_sections`."""
        return torch.cat([part.movedim(1, 1 + self.config.depth_axis).flatten(1) for part in sections], dim=1)


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
