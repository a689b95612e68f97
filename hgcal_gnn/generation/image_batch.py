"""Batches of images: the voxels of showers and the particles that made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from hgcal_gnn.generation.batch import Ready
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.particles import Particles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from hgcal_gnn.batching.voxel_grid import VoxelGrid
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers


class ImageBatch(NamedTuple):
    """Showers as images.

    Attributes
    ----------
    image : float32 [n, n_voxels]
        Energies [GeV] of the voxels of all sections, one section after the other, each in C order.
    condition
    """

    image: Tensor
    condition: Condition

    def __len__(self) -> int:
        return len(self.image)

    def to(self, device: torch.device) -> ImageBatch:
        """Return the same on a device."""
        return ImageBatch(self.image.to(device, non_blocking=True), self.condition.to(device))

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        return {"image": self.image, **self.condition._asdict()}


@dataclass(frozen=True)
class ImageMaker:
    """Makes image batches of showers: a maker for `BatchLoader`.

    Attributes
    ----------
    grid
    pdg_ids
        Kinds of particles.
    threshold
        Voxels of at most this energy [GeV] are empty, as they are in generated showers.
    """

    grid: VoxelGrid
    pdg_ids: Sequence[int]
    threshold: float = 0.0

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry."""
        self.grid.check(metadata, source=source)

    def __call__(self, showers: Showers) -> Ready[ImageBatch]:
        """Make the batch."""
        images, _ = self.grid.to_images(showers)
        if self.threshold > 0:
            images[images <= self.threshold] = 0.0
        return Ready(ImageBatch(torch.from_numpy(images), Condition.of(Particles.of(showers), self.pdg_ids)))
