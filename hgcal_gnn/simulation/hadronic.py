"""Hadronic showers: a mini-cascade of tracks, interactions and electromagnetic sub-showers.

A hadron ionises along its track until it interacts, after an exponential number of interaction lengths. Each
interaction spends energy on breaking up nuclei (`nuclear`) and shares the rest among a leading particle and a few
others: neutral pions start electromagnetic showers there, charged hadrons go on, soft ones into all directions until
they range out. In the spirit of Grindhammer, Rudowicz and Peters, NIM A290 (1990) 469, whose hadronic
profile fluctuates between neutral-pion, hadronic and invisible parts; here these parts come from the cascade itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from hgcal_gnn.simulation.electromagnetic import Start, em_shower, mip_deposit
from hgcal_gnn.simulation.hits import add_hit
from hgcal_gnn.simulation.nuclear import break_up
from hgcal_gnn.simulation.random import beta, exponential, gamma, poisson, uniform
from hgcal_gnn.simulation.stack import cell_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.simulation.parameters import EmModel, HadronModel
    from hgcal_gnn.simulation.stack import World

MAX_SECONDARIES = 40
QUEUE_LENGTH = 4096
STEEPEST = 3.0  # largest slope of a secondary against the axis
STOPPING = 30.0  # MeV: a secondary below this deposits nothing visible
LIGHTEST_PI0 = 150.0  # MeV: just above the mass of the neutral pion
LANDAU_MAX = 200.0
BIGGEST_SLOW = 4.0  # times a MIP: slow hadrons stop before they ionise more on average over a sensor
NEVER = 1e30


class Particle(NamedTuple):
    """A hadron under way: energy [MeV], place in the frame of the axis, slopes, sign of its flight along it."""

    energy: float
    interaction: float
    path: float
    u: float
    v: float
    slope_u: float
    slope_v: float
    sign: float


class Queue(NamedTuple):
    """Particles still to be followed, float64 [QUEUE_LENGTH, 8], their number, and the truth of the shower.

    truth, float64 [5] in MeV: electromagnetic, invisible, leaked, absorbed; the last is the place of the first
    interaction (-1: none).
    """

    particles: NDArray[np.float64]
    filled: NDArray[np.int64]
    truth: NDArray[np.float64]


EM, INVISIBLE, LEAKED, ABSORBED, FIRST = range(5)


def new_queue() -> Queue:
    """Return an empty queue."""
    return Queue(np.zeros((QUEUE_LENGTH, 8)), np.zeros(1, np.int64), np.zeros(5))


@njit(cache=True, nogil=True)
def push(queue: Queue, particle: Particle) -> None:
    """Add a particle; with a full queue its energy counts as absorbed."""
    if queue.filled[0] >= len(queue.particles):
        queue.truth[ABSORBED] += particle.energy
        return
    for column in range(8):
        queue.particles[queue.filled[0], column] = particle[column]
    queue.filled[0] += 1


@njit(cache=True, nogil=True)
def hadron_shower(hadron: HadronModel, em: EmModel, world: World, queue: Queue, energy: float) -> None:
    """Follow a charged pion of `energy` [MeV] along the axis; the truth ends up in `queue.truth`."""
    queue.truth[:] = 0.0
    queue.truth[FIRST] = -1.0
    queue.filled[0] = 0
    push(queue, Particle(energy, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    while queue.filled[0] > 0:
        queue.filled[0] -= 1
        p = queue.particles[queue.filled[0]]
        particle = Particle(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7])
        energy, place, target = track(hadron, world, queue, particle)
        if energy > 0.0:
            _interact(hadron, em, world, queue, particle, energy, place, target)


@njit(cache=True, nogil=True)
def track(hadron: HadronModel, world: World, queue: Queue, particle: Particle) -> tuple[float, int, float]:
    """Let a hadron ionise until it interacts, ranges out or leaves.

    Returns
    -------
    energy, place, target
        Energy left at the interaction [MeV], 0 if there is none; the next layer; depth in interaction lengths.
    """
    axis = world.axis
    n_places = axis.filled[0]
    stretch = math.sqrt(1.0 + particle.slope_u**2 + particle.slope_v**2)
    step = 1 if particle.sign > 0.0 else -1
    place = 0
    while place < n_places and axis.interaction[place] <= particle.interaction:
        place += 1
    if step < 0:
        place -= 1
    energy, target = particle.energy, NEVER
    if energy > hadron.threshold and step > 0:
        target = particle.interaction + hadron.pion_length * exponential(world.state) / stretch
    while 0 <= place < n_places and axis.interaction[place] < target:
        slow = 1.0 + hadron.slow / energy
        lost = _loss_to(world, place, step) * stretch * slow
        if lost >= energy:
            queue.truth[ABSORBED] += energy
            return 0.0, place, target
        energy -= lost
        queue.truth[ABSORBED] += lost
        along = step * (axis.path[place] - particle.path)
        row = cell_at(world, place, particle.u + particle.slope_u * along, particle.v + particle.slope_v * along)
        if row >= 0:
            length = axis.slant[place] * min(stretch, STEEPEST) * min(slow, BIGGEST_SLOW)
            mip = world.sensors.mip[world.sensors.kind[row]]
            add_hit(world.hits, row, 1e-3 * mip_deposit(world.state, mip, length, LANDAU_MAX))
        place += step
    if 0 <= place < n_places:
        return energy, place, target
    queue.truth[LEAKED] += energy
    return 0.0, place, target


@njit(cache=True, nogil=True)
def _loss_to(world: World, place: int, step: int) -> float:
    """Return the ionisation loss of a MIP along the axis on the step that ends in the layer at `place` [MeV]."""
    loss = world.axis.loss
    if step > 0:
        return float(loss[place] - (loss[place - 1] if place else 0.0))
    return float(loss[min(place + 1, world.axis.filled[0] - 1)] - loss[place])


@njit(cache=True, nogil=True)
def _locate(world: World, place: int, target: float) -> tuple[float, float]:
    """Return path [cm] and depth [X0] of a depth in interaction lengths before the layer at `place`."""
    axis = world.axis
    depth, path, x0 = 0.0, max(axis.path[0] - world.stack.thickness[axis.layers[0]] * axis.slant[0], 0.0), 0.0
    if place > 0:
        depth, path, x0 = axis.interaction[place - 1], axis.path[place - 1], axis.x0[place - 1]
    share = (target - depth) / (axis.interaction[place] - depth)
    return path + share * (axis.path[place] - path), x0 + share * (axis.x0[place] - x0)


@njit(cache=True, nogil=True)
def _shares(hadron: HadronModel, world: World, energy: float) -> NDArray[np.float64]:
    """Draw how the secondaries of an interaction at `energy` share it: the leading one first, sum 1."""
    mean = hadron.multiplicity + hadron.multiplicity_log * math.log(1.0 + 1e-3 * energy)
    others = min(poisson(world.state, mean), MAX_SECONDARIES)
    shares = np.ones(others + 1)
    if others:
        shares[0] = beta(world.state, hadron.lead_a, hadron.lead_b)
        for k in range(1, others + 1):
            shares[k] = gamma(world.state, hadron.split)
        shares[1:] *= (1.0 - shares[0]) / shares[1:].sum()
    return shares


@njit(cache=True, nogil=True)
def _direction(
    hadron: HadronModel, world: World, energy: float, particle: Particle, everywhere: bool
) -> tuple[float, float, float]:
    """Draw slopes and sign of a secondary: by transverse momentum, or isotropic."""
    phi = 2.0 * math.pi * uniform(world.state)
    if everywhere:
        cosine = 2.0 * uniform(world.state) - 1.0
        slope = min(math.sqrt(1.0 - cosine * cosine) / max(abs(cosine), 0.05), STEEPEST)
        return slope * math.cos(phi), slope * math.sin(phi), 1.0 if cosine > 0.0 else -1.0
    pt = hadron.pt * math.sqrt(2.0 * exponential(world.state))
    slope = min(pt / math.sqrt(max(energy * energy - pt * pt, 1.0)), STEEPEST)
    slope_u, slope_v = particle.slope_u + slope * math.cos(phi), particle.slope_v + slope * math.sin(phi)
    scale = min(STEEPEST / max(math.hypot(slope_u, slope_v), 1e-9), 1.0)
    return scale * slope_u, scale * slope_v, 1.0


@njit(cache=True, nogil=True)
def _interact(
    hadron: HadronModel,
    em: EmModel,
    world: World,
    queue: Queue,
    particle: Particle,
    energy: float,
    place: int,
    target: float,
) -> None:
    """Break up a nucleus at depth `target` before the layer at `place` and share the energy left."""
    truth = queue.truth
    path, x0 = _locate(world, place, target)
    u = particle.u + particle.slope_u * (path - particle.path)
    v = particle.v + particle.slope_v * (path - particle.path)
    if truth[FIRST] < 0.0:
        truth[FIRST] = place
    spent = break_up(hadron, world, energy, place, path, u, v)
    truth[INVISIBLE] += (hadron.binding + hadron.neutron) * spent
    truth[ABSORBED] += (1.0 - hadron.binding - hadron.neutron) * spent
    energy -= spent
    shares = _shares(hadron, world, energy)
    for k in range(len(shares)):
        own = shares[k] * energy
        neutral = own > LIGHTEST_PI0 and uniform(world.state) < (hadron.pi0 if k else hadron.pi0_lead)
        everywhere = own < hadron.isotropic and not neutral
        slope_u, slope_v, sign = _direction(hadron, world, own, particle, everywhere)
        if neutral:
            leaked, _ = em_shower(em, world, own, Start(x0, path, u, v, slope_u, slope_v), True)
            truth[EM] += own - leaked
            truth[LEAKED] += leaked
        elif own < STOPPING:
            truth[ABSORBED] += own
        else:
            push(queue, Particle(own, target, path, u, v, slope_u, slope_v, sign))
