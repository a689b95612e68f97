"""What all voxel models share: settings, sizes, and what a training and a sampler ask of them."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat
from torch import Tensor, nn

from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.image_batch import ImageBatch
    from hgcal_gnn.generation.players import Stage


class VoxelModelConfig(BaseModel):
    """Settings of a voxel model; each model adds its own and fixes `kind`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    threshold: NonNegativeFloat = Field(
        0.0, description="voxels of at most this energy are empty, in the training showers as in generated ones [GeV]"
    )
    per_energy: bool = Field(
        default=False, description="generate voxels per energy: sums follow it at once, which published networks learn"
    )


@dataclass(frozen=True)
class ImageSizes:
    """What the data decide about a model.

    Attributes
    ----------
    shapes
        Of the sections of the grid.
    pdg_ids
        Kinds of particles, ascending.
    energy
        Lowest and highest energy of the training sample [GeV].
    """

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    pdg_ids: Sequence[int] = (22,)
    energy: tuple[float, float] = (1.0, 100.0)

    @property
    def n_voxels(self) -> int:
        """Numbers in an image."""
        return sum(math.prod(shape) for shape in self.shapes.values())


class VoxelModel(nn.Module, ABC):
    """A generator with everything that is needed to train it.

    Subclasses are constructed with their config and `ImageSizes`. Images are energies [GeV], [n, n_voxels]; what a
    model does to them inside (scales, logarithms) is its own affair, with scales as buffers that `fit` sets.

    Attributes
    ----------
    generating
        The part that `generate` uses: it is averaged, counted and saved; all the rest serves the training only.
    """

    config_class: ClassVar[type[VoxelModelConfig]]
    generating: nn.Module

    def __init__(self, config: VoxelModelConfig, sizes: ImageSizes) -> None:
        super().__init__()
        self.config = config
        self.sizes = sizes
        self.check(sizes.shapes)

    @classmethod
    def check(cls, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse grids that the model is not made for (default: none).

        Raises
        ------
        UsageError
        """

    def fit(self, sample: ImageBatch) -> None:
        """Take scales from a part of the training sample, before the training."""

    @abstractmethod
    def stages(self, iterations: int) -> Sequence[Stage]:
        """Return the stages of a training whose main one takes so many iterations."""

    def after_stage(self, stage: str, showers: Callable[[int], Iterable[ImageBatch]]) -> bool:  # noqa: ARG002
        """Take what only a trained network knows, after the best weights of a stage are taken up again.

        Called in evaluation mode, without gradients.

        Parameters
        ----------
        stage
            Its name.
        showers
            Gives batches of so many showers of the training sample, or of all if there are fewer.

        Returns
        -------
        bool
            Whether anything has changed in `generating` (default: nothing).
        """
        return False

    @abstractmethod
    def generate(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images [GeV], [n, n_voxels], at least 0; `random` makes the noise."""

    def prepare(self) -> VoxelModel:
        """Return a model that generates the same, up to rounding, in less time, for that only; default: itself."""
        return self

    def _with_generating(self, generating: nn.Module) -> Self:
        """Return the same model with another generating part, for `prepare`; all else is shared."""
        other = copy.copy(self)
        other._modules = {**self._modules, "generating": generating}
        return other

    def with_energy(self, values: Tensor, condition: Condition, power: float = 1.0) -> Tensor:
        """Return values [n, ...] times the energy in units of the middle of its range, if `per_energy` is set.

        Values that are energies to some power grow with the energy to that power.
        """
        if not self.config.per_energy:
            return values
        factor = (condition.energy * (2 / sum(self.sizes.energy))).pow(power)
        return values * factor.reshape(-1, *[1] * (values.ndim - 1))

    def sections(self, image: Tensor) -> dict[str, Tensor]:
        """Return the sections of images [n, n_voxels], [n, *shape] each."""
        parts = torch.split(image, [math.prod(shape) for shape in self.sizes.shapes.values()], dim=1)
        return {
            name: part.reshape(-1, *shape) for (name, shape), part in zip(self.sizes.shapes.items(), parts, strict=True)
        }


def noise(n: int, size: int, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw standard normal noise [n, size] on the device of a tensor.

    A generator on the CPU gives the same numbers whatever the device.
    """
    if random is None:
        return torch.randn(n, size, device=like.device, dtype=like.dtype)
    return torch.randn(n, size, generator=random, device=random.device).to(like)


def uniform_noise(n: int, size: int, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw noise [n, size] evenly from -1 to 1, else as `noise`."""
    device = like.device if random is None else random.device
    return 2 * torch.rand(n, size, generator=random, device=device).to(like) - 1


def single_section(kind: str, shapes: Mapping[str, tuple[int, ...]], *, n_axes: int = 3) -> tuple[int, ...]:
    """Return the shape of the only section.

    Raises
    ------
    UsageError
        If there are several, or it has another number of axes: says which models can.
    """
    found = list(shapes.values())
    if len(found) != 1 or len(found[0]) != n_axes:
        told = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
        msg = (
            f"{kind} generates one array of {n_axes} axes, this grid has {told}; calo_shower_gan takes any grid, "
            "calogan layers of two axes"
        )
        raise UsageError(msg)
    return found[0]
