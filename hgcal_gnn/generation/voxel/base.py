"""What all voxel models share: settings, sizes, and what a training and a sampler ask of them."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.model import GeneratorModel, ModelConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hgcal_gnn.generation.condition import Condition


class VoxelModelConfig(ModelConfig):
    """Settings of a voxel model; each model adds its own and fixes `kind`."""

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


class VoxelModel(GeneratorModel):
    """A generator of images: energies of voxels [GeV], [n, n_voxels].

    Subclasses are constructed with their config and `ImageSizes`.
    """

    config_class: ClassVar[type[VoxelModelConfig]]
    config: VoxelModelConfig

    def __init__(self, config: VoxelModelConfig, sizes: ImageSizes) -> None:
        super().__init__(config)
        self.sizes = sizes
        self.check(sizes.shapes)

    @classmethod
    def check(cls, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse grids that the model is not made for (default: none).

        Raises
        ------
        UsageError
        """

    @abstractmethod
    def generate(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """Generate images [GeV], [n, n_voxels], at least 0; `random` makes the noise."""

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
