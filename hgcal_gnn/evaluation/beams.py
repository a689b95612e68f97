"""Generated beside reference showers of single energies, as 3DGAN was checked when published (arXiv:1912.06794).

Response, profiles, and the cell response: mean and width of the energy of hit cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64

WIDTH = 0.01  # relative: particles this close to an energy belong to it


@dataclass(frozen=True, eq=False)
class BeamCheck:
    """Showers of one energy.

    Attributes
    ----------
    energy
        Of the particles [GeV].
    n
        Showers, reference and generated.
    response, error
        Mean visible energy, generated over reference, and its standard error.
    width
        Standard deviation of the visible energy, generated over reference.
    profiles : one float64 [2, n] per axis of the images
        Mean energy [GeV] along the axis, summed over the others: of the reference, of the generated showers.
    cell : float64 [2, 2]
        Mean and standard deviation of the energy of hit cells [GeV]: of the reference, of the generated showers.
    cells : one float64 [2, 2, n] per axis of the images
        The same at each place along the axis; NaN where no cell was hit.
    """

    energy: float
    n: tuple[int, int]
    response: float
    error: float
    width: float
    profiles: tuple[F64, ...]
    cell: F64
    cells: tuple[F64, ...]


def check_beams(
    energies: Sequence[float],
    reference: tuple[ArrayLike, ArrayLike],
    generated: tuple[ArrayLike, ArrayLike],
) -> list[BeamCheck]:
    """Compare images of single energies.

    Parameters
    ----------
    energies
        Of the beams [GeV].
    reference, generated
        Energy of the particles [GeV], [n], and images [GeV], [n, *shape]; the numbers of showers may differ.

    Raises
    ------
    InputError
        If there are fewer than two showers of an energy.
    """
    return [_check(energy, [_of_energy(energy, *sample) for sample in (reference, generated)]) for energy in energies]


def _of_energy(energy: float, particles: ArrayLike, images: ArrayLike) -> F64:
    mine = np.abs(np.asarray(particles) / energy - 1) < WIDTH
    if mine.sum() <= 1:
        msg = f"{int(mine.sum())} showers of {energy:g} GeV; at least 2 are needed, reference and generated"
        raise InputError(msg)
    return np.asarray(images)[mine].astype(np.float64)


def _check(energy: float, samples: list[F64]) -> BeamCheck:
    sums = [images.reshape(len(images), -1).sum(axis=1) for images in samples]
    means = [values.mean() for values in sums]
    widths = [values.std(ddof=1) for values in sums]
    relative = [
        width / mean / len(values) ** 0.5 if mean else np.inf
        for width, mean, values in zip(widths, means, sums, strict=True)
    ]
    response = float(means[1] / means[0]) if means[0] else np.nan
    return BeamCheck(
        energy,
        (len(samples[0]), len(samples[1])),
        response,
        response * float(np.hypot(relative[0], relative[1])) if means[1] else np.nan,
        float(widths[1] / widths[0]) if widths[0] else np.nan,
        tuple(_profiles(samples, axis) for axis in range(1, samples[0].ndim)),
        _moments(samples, None),
        tuple(_moments(samples, axis) for axis in range(1, samples[0].ndim)),
    )


def _profiles(samples: list[F64], axis: int) -> F64:
    others = tuple(number for number in range(1, samples[0].ndim) if number != axis)
    return np.stack([images.sum(axis=others).mean(axis=0) for images in samples])


def _moments(samples: list[F64], axis: int | None) -> F64:
    """Return mean and standard deviation of the energy of hit cells, [2, 2, n] along an axis or [2, 2] of all."""
    others = tuple(number for number in range(samples[0].ndim) if number != axis)
    found = []
    for images in samples:
        n = np.count_nonzero(images > 0, axis=others)
        with np.errstate(invalid="ignore"):  # 0 / 0 where nothing was hit
            mean = images.sum(axis=others) / n
            width = np.sqrt(np.maximum(np.square(images).sum(axis=others) / n - mean**2, 0.0))
        found.append([mean, width])
    return np.array(found)
