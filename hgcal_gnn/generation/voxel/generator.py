"""Trained voxel models as sources of showers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.generator import Generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from hgcal_gnn.arrays import F32, Bools
    from hgcal_gnn.batching.voxel_grid import VoxelGrid
    from hgcal_gnn.generation.particles import Particles
    from hgcal_gnn.generation.voxel.base import VoxelModel
    from hgcal_gnn.generation.weights import TrainedOn
    from hgcal_gnn.showers.showers import Showers


class VoxelGenerator(Generator["F32"]):
    """A trained voxel model.

    Parameters
    ----------
    model
        Its generating part trained; what generates is its `prepare`d form.
    grid
    trained_on
    options
        Of `Generator`: source, batch_size, device.

    Attributes
    ----------
    trained
        The model before it was prepared.
    engine
        Makes images [n, n_voxels] of particles with random numbers: the model, or what stands in its place.
    """

    def __init__(self, model: VoxelModel, grid: VoxelGrid, trained_on: TrainedOn, **options: Any) -> None:
        super().__init__(trained_on, **options)
        self.trained = model.to(self.device).eval()
        self.model = self.trained.prepare()
        self.engine: Callable[[Condition, torch.Generator], Tensor] = self.model.generate
        self.grid = grid

    @property
    def detector(self) -> str:
        """Name of the detector."""
        return self.grid.detector

    @property
    def cells_sha256(self) -> str:
        """Hash of the cells that the voxels are."""
        return self.grid.cells_sha256

    @property
    def n_numbers(self) -> int:
        """Voxels of an image."""
        return self.grid.n_voxels

    def make(self, particles: Particles, *, seed: int = 0, first: int = 0) -> F32:
        """Generate images [GeV], float32 [n, n_voxels]."""
        condition = Condition.of(particles, self.trained_on.pdg_ids)
        found = np.empty((len(particles), self.grid.n_voxels), dtype=np.float32)
        with torch.inference_mode():
            for start, stop, random in self._blocks(len(particles), seed, first):
                rows = condition.rows(slice(start, stop)).to(self.device)
                found[start:stop] = self.engine(rows, random).cpu().numpy()
        return found

    def to_showers(self, made: F32, particles: Particles, *, seed: int = 0) -> Showers:
        """Turn images into showers."""
        return self.grid.to_showers(
            made, particles.columns(), threshold=self.model.config.threshold, source=self.source,
            metadata=self.metadata(seed),
        )  # fmt: skip

    def is_finite(self, made: F32) -> Bools:
        """Say of each image whether all its energies are finite, bool [n]."""
        return np.asarray(np.isfinite(made).all(axis=1))
