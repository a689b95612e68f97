"""Signs of life: what showers of a generator in training must show, or it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import TrainingError

if TYPE_CHECKING:
    from hgcal_gnn.generation.generator import VoxelGenerator
    from hgcal_gnn.generation.particles import Particles
    from hgcal_gnn.showers.showers import Showers


def finite_sample(generator: VoxelGenerator, particles: Particles, *, seed: int, number: int) -> Showers:
    """Generate showers for a check.

    Parameters
    ----------
    generator
    particles
    seed
        Of the noise.
    number
        Of the check, from 0; named in the message.

    Raises
    ------
    TrainingError
        If energies are not finite.
    """
    images = generator.images(particles, seed=seed)
    broken = int((~np.isfinite(images)).any(axis=1).sum())
    if broken:
        kept = f"The state at check {number} is kept" if number else "There was no check before"
        msg = (
            f"the generator makes energies that are NaN or infinite: in {broken} of {len(images)} showers of check "
            f"{number + 1}. {kept}; train with a smaller learning rate, or in full precision"
        )
        raise TrainingError(msg)
    return generator.to_showers(images, particles, seed=seed)
