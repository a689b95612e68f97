"""Signs of life: what showers of a generator in training must show, or it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import TrainingError

if TYPE_CHECKING:
    from hgcal_gnn.arrays import Array
    from hgcal_gnn.generation.generator import AnyGenerator
    from hgcal_gnn.generation.particles import Particles
    from hgcal_gnn.showers.showers import Showers

AGAIN = 16  # showers of one particle
LIFELESS = 1e-3  # response, its spread, or the difference between showers of one particle, that no shower sample has


def finite_sample(generator: AnyGenerator, particles: Particles, *, seed: int, number: int) -> Showers:
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
    made = generator.make(particles, seed=seed)
    broken = int((~generator.is_finite(made)).sum())
    if broken:
        kept = f"The state at check {number} is kept" if number else "There was no check before"
        msg = (
            f"the generator makes energies that are NaN or infinite: in {broken} of {len(particles)} showers of check "
            f"{number + 1}. {kept}; train with a smaller learning rate, or in full precision"
        )
        raise TrainingError(msg)
    return generator.to_showers(made, particles, seed=seed)


def difference_at_one_particle(generator: AnyGenerator, particles: Particles, *, seed: int, number: int) -> float:
    """Return how much showers of one and the same particle, the one of the median energy, differ.

    Over all particles even a generator without any fluctuation has a width: that of their energies.

    Returns
    -------
    float
        The larger one of the relative standard deviations of visible energy and of the number of hits; 0 without hits.

    Raises
    ------
    TrainingError
        If energies are not finite.
    """
    middle = int(np.argsort(particles.incident_energy)[len(particles) // 2])
    same = particles[middle : middle + 1].repeated(AGAIN)
    showers = finite_sample(generator, same, seed=seed, number=number)
    return max(_relative_width(showers.visible), _relative_width(showers.n_hits))


def _relative_width(values: Array) -> float:
    mean = float(values.mean(dtype=np.float64))
    return float(values.std(dtype=np.float64)) / mean if mean > 0 else 0.0
