"""BIB-AE: an autoencoder with a bounded latent, trained by critics of images, differences and latents.

arXiv:2005.05334, section 3.3, with the numbers of github.com/FLC-QU-hep/getting_high (BIBAE_PP_Run.py); incident
angle as in arXiv:2303.18150, sampling of the latents by a kernel density as in arXiv:2102.12491.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.gradient_penalty import gradient_penalty
from hgcal_gnn.generation.noise import noise
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.generation.voxel.base import ImageSizes, VoxelModel, VoxelModelConfig, single_section
from hgcal_gnn.generation.voxel.bib_ae_networks import SMALLEST, Critic, Decoder, Encoder, FastDecoder, LatentCritic
from hgcal_gnn.generation.voxel.latent_density import LatentDensity
from hgcal_gnn.generation.voxel.post_processor import (
    PostProcessor,
    PostProcessorConfig,
    post_processor_stage,
    published_unit,
)
from hgcal_gnn.nn.threads import is_traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Self

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.image_batch import ImageBatch

MAIN = "bib_ae"
BLOCK = 16  # showers decoded at a time: layers of twice the size take 14 MB a shower
CORRECTED = 1  # showers corrected at a time: 14 MB a layer, and fresh memory for more takes as long as the sums
EPOCH = 118_750  # batches of the published epoch, 950,000 showers in batches of 8
KERNELS = (1.0, 0.01)  # alpha of the kernels of the latents


def _adam(learning_rate: float) -> OptimiserConfig:
    return OptimiserConfig.of(
        learning_rate=learning_rate, betas=(0.5, 0.9), schedule="exponential", factor=0.95, period=EPOCH
    )


class BIBAEConfig(VoxelModelConfig):
    """Settings of the BIB-AE."""

    kind: Literal["bib_ae"] = "bib_ae"
    angle: bool = Field(False, description="tell it the polar angle, too")
    channels: PositiveInt = Field(8, description="of the first layer of the encoder; all others follow")
    hidden: tuple[PositiveInt, PositiveInt] = Field((4000, 768), description="dense layers of the encoder")
    critic_channels: PositiveInt = Field(128, description="of the convolutions of the critic")
    latent: PositiveInt = Field(24, description="latents that the encoder fills")
    latent_noise: int = Field(488, ge=0, description="latents that are noise only")
    latent_sampling: Literal["normal", "kde"] = Field("normal", description="where latents come from")
    kde_showers: PositiveInt = Field(20_000, description="encoded showers kept for that")
    kde_bandwidth: PositiveFloat | None = Field(None, description="in units of their spread; default: Scott's rule")
    kld_weight: NonNegativeFloat = Field(0.05, description="of the Kullback-Leibler divergence of the latents")
    latent_kernel_weight: NonNegativeFloat = Field(100.0, description="of the kernel distance of the latents")
    critic_weight: NonNegativeFloat = Field(1.0, description="of what the critic says of the showers")
    latent_critic_weight: NonNegativeFloat = Field(100.0, description="of what the critic says of the latents")
    sum_weight: NonNegativeFloat = Field(0.0, description="of the squared difference of energy sums, over their mean")
    same_weight: NonNegativeFloat = Field(0.0, description="of the squared difference of the logarithms of cells")
    gradient_penalty: PositiveFloat = Field(10.0, description="lambda of both critics")
    critic_steps: PositiveInt = Field(5, description="steps of both critics per step of the autoencoder")
    optimiser: OptimiserConfig = _adam(5e-4)
    critic_optimiser: OptimiserConfig = _adam(5e-4)
    latent_critic_optimiser: OptimiserConfig = _adam(2e-3)
    post_processor: PostProcessorConfig | None = Field(
        PostProcessorConfig.model_validate({}), description="a second stage corrects the cells; null: none"
    )


class BIBAE(VoxelModel):
    """The autoencoder, its critics, and its post-processor.

    Images are in MeV of the published data inside (see `published_unit`). Energies are told in units of the highest
    one: the published code tells GeV beside noise of width 1.
    """

    config_class = BIBAEConfig
    config: BIBAEConfig

    def __init__(self, config: BIBAEConfig, sizes: ImageSizes) -> None:
        super().__init__(config, sizes)
        self.shape = shape = single_section(config.kind, sizes.shapes)
        told = 2 if config.angle else 1
        n_latent = config.latent + config.latent_noise
        self.encoder = Encoder(shape, config.channels, config.hidden, config.latent, told)
        self.critic = Critic(shape, config.critic_channels, told)
        self.latent_critic = LatentCritic()
        self.decoder = Decoder(shape, config.channels, config.hidden[::-1], n_latent + told)
        parts: dict[str, nn.Module] = {"decoder": self.decoder}
        if config.latent_sampling == "kde":
            parts["density"] = LatentDensity(config.kde_showers, config.latent, config.kde_bandwidth)
        if config.post_processor is not None:
            parts["post_processor"] = PostProcessor(shape, config.post_processor)
        self.generating = nn.ModuleDict(parts)
        self.generating.register_buffer("unit", torch.tensor(1e-3))

    @classmethod
    def check(cls, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse all but one array of three axes that is not too small."""
        shape = single_section("bib_ae", shapes)
        if min(shape) < SMALLEST:
            told = "x".join(map(str, shape))
            msg = f"bib_ae needs at least {SMALLEST} cells along each axis, this grid has {told}; gan takes less"
            raise UsageError(msg)

    def fit(self, sample: ImageBatch) -> None:
        """Take the scales of energies."""
        self.unit.fill_(published_unit(sample.image))
        if self.post_processor is not None:
            self.post_processor.fit(sample)

    @property
    def unit(self) -> Tensor:
        """Energy that is a MeV of the published data [GeV]."""
        unit: Tensor = self.generating.unit  # type: ignore[assignment]
        return unit

    @property
    def post_processor(self) -> PostProcessor | None:
        """What corrects the cells, if anything does."""
        return self._part("post_processor")  # type: ignore[return-value]

    @property
    def density(self) -> LatentDensity | None:
        """Where latents come from, if not from a normal distribution."""
        return self._part("density")  # type: ignore[return-value]

    def _part(self, name: str) -> nn.Module | None:
        parts = dict(self.generating.named_children())
        return parts.get(name)

    def stages(self, iterations: int) -> Sequence[Stage]:
        """Train the autoencoder, then the post-processor on showers that it generates."""
        config = self.config
        both = nn.ModuleList([self.encoder, self.decoder])
        players = (
            Player("critic", self.critic, self.critic_losses, config.critic_optimiser, turns=config.critic_steps),
            Player(
                "latent_critic", self.latent_critic, self.latent_critic_losses, config.latent_critic_optimiser,
                turns=config.critic_steps,
            ),
            Player("generator", both, self.losses, config.optimiser),
        )  # fmt: skip
        stages = [Stage(MAIN, players, iterations)]
        if self.post_processor is not None and config.post_processor is not None:
            generate = lambda batch: self._plain(batch.condition)  # noqa: E731
            stages.append(post_processor_stage(self.post_processor, generate, iterations, config.post_processor))
        return stages

    def after_stage(self, stage: str, showers: Callable[[int], Iterable[ImageBatch]]) -> bool:
        """Encode showers, whose latents are the density to sample from."""
        if stage != MAIN or self.density is None:
            return False
        random = torch.Generator().manual_seed(0)
        found = []
        for batch in showers(self.config.kde_showers):
            for start in range(0, len(batch), BLOCK):
                rows = slice(start, start + BLOCK)
                told = self._told(batch.condition.rows(rows))
                mean, variance = self.encoder(self._values(batch.image[rows]), told)
                z = mean + noise(len(mean), self.config.latent, mean, random) * (variance / 2).exp()
                found.append((z, batch.condition.energy[rows]))
        self.density.fit(torch.cat([z for z, _ in found]), torch.cat([energy for _, energy in found]))
        return True

    def prepare(self) -> Self:
        """Put the channels of images last."""
        return self._simplified(FastDecoder(self.decoder))

    def traceable(self) -> Self:
        """Leave out what does nothing yet."""
        return self._simplified(self.decoder)

    def _simplified(self, decoder: nn.Module) -> Self:
        """Return a model with another decoder, without parts that do nothing yet."""
        parts: dict[str, nn.Module] = {"decoder": decoder}
        if self.density is not None and bool(self.density.known):
            parts["density"] = self.density.fixed()
        if self.post_processor is not None and bool(self.post_processor.active):
            parts["post_processor"] = self.post_processor
        generating = nn.ModuleDict(parts)
        generating.register_buffer("unit", self.unit)
        return self._with_generating(generating)

    def generate(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images [GeV]."""
        image = self._plain(condition, random)
        corrects = self.post_processor
        if corrects is None:
            return image
        blocks = in_blocks(image, CORRECTED)
        return torch.cat([corrects(image[rows], condition.energy[rows]) for rows in blocks])

    def _plain(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images that are not corrected."""
        config = self.config
        z = noise(condition.n, config.latent + config.latent_noise, condition.energy, random)
        if self.density is not None and (is_traced() or bool(self.density.known)):
            z = torch.cat([self.density.sample(condition, random), z[:, config.latent :]], dim=1)
        decoded = [self._decoded(z[rows], condition.rows(rows)) for rows in in_blocks(z, BLOCK)]
        return torch.cat(decoded).flatten(1) * self.unit

    def critic_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the loss of the critic: pairs of original and reconstruction against pairs of the same original."""
        told = self._told(batch.condition)
        with torch.no_grad():
            values = self._values(batch.image)
            fake = torch.cat([values, self._decoded(self._latents(values, told)[0], batch.condition)], dim=1)
        real = torch.cat([values, values], dim=1)
        distance = self.critic(real, told).mean() - self.critic(fake, told).mean()
        penalty = gradient_penalty(lambda pair: self.critic(pair, told), real, fake)
        return {
            "loss": self.config.gradient_penalty * penalty - distance,
            "distance": distance,
            "penalty": penalty,
        }

    def latent_critic_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the loss of the critic of latents: those of showers against noise."""
        with torch.no_grad():
            fake = self._latents(self._values(batch.image), self._told(batch.condition))[0]
        real = torch.randn_like(fake)
        distance = self.latent_critic(real).mean() - self.latent_critic(fake).mean()
        penalty = gradient_penalty(self.latent_critic, real, fake)
        return {"loss": self.config.gradient_penalty * penalty - distance, "latent_distance": distance}

    def losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the losses of the autoencoder."""
        config, told = self.config, self._told(batch.condition)
        values = self._values(batch.image)
        z, mean, variance = self._latents(values, told)
        decoded = self._decoded(z, batch.condition)
        found = {
            "kld": config.kld_weight * divergence(mean, variance),
            "latent_kernel": config.latent_kernel_weight * latent_distance(z, torch.randn_like(z)),
            "image": -config.critic_weight * self.critic(torch.cat([values, decoded], dim=1), told).mean(),
            "latent": -config.latent_critic_weight * self.latent_critic(z).mean(),
        }
        if config.sum_weight:
            sums, ours = values.flatten(1).sum(dim=1), decoded.flatten(1).sum(dim=1)
            found["sum"] = config.sum_weight * ((ours - sums) / sums.mean()).square().mean()
        if config.same_weight:
            found["same"] = config.same_weight * (decoded.log1p() - values.log1p()).square().mean()
        return {"loss": torch.stack(list(found.values())).sum(), **found}

    def _values(self, image: Tensor) -> Tensor:
        """Return images [GeV] as the networks see them, [n, 1, *shape]."""
        return (image / self.unit).reshape(-1, 1, *self.shape)

    def _told(self, condition: Condition) -> Tensor:
        told = [condition.energy / self.sizes.energy[1]]
        if self.config.angle:
            told.append(condition.theta)
        return torch.stack(told, dim=1)

    def _latents(self, values: Tensor, told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return all latents [n, latent + latent_noise], and mean and ln(variance) of those that the encoder fills."""
        mean, variance = self.encoder(values, told)
        z = torch.randn(len(values), self.config.latent + self.config.latent_noise, device=values.device)
        filled = mean + z[:, : self.config.latent] * (variance / 2).exp()
        return torch.cat([filled, z[:, self.config.latent :]], dim=1), mean, variance

    def _decoded(self, z: Tensor, condition: Condition) -> Tensor:
        """Return images as the networks see them, [n, 1, *shape]."""
        decoder = self.generating["decoder"]  # type: ignore[index]
        values: Tensor = decoder(torch.cat([z, self._told(condition)], dim=1))
        return self.with_energy(values, condition)


def in_blocks(rows: Tensor, size: int) -> list[slice]:
    """Cut rows into blocks of some size; they are one block where a network is traced."""
    if is_traced():
        return [slice(None)]
    return [slice(start, start + size) for start in range(0, len(rows), size)]


def divergence(mean: Tensor, variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of normal latents (`variance` is its logarithm) to noise, mean of showers.

    Sum over latents of (mean^2 + variance - ln(variance) - 1) / 2.
    """
    return (mean.square() + variance.exp() - variance - 1).sum(dim=1).mean() / 2


def latent_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the kernel distance of two sets of latents [n, n_latent], all pairs counted, summed over `KERNELS`."""
    pairs = [(ours, ours), (theirs, theirs), (ours, theirs)]
    squares = [(a[:, None] - b[None]).square().sum(dim=2) for a, b in pairs]
    sums = [[torch.exp(-alpha * square).mean() for square in squares] for alpha in KERNELS]
    return torch.stack([x + y - 2 * xy for x, y, xy in sums]).sum()
