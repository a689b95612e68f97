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
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.gradient_penalty import gradient_penalty
from hgcal_gnn.generation.noise import noise
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.generation.voxel.base import ImageSizes, VoxelModel, VoxelModelConfig, single_section
from hgcal_gnn.generation.voxel.post_processor import PostProcessor, PostProcessorConfig, post_processor_stage
from hgcal_gnn.generation.voxel.wgan_gp_fast import FastGenerator
from hgcal_gnn.generation.voxel.wgan_gp_networks import Constrainer, Critic, Generator, depth_first, initialise
from hgcal_gnn.nn.threads import is_compiled_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.image_batch import ImageBatch


SUM_PER_ENERGY = 17.0  # of the published images: about 1.7 GeV visible of a photon of 100 GeV, in MeV per GeV


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

    def traceable(self) -> Self:
        """Leave out a post-processor that does nothing yet."""
        if self.post_processor is None or bool(self.post_processor.active):
            return self
        return self._with_generating(nn.ModuleDict({"generator": self.generator}))

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

    def prepare(self) -> Self:
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
        z = noise(condition.n, self.config.latent, condition.energy, random)
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
