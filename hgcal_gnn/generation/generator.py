"""Trained generators as simple sources of showers."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np
import torch

from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.metadata import ShowerMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hgcal_gnn.arrays import F32, Bools
    from hgcal_gnn.generation.particles import Particles
    from hgcal_gnn.generation.weights import TrainedOn
    from hgcal_gnn.showers.showers import Showers

log = logging.getLogger(__name__)
MOST = 2.0  # how far beyond the trained energies is too far

Made = TypeVar("Made")


class Generator(ABC, Generic[Made]):
    """A trained model that makes showers: `VoxelGenerator` by way of images, `HitGenerator` by way of hits.

    Parameters
    ----------
    trained_on
    source
        Kept in the metadata of the showers.
    batch_size
        Showers at a time.
    device
    """

    def __init__(self, trained_on: TrainedOn, *, source: str = "", batch_size: int = 256, device: str = "cpu") -> None:
        self.trained_on = trained_on
        self.source = source
        self.batch_size = batch_size
        self.device = torch.device(device)

    @property
    @abstractmethod
    def detector(self) -> str:
        """Name of the detector."""

    @property
    @abstractmethod
    def cells_sha256(self) -> str:
        """Hash of the cells that the showers are in."""

    @property
    @abstractmethod
    def n_numbers(self) -> int:
        """Numbers in memory per shower, roughly."""

    @abstractmethod
    def make(self, particles: Particles, *, seed: int = 0, first: int = 0) -> Made:
        """Generate what the model makes, without making showers of it; see `sample`."""

    @abstractmethod
    def to_showers(self, made: Made, particles: Particles, *, seed: int = 0) -> Showers:
        """Turn what `make` made into showers."""

    @abstractmethod
    def is_finite(self, made: Made) -> Bools:
        """Say of each shower whether all its energies are finite, bool [n]."""

    def sample(self, condition: Particles, n: int | None = None, seed: int = 0, *, first: int = 0) -> Showers:
        """Generate showers; the same particles, seed and batch size give the same showers.

        Parameters
        ----------
        condition
            The particles.
        n
            Number of showers: the particles in turn, again and again; None: one for each.
        seed
            Of the noise.
        first
            Number of the first shower in a longer sample: parts that begin at a multiple of the batch size are the
            same as those of the whole.

        Raises
        ------
        UsageError
            For kinds of particles the model does not know.
        """
        particles = condition if n is None else condition.repeated(n)
        return self.to_showers(self.make(particles, seed=seed, first=first), particles, seed=seed)

    def metadata(self, seed: int) -> ShowerMetadata:
        """Return what its showers say about themselves."""
        return ShowerMetadata(cells_sha256=self.cells_sha256, source=self.source, seed=seed)

    def _blocks(self, n: int, seed: int, first: int) -> Iterator[tuple[int, int, torch.Generator]]:
        """Cut a call into batches with seeds of their own."""
        for start in range(0, n, self.batch_size):
            random = torch.Generator().manual_seed(_mixed(seed, first + start))
            yield start, min(n, start + self.batch_size), random


AnyGenerator: TypeAlias = Generator[Any]


def _mixed(seed: int, number: int) -> int:
    """Return one number from two, so that neighbours share nothing."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 1)


def check_energies(trained_on: TrainedOn, energy: F32, *, extrapolate: bool = False) -> None:
    """Warn of energies the generator was not trained on, and refuse those too far away.

    Raises
    ------
    UsageError
        Beyond twice the highest or half the lowest trained energy, unless `extrapolate`.
    """
    if not len(energy):
        return
    low, high = trained_on.energy
    lowest, highest = float(energy.min()), float(energy.max())
    slack = 1 + 1e-4  # energies pass through float32
    if lowest * slack >= low and highest <= high * slack:
        return
    told = f"{lowest:g} to {highest:g} GeV" if lowest != highest else f"{lowest:g} GeV"
    if not extrapolate and (highest > MOST * high * slack or lowest * slack < low / MOST):
        msg = (
            f"the generator was trained on {low:g} to {high:g} GeV and is asked for {told}; "
            f"more than a factor of {MOST:g} beyond is refused without --extrapolate"
        )
        raise UsageError(msg)
    log.warning("the generator was trained on %g to %g GeV; %s lies outside of it", low, high, told)
