"""What the break-up of a nucleus leaves in the sensors: heavily ionising fragments and neutrons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from numba import njit

from hgcal_gnn.simulation.hits import add_hit
from hgcal_gnn.simulation.random import exponential, gamma, normal, poisson, uniform
from hgcal_gnn.simulation.stack import cell_at

if TYPE_CHECKING:
    from hgcal_gnn.simulation.parameters import HadronModel
    from hgcal_gnn.simulation.stack import World

LARGEST_SHARE = 0.9  # of the energy of an interaction goes into the nucleus
SPREAD = 4.0  # gamma shape of the energy spent: fluctuations of 50 %
IN_NEXT_LAYER = 0.7  # of the fragments fly forward


@njit(cache=True, nogil=True)
def break_up(hadron: HadronModel, world: World, energy: float, place: int, path: float, u: float, v: float) -> float:
    """Break up a nucleus in front of the layer at `place`; return the energy spent on it [MeV].

    Parameters
    ----------
    energy
        Of the interacting hadron [MeV].
    path, u, v
        Where it interacts, in the frame of the axis [cm].
    """
    mean = hadron.breakup * (1e-3 * energy) ** hadron.breakup_power
    spent = min(mean * gamma(world.state, SPREAD) / SPREAD, LARGEST_SHARE * energy)
    for _ in range(poisson(world.state, 1e-3 * hadron.heavy * spent)):
        _fragment(hadron, world, place, u, v)
    for _ in range(poisson(world.state, 1e-3 * hadron.halo * spent)):
        _neutron(hadron, world, place, path, u, v)
    return float(spent)


@njit(cache=True, nogil=True)
def _fragment(hadron: HadronModel, world: World, place: int, u: float, v: float) -> None:
    """Deposit a heavily ionising fragment in the layer before or behind the interaction."""
    if place > 0 and uniform(world.state) > IN_NEXT_LAYER:
        place -= 1
    spread = hadron.heavy_spread
    row = cell_at(world, place, u + spread * normal(world.state), v + spread * normal(world.state))
    if row >= 0:
        mip = world.sensors.mip[world.sensors.kind[row], 0]
        add_hit(world.hits, row, 1e-3 * mip * hadron.heavy_mip * exponential(world.state))


@njit(cache=True, nogil=True)
def _neutron(hadron: HadronModel, world: World, place: int, path: float, u: float, v: float) -> None:
    """Let a neutron fly off isotropically and be seen, or not, where it ends."""
    axis, sensors = world.axis, world.sensors
    last = axis.filled[0] - 1
    distance = hadron.halo_length * gamma(world.state, hadron.halo_shape)
    cosine = 2.0 * uniform(world.state) - 1.0
    sine = math.sqrt(1.0 - cosine * cosine)
    phi = 2.0 * math.pi * uniform(world.state)
    target = path + distance * cosine
    if target < axis.path[0] - 1.0 or target > axis.path[last] + 1.0:
        return
    while place < last and axis.path[place] < target:
        place += 1
    while place > 0 and axis.path[place - 1] > target:
        place -= 1
    row = cell_at(world, place, u + distance * sine * math.cos(phi), v + distance * sine * math.sin(phi))
    if row < 0:
        return
    kind = sensors.kind[row]
    if sensors.is_tile[kind]:
        # recoil protons in hydrogen: a long tail
        deposit = hadron.halo_tile * exponential(world.state) * exponential(world.state)
    elif uniform(world.state) < hadron.halo_silicon:
        deposit = hadron.halo_mip * exponential(world.state)
    else:
        return
    add_hit(world.hits, row, 1e-3 * sensors.mip[kind, 0] * deposit)
