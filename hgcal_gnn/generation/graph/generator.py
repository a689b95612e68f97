"""Trained graph models as sources of showers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.generator import Generator
from hgcal_gnn.generation.graph.hits import Hits, lit
from hgcal_gnn.showers.showers import Showers

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.arrays import Bools
    from hgcal_gnn.generation.graph.base import GraphModel
    from hgcal_gnn.generation.particles import Particles
    from hgcal_gnn.generation.weights import TrainedOn


class HitGenerator(Generator[Hits]):
    """A trained graph model.

    Parameters
    ----------
    model
        Its generating part trained; what generates is its `prepare`d form, in the model's calorimeter.
    trained_on
    steps
        Of the sampling; None: as in the settings.
    options
        Of `Generator`: source, batch_size, device.

    Attributes
    ----------
    trained
        The model before it was prepared.
    engine
        Makes hits of particles with random numbers and steps: the model, or what stands in its place.
    """

    def __init__(self, model: GraphModel, trained_on: TrainedOn, *, steps: int | None = None, **options: Any) -> None:
        super().__init__(trained_on, **options)
        self.trained = model.to(self.device).eval()
        self.model = self.trained.prepare()
        self.engine: Callable[[Condition, torch.Generator, int | None], Hits] = self.model.generate
        self.calorimeter = model.calorimeter
        self.steps = steps

    @property
    def detector(self) -> str:
        """Name of the detector."""
        return self.calorimeter.detector

    @property
    def cells_sha256(self) -> str:
        """Hash of the cells."""
        return self.calorimeter.cells_sha256

    @property
    def n_numbers(self) -> int:
        """Numbers in memory per shower, roughly."""
        return self.model.numbers_per_shower

    def make(self, particles: Particles, *, seed: int = 0, first: int = 0) -> Hits:
        """Generate hits, on the CPU; a vertex that is not known is taken to be that of the training."""
        condition = self._told(Condition.of(particles, self.trained_on.pdg_ids))
        with torch.inference_mode():
            return Hits.joined(
                self.engine(condition.rows(slice(start, stop)).to(self.device), random, self.steps).to("cpu")
                for start, stop, random in self._blocks(len(particles), seed, first)
            )

    def to_showers(self, made: Hits, particles: Particles, *, seed: int = 0) -> Showers:
        """Turn hits into showers: sorted by cell, of more than the threshold.

        Raises
        ------
        InputError
            For energies that are not finite and cells that do not exist.
        """
        columns = {"offsets": made.ptr.numpy(), "cell": made.cell.numpy(), "energy": made.energy.float().numpy()}
        showers = Showers.from_columns(
            {**particles.columns(), **columns}, metadata=self.metadata(seed), source=self.source or "hits",
            n_cells=self.calorimeter.n_cells,
        )  # fmt: skip
        return lit(showers, self.model.config.threshold)

    def is_finite(self, made: Hits) -> Bools:
        """Say of each shower whether all its energies are finite, bool [n]."""
        broken = made.shower[~torch.isfinite(made.energy)].numpy()
        finite: Bools = np.bincount(broken, minlength=made.n_showers) == 0
        return finite

    def _told(self, condition: Condition) -> Condition:
        usual = torch.tensor(self.trained_on.vertex or (0.0, 0.0, 0.0), dtype=condition.vertex.dtype)
        vertex = torch.where(torch.isfinite(condition.vertex), condition.vertex, usual)
        return Condition(condition.energy, condition.direction, vertex, condition.kind)
