"""3DGAN: 3D convolutions with auxiliary tasks, for 25x25x25 voxels, and for 51x51x25 with the angle of the particle.

Published as arXiv:1912.06794 and arXiv:2109.07388; sizes, losses and optimisers are those of github.com/svalleco/3Dgan
(25x25x25) and github.com/interTwin-eu/DetectorSim-3DGAN (51x51x25). They come from Keras, and so do the constants of
normalisations and the distributions of first weights.

Images are in units in which they sum up to as much as theirs do: 0.02 per GeV, with angle 1 per GeV (their energies are
multiplied by 50). The published code takes 2 % of the incident energy for the visible one; here it is the share in the
training sample, of each kind of particle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, leaky_relu

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.noise import noise
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.generation.voxel.base import ImageSizes, VoxelModel, VoxelModelConfig
from hgcal_gnn.generation.voxel.fold import folded
from hgcal_gnn.generation.voxel.gan3d_networks import ANGLE, PLAIN, SLOPE, Discriminator, Layout, generator_layers
from hgcal_gnn.generation.voxel.slope import energy_slope, fit_slope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.image_batch import ImageBatch

ENERGY_UNIT = 100.0  # GeV
SCALED_WITH = 64  # showers
KINDS = 2  # that a sigmoid tells apart
RMSPROP = OptimiserConfig.of(kind="rmsprop", learning_rate=1e-3, alpha=0.9, eps=1e-7)


class GAN3DConfig(VoxelModelConfig):
    """Settings of 3DGAN."""

    kind: Literal["gan3d"] = "gan3d"
    threshold: NonNegativeFloat = Field(
        1e-6, description="voxels of at most this energy are empty, in the training showers as in generated ones [GeV]"
    )
    angle: bool = Field(False, description="51x51x25 voxels and the polar angle; else 25x25x25")
    auxiliary: Literal["energy", "particle"] = Field(
        "energy", description="second task of the discriminator: energy, or which of two kinds of particles"
    )
    latent: PositiveInt | None = Field(None, description="size of the noise; default: 200, with angle 254")
    channels: tuple[PositiveInt, ...] = Field((), description="of the generator; default: as published")
    discriminator: tuple[PositiveInt, ...] = Field((), description="channels; default: as published")
    sum_per_gev: PositiveFloat | None = Field(
        None, description="mean sum of an image per GeV of incident energy; default: 0.02, with angle 1"
    )
    momentum: PositiveFloat = Field(0.01, lt=1, description="of the statistics of normalisations")
    adversarial_weight: PositiveFloat | None = Field(None, description="of the loss; default: 6, with angle 3")
    auxiliary_weight: NonNegativeFloat | None = Field(None, description="default: 0.2, with angle 0.1")
    sum_weight: NonNegativeFloat = Field(0.1, description="of the visible energy's percentage error")
    angle_weight: NonNegativeFloat = Field(25.0, description="of the error of the angle [rad]")
    power: PositiveFloat = Field(0.85, le=1, description="with angle: voxels are raised to this power")
    label_flip: float = Field(0.05, ge=0, lt=0.5, description="share of wrong labels for the discriminator")
    head: NonNegativeFloat = Field(
        0.0,
        description="iterations, per iteration of the GAN, in which at the end the discriminator learns its second "
        "task alone, from training showers, its normalisations at rest; published: 0",
    )
    generator_steps: PositiveInt = Field(2, description="of the generator per step of the discriminator")
    generator_optimiser: OptimiserConfig = RMSPROP
    discriminator_optimiser: OptimiserConfig = RMSPROP

    @property
    def layout(self) -> Layout:
        """Shapes of the networks."""
        return ANGLE if self.angle else PLAIN


class GAN3D(VoxelModel):
    """Generator and discriminator with heads for real or not, and energy or kind of particle."""

    config_class = GAN3DConfig
    config: GAN3DConfig
    generating: nn.ModuleDict

    def __init__(self, config: GAN3DConfig, sizes: ImageSizes) -> None:
        super().__init__(config, sizes)
        layout = config.layout
        _check_shape(layout, sizes.shapes)
        n_kinds = len(sizes.pdg_ids)
        if config.auxiliary == "particle" and n_kinds != KINDS:
            msg = f"model.auxiliary particle tells two kinds of particles apart, the training sample has {n_kinds}"
            raise UsageError(msg)
        self.latent = config.latent or layout.latent
        n_inputs = self.latent + 2 * config.angle
        layers = generator_layers(layout, n_inputs, config.channels or layout.channels, config.momentum)
        self.generating = nn.ModuleDict({"layers": layers})
        if n_kinds > 1:  # multiplies the noise, as usual in auxiliary classifier GANs (arXiv:1610.09585)
            self.generating["kinds"] = nn.Embedding(n_kinds, self.latent)
        self.generating.register_buffer("shares", torch.ones(n_kinds))  # visible energy per incident energy
        self.generating.register_buffer("unit", torch.ones(()))  # energy of a voxel of value 1 [GeV]
        self.discriminator = Discriminator(layout, config.discriminator or layout.discriminator, config.momentum)
        self.register_buffer("slope_line", torch.tensor([0.0, 1.0]))  # cot theta = a + b slope

    @classmethod
    def check(cls, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse all but the two published shapes."""
        if list(shapes.values()) not in ([PLAIN.shape], [ANGLE.shape]):
            told = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
            msg = (
                f"gan3d generates one array of 25x25x25 or, with model.angle, 51x51x25 voxels (lcd25 or clic with "
                f"data.window.layers [1, 25]), this grid has {told}; gan takes one array of any three sizes"
            )
            raise UsageError(msg)

    def fit(self, sample: ImageBatch) -> None:
        """Take the visible share of the energy of each kind, and how the slope of a shower follows the angle."""
        condition = sample.condition
        visible, shares = sample.image.sum(dim=1), self.generating.get_buffer("shares")
        for kind in range(len(shares)):
            mine = condition.kind == kind
            if mine.any():
                shares[kind] = visible[mine].sum() / condition.energy[mine].sum()
        per_gev = self.config.sum_per_gev or self.config.layout.sum_per_gev
        self.generating.get_buffer("unit").copy_(visible.sum() / condition.energy.sum() / per_gev)
        if self.config.angle:
            line = fit_slope(energy_slope(self._cube(sample.image)), condition.theta)
            self.get_buffer("slope_line").copy_(line)
        self._start_as_bright(condition.rows(slice(0, SCALED_WITH)))

    def stages(self, iterations: int) -> Sequence[Stage]:
        """Let both players take turns."""
        config = self.config
        players = (
            Player("discriminator", self.discriminator, self.discriminator_losses, config.discriminator_optimiser),
            Player(
                "generator", self.generating, self.generator_losses, config.generator_optimiser,
                turns=config.generator_steps,
            ),
        )  # fmt: skip
        stages = [Stage("gan", players, iterations)]
        if config.head:
            head = Player("head", self.discriminator, self.head_losses, config.discriminator_optimiser)
            stages.append(Stage("head", (head,), max(1, round(config.head * iterations))))
        return stages

    def generate(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images [GeV]."""
        return self._energies(self._values(condition, random)).flatten(1)

    def prepare(self) -> Self:
        """Store the weights of the convolutions as CPUs like them."""
        return self._with_generating(folded(self.generating))

    def discriminator_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the losses of a real and a generated batch, which never share statistics of normalisations.

        The published code takes a step after each; here their sum is one step.
        """
        with torch.no_grad():
            fake = self._values(batch.condition)
        real = self._to_values(batch.image)
        losses = {}
        total = fake.new_zeros(())
        for name, values, label in (("real", real, 1.0), ("fake", fake, 0.0)):
            scores, second = self._heads(values)
            labels = self._flipped(torch.full_like(scores, label))
            adversarial = binary_cross_entropy_with_logits(scores, labels)
            losses[f"auxiliary_{name}"] = self._auxiliary(second, batch.condition)
            total = total + self._weight() * adversarial + self._auxiliary_weight() * losses[f"auxiliary_{name}"]
        return {"loss": total, **losses}

    def head_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the loss of the second task on training showers, as the discriminator sees them in use.

        In the GAN its normalisations see the mean energy of a batch, which varies by a fifth among 8 showers; here they
        keep the statistics that they have gathered, and nothing drops out.
        """
        self.discriminator.eval()
        return {"loss": self._auxiliary(self._heads(self._to_values(batch.image))[1], batch.condition)}

    def generator_losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the weighted sum of all tasks, as the discriminator sees generated showers."""
        condition = batch.condition
        values = self._values(condition)
        scores, second = self._heads(values)
        losses = {
            "adversarial": binary_cross_entropy_with_logits(scores, torch.ones_like(scores)),
            "auxiliary": self._auxiliary(second, condition),
            "sum_error": percentage_error(self._energies(values).flatten(1).sum(dim=1), self._visible(condition)),
        }
        total = self._weight() * losses["adversarial"] + self._auxiliary_weight() * losses["auxiliary"]
        total = total + self.config.sum_weight * losses["sum_error"]
        if self.config.angle:
            losses["angle_error"] = (self.measured_theta(self._energies(values)) - condition.theta).abs().mean()
            total = total + self.config.angle_weight * losses["angle_error"]
        return {"loss": total, **losses}

    def measured_theta(self, energies: Tensor) -> Tensor:
        """Return the polar angle [rad] that showers [n, *shape] in GeV seem to have, [n]."""
        start, rise = self.get_buffer("slope_line")
        return torch.pi / 2 - torch.atan(start + rise * energy_slope(energies))

    def head_energy(self, image: Tensor) -> Tensor:
        """Return the incident energies [GeV] that the discriminator sees in images [n, n_voxels] in GeV, [n].

        Raises
        ------
        UsageError
            If its second task is another one.
        """
        if self.config.auxiliary != "energy":
            msg = "the discriminator was trained on kinds of particles, not on energies (model.auxiliary)"
            raise UsageError(msg)
        return ENERGY_UNIT * torch.relu(self._heads(self._to_values(image))[1])

    def _values(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images in the units of the networks, [n, *shape]."""
        z = noise(condition.n, self.latent, condition.energy, random)
        if "kinds" in self.generating:
            z = z * self.generating["kinds"](condition.kind)
        energy = (condition.energy / ENERGY_UNIT)[:, None]
        inputs = torch.cat([energy, condition.theta[:, None], z], dim=1) if self.config.angle else energy * z
        values: Tensor = self.generating["layers"](inputs)
        return self.with_energy(values[:, 0], condition, self._power)

    @property
    def _power(self) -> float:
        """Of energies, that the values of the networks are."""
        return self.config.power if self.config.angle else 1.0

    def _cube(self, image: Tensor) -> Tensor:
        return image.reshape(-1, *self.config.layout.shape)

    def _to_values(self, image: Tensor) -> Tensor:
        """Turn images [n, n_voxels] in GeV into the units of the networks, [n, *shape]."""
        values = self._cube(image) / self.generating.get_buffer("unit")
        return values.pow(self._power)

    def _energies(self, values: Tensor) -> Tensor:
        """Turn values of the networks into energies [GeV]."""
        return values.pow(1 / self._power) * self.generating.get_buffer("unit")

    def _visible(self, condition: Condition) -> Tensor:
        """Return the mean visible energy of such particles [GeV], [n]."""
        return self.generating.get_buffer("shares")[condition.kind] * condition.energy

    @torch.no_grad()
    def _start_as_bright(self, condition: Condition) -> None:
        """Scale the first weights of the last convolution: with those of Keras showers begin 200 times too bright."""
        made = self._energies(self._values(condition)).sum()
        if made > 0:
            *_, last = (layer for layer in self.generating.modules() if isinstance(layer, nn.Conv3d))
            last.weight.mul_((self._visible(condition).sum() / made) ** self._power)

    def _heads(self, values: Tensor) -> tuple[Tensor, Tensor]:
        scores, second = self.discriminator(values)
        return scores, second

    def _auxiliary(self, second: Tensor, condition: Condition) -> Tensor:
        if self.config.auxiliary == "particle":
            return binary_cross_entropy_with_logits(second, condition.kind.to(second.dtype))
        # ReLU when it is read out; a head that had fallen to 0 for all showers would never learn again
        return percentage_error(leaky_relu(second, SLOPE), condition.energy / ENERGY_UNIT)

    def _flipped(self, labels: Tensor) -> Tensor:
        return torch.where(torch.rand_like(labels) < self.config.label_flip, 1 - labels, labels)

    def _weight(self) -> float:
        return self.config.adversarial_weight or self.config.layout.adversarial_weight

    def _auxiliary_weight(self) -> float:
        own = self.config.auxiliary_weight
        return self.config.layout.auxiliary_weight if own is None else own


def percentage_error(values: Tensor, target: Tensor) -> Tensor:
    """Return the mean of |value - target| / target in percent, as Keras does."""
    return 100 * ((values - target).abs() / target.clamp(min=1e-7)).mean()


def _check_shape(layout: Layout, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse the other of the two shapes."""
    GAN3D.check(shapes)
    (shape,) = shapes.values()
    if shape != layout.shape:
        told, made = ("x".join(map(str, some)) for some in (shape, layout.shape))
        word = "with" if layout is ANGLE else "without"
        msg = f"gan3d {word} model.angle generates {made} voxels, this grid has {told}"
        raise UsageError(msg)
