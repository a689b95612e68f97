"""What a generator is asked for, held against what it was trained on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.generation.generator import check_energies
from hgcal_gnn.showers.particles import particle_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from hgcal_gnn.arrays import Array
    from hgcal_gnn.generation.particles import Particles
    from hgcal_gnn.generation.weights import TrainedOn

    ParticleRows: TypeAlias = Callable[[int, int], Particles]  # number of the first particle, how many

log = logging.getLogger(__name__)
LOOKED_AT = 65_536  # particles at a time
ANGLE = 1e-3  # rad that directions may be off
SPREADS, LENGTH = 5.0, 0.1  # standard deviations, and cm, that vertices may be off


class Asked(NamedTuple):
    """Particles in summary.

    Attributes
    ----------
    pdg_ids
    low, high
        Smallest and largest value by name: `energy` [GeV], `theta`, `phi` [rad], `vertex_x/y/z` [cm]; NaN left out.
    unknown
        How many particles lack energy, direction or kind.
    n
    """

    pdg_ids: set[int]
    low: dict[str, float]
    high: dict[str, float]
    unknown: dict[str, int]
    n: int

    @classmethod
    def of(cls, particles: ParticleRows, n: int) -> Asked:
        """Look at all particles."""
        found = cls(set(), {}, {}, {}, n)
        for first in range(0, n, LOOKED_AT):
            found._add(particles(first, min(LOOKED_AT, n - first)))
        return found

    def _add(self, particles: Particles) -> None:
        x, y, z = particles.direction.T
        theta = np.arctan2(np.hypot(x, y), z)
        has_phi = np.hypot(x, y) > ANGLE  # along the axis it means nothing
        columns: Mapping[str, Array] = {
            "energy": particles.incident_energy,
            "theta": theta,
            "phi": np.arctan2(y, x)[has_phi],
            **{f"vertex_{axis}": values for axis, values in zip("xyz", particles.vertex.T, strict=True)},
        }
        for name, values in columns.items():
            known = values[np.isfinite(values)]
            if len(known):
                self.low[name] = min(self.low.get(name, np.inf), float(known.min()))
                self.high[name] = max(self.high.get(name, -np.inf), float(known.max()))
        missing = {
            "energy": ~np.isfinite(particles.incident_energy),
            "direction": ~np.isfinite(theta),
            "kind of particle": particles.pdg_id == 0,
        }
        for name, mask in missing.items():
            self.unknown[name] = self.unknown.get(name, 0) + int(mask.sum())
        self.pdg_ids.update(np.unique(particles.pdg_id).tolist())


def check_request(asked: Asked, trained_on: TrainedOn, *, source: str = "particles", extrapolate: bool = False) -> None:
    """Refuse what cannot be generated; warn of what the generator has not seen.

    Parameters
    ----------
    source
        Where the particles come from, for messages.
    extrapolate
        Allow energies far outside of the trained ones.

    Raises
    ------
    InputError
        If particles lack what the generator needs to know.
    UsageError
        For kinds of particles, or energies, that the generator was not trained on.
    """
    not_needed = {"direction"} if trained_on.direction is None else set()
    if 0 in trained_on.pdg_ids:  # trained on showers that do not say what made them
        not_needed.add("kind of particle")
    for name, count in asked.unknown.items():
        if count and name not in not_needed:
            msg = f"{source}: {count} of {asked.n} particles have no {name}, which the generator needs to be told"
            raise InputError(msg)
    strange = sorted(asked.pdg_ids - set(trained_on.pdg_ids))
    if strange:
        told, able = (", ".join(map(particle_name, some)) for some in (strange, trained_on.pdg_ids))
        msg = f"{source}: the model was trained on {able}; it cannot generate {told}"
        raise UsageError(msg)
    energy = np.array([asked.low["energy"], asked.high["energy"]], np.float32)
    check_energies(trained_on, energy, extrapolate=extrapolate)
    _look_at_angles(asked, trained_on)
    _look_at_vertices(asked, trained_on)


def _look_at_angles(asked: Asked, trained_on: TrainedOn) -> None:
    """Warn of directions the generator has not seen."""
    if trained_on.theta is None and "theta" in asked.low:
        log.warning(
            "the directions of the training showers are not known: the generator cannot follow those asked for, they "
            "are only written down"
        )
    seen = {"theta": trained_on.theta, "phi": trained_on.phi}
    if trained_on.theta is not None and max(trained_on.theta) < ANGLE:
        del seen["phi"]
    for name, limits in seen.items():
        if limits is None or name not in asked.low:
            continue
        low, high = asked.low[name], asked.high[name]
        if low < limits[0] - ANGLE or high > limits[1] + ANGLE:
            log.warning(
                "the generator was trained on directions of %s from %.4g to %.4g rad; %.4g to %.4g lies outside of it",
                name, *limits, low, high,
            )  # fmt: skip


def _look_at_vertices(asked: Asked, trained_on: TrainedOn) -> None:
    """Warn of vertices the generator has not seen."""
    if trained_on.vertex is None:
        if any(f"vertex_{axis}" in asked.low for axis in "xyz"):
            log.warning("the vertices of the training showers are not known: those asked for are only written down")
        return
    for axis, usual, spread in zip("xyz", trained_on.vertex, trained_on.vertex_spread, strict=True):
        low, high = (limits.get(f"vertex_{axis}", usual) for limits in (asked.low, asked.high))
        allowed = SPREADS * spread + LENGTH
        if low < usual - allowed or high > usual + allowed:
            log.warning(
                "the generator was trained on vertices at %s = %.4g +- %.3g cm; %.4g to %.4g cm lies outside of it",
                axis, usual, spread, low, high,
            )  # fmt: skip
