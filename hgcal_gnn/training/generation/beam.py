"""The beam that a generator is asked for unless one says otherwise: that of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hgcal_gnn.config.data import SimulateConfig
from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.particles import particle_name
from hgcal_gnn.simulation.beam import MASS, Beam, Spectrum

if TYPE_CHECKING:
    from hgcal_gnn.generation.weights import TrainedOn


def trained_beam(
    trained_on: TrainedOn, particle: str | None = None, aim: tuple[float, float, float] | None = None
) -> Beam:
    """Return the beam of the training sample, as far as it is known.

    A simulated sample tells its beam. Of a store the range of energies is taken, flat, with the mean direction and
    the mean vertex; what the store does not tell is named by `not_told`.

    Parameters
    ----------
    particle
        What is to be shot; needed where the generator was trained on several kinds.
    aim
        Direction where that of the training is not known.

    Raises
    ------
    UsageError
        If there are several kinds to choose from, or the particle of the training cannot be in a beam.
    """
    if trained_on.beam:
        return SimulateConfig.model_validate(dict(trained_on.beam)).beam()
    if particle is None and len(trained_on.pdg_ids) > 1:
        kinds = ", ".join(map(particle_name, trained_on.pdg_ids))
        msg = f"the generator was trained on {kinds}: choose one with --particle, or take those of a store with --like"
        raise UsageError(msg)
    pdg_id = trained_on.pdg_ids[0]
    if particle is None and abs(pdg_id) not in MASS:
        msg = f"no beam of {particle_name(pdg_id)} can be made here; take the particles of a store: --like FILE.arrow"
        raise UsageError(msg)
    low, high = trained_on.energy
    return Beam(
        particle=particle or pdg_id,
        spectrum=Spectrum("flat", (low, high)) if low < high else Spectrum("list", (low,)),
        direction=trained_on.direction or aim,
        vertex=trained_on.vertex or (0.0, 0.0, 0.0),
        vertex_sigma=trained_on.vertex_spread,
    )


def not_told(trained_on: TrainedOn) -> list[str]:
    """Return what is not known of the training particles: "direction", "vertex"; a beam would have to invent it."""
    if trained_on.beam:
        return []
    return [name for name in ("direction", "vertex") if getattr(trained_on, name) is None]
