"""The compiled loop over showers: draw a particle, follow it, collect its hits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from hgcal_gnn.simulation.electromagnetic import Start, em_shower, mip_deposit
from hgcal_gnn.simulation.hadronic import EM, FIRST, INVISIBLE, LEAKED, Queue, hadron_shower
from hgcal_gnn.simulation.hits import add_hit, clear_hits
from hgcal_gnn.simulation.random import normal, seed_stream, uniform
from hgcal_gnn.simulation.stack import cell_at, trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.simulation.beam import BeamSettings
    from hgcal_gnn.simulation.parameters import EmModel, HadronModel
    from hgcal_gnn.simulation.stack import World

GUESS = 500  # hits per shower for which room is made at first
LANDAU_MAX = 200.0  # 200 Landau widths: a delta ray of about 1 MeV, which no longer stops in the sensor
PHOTON, ELECTRON, MUON, NEUTRAL_PION = 22, 11, 13, 111


class Block(NamedTuple):
    """Showers made in one call, [n] each but for the hits.

    Attributes
    ----------
    counts : int64 [n]
        Hits per shower.
    cell : int32 [n_hits]
    energy : float32 [n_hits]
        Raw deposit [GeV].
    incident : float64 [n]
        [GeV]
    vertex, direction : float64 [n, 3]
    first : int16 [n]
        Layer before which the particle interacted first, 0: nowhere.
    truth : float64 [n, 3]
        Electromagnetic, invisible and leaked energy [GeV].
    """

    counts: NDArray[np.int64]
    cell: NDArray[np.int32]
    energy: NDArray[np.float32]
    incident: NDArray[np.float64]
    vertex: NDArray[np.float64]
    direction: NDArray[np.float64]
    first: NDArray[np.int16]
    truth: NDArray[np.float64]


@njit(cache=True, nogil=True)
def simulate_block(
    beam: BeamSettings,
    em: EmModel,
    hadron: HadronModel,
    world: World,
    queue: Queue,
    seed: int,
    begin: int,
    n: int,
) -> Block:
    """Simulate showers `begin` to `begin + n` of a run; each has a random stream of its own."""
    counts, first = np.zeros(n, np.int64), np.zeros(n, np.int16)
    cell, energy = np.empty(n * GUESS, np.int32), np.empty(n * GUESS, np.float32)
    incident, truth = np.empty(n), np.zeros((n, 3))
    vertex, direction = np.empty((n, 3)), np.empty((n, 3))
    filled = 0
    for i in range(n):
        seed_stream(world.state, seed, begin + i)
        incident[i] = draw_particle(beam, world, vertex[i], direction[i])
        first[i] = _follow(beam.pdg_id, em, hadron, world, queue, 1e3 * incident[i], vertex[i], direction[i], truth[i])
        count = world.hits.filled[0]
        if filled + count > len(cell):
            cell, energy = _grown(cell, filled, count), _grown(energy, filled, count)
        cell[filled : filled + count] = world.hits.row[:count]
        energy[filled : filled + count] = world.hits.energy[:count]
        counts[i] = count
        filled += count
        clear_hits(world.hits)
    return Block(counts, cell[:filled], energy[:filled], incident, vertex, direction, first, truth)


@njit(cache=True, nogil=True)
def _grown(values: NDArray[Any], filled: int, more: int) -> NDArray[Any]:
    """Return a larger copy of an array of which `filled` entries are in use."""
    larger = np.empty(2 * len(values) + more, values.dtype)
    larger[:filled] = values[:filled]
    return larger


@njit(cache=True, nogil=True)
def draw_particle(
    beam: BeamSettings, world: World, vertex: NDArray[np.float64], direction: NDArray[np.float64]
) -> float:
    """Fill vertex [cm] and direction of one particle and return its total energy [GeV]."""
    state = world.state
    eta = beam.eta[0] + (beam.eta[1] - beam.eta[0]) * uniform(state)
    phi = beam.phi[0] + (beam.phi[1] - beam.phi[0]) * uniform(state)
    share = uniform(state)
    if beam.kind == 0:
        value = beam.values[min(int(share * len(beam.values)), len(beam.values) - 1)]
    elif beam.kind == 1:
        value = beam.values[0] + share * (beam.values[1] - beam.values[0])
    else:
        value = beam.values[0] * (beam.values[1] / beam.values[0]) ** share
    direction[:] = beam.direction
    if not direction.any():
        direction[0], direction[1], direction[2] = math.cos(phi), math.sin(phi), math.sinh(eta)
        direction /= math.cosh(eta)
    if beam.is_pt:
        momentum = value / max(math.hypot(direction[0], direction[1]), 1e-12)
        value = math.sqrt(momentum * momentum + beam.mass * beam.mass)
    vertex[:] = beam.vertex
    if not math.isnan(beam.start_z) and direction[2] != 0.0:
        vertex += direction * ((beam.start_z - vertex[2]) / direction[2])
    for k in range(3):
        vertex[k] += beam.sigma[k] * normal(state)
    return float(value)


@njit(cache=True, nogil=True)
def _follow(
    pdg_id: int,
    em: EmModel,
    hadron: HadronModel,
    world: World,
    queue: Queue,
    energy: float,
    vertex: NDArray[np.float64],
    direction: NDArray[np.float64],
    truth: NDArray[np.float64],
) -> int:
    """Simulate one particle of `energy` [MeV], fill its truth [GeV], return the layer of its first interaction."""
    if pdg_id == NEUTRAL_PION:
        return _neutral_pion(em, world, energy, vertex, direction, truth)
    axis = world.axis
    trace(world.stack, vertex, direction, axis)
    place = -1
    if axis.filled[0] == 0:
        truth[2] = 1e-3 * energy
    elif pdg_id in (PHOTON, ELECTRON, -ELECTRON):
        leaked, place = em_shower(em, world, energy, Start(0.0, 0.0, 0.0, 0.0, 0.0, 0.0), pdg_id == PHOTON)
        truth[0], truth[2] = 1e-3 * (energy - leaked), 1e-3 * leaked
    elif pdg_id in (MUON, -MUON):
        truth[2] = 1e-3 * _muon(world, energy)
    else:
        hadron_shower(hadron, em, world, queue, energy)
        truth[0], truth[1], truth[2] = 1e-3 * queue.truth[EM], 1e-3 * queue.truth[INVISIBLE], 1e-3 * queue.truth[LEAKED]
        place = int(queue.truth[FIRST])
    return world.stack.layer[axis.layers[place]] if 0 <= place < axis.filled[0] else 0


@njit(cache=True, nogil=True)
def _muon(world: World, energy: float) -> float:
    """Let a muon ionise in every layer until it ranges out; return the energy it leaves with [MeV]."""
    axis = world.axis
    for place in range(axis.filled[0]):
        if axis.loss[place] >= energy:
            return 0.0
        row = cell_at(world, place, 0.0, 0.0)
        if row >= 0:
            mip = world.sensors.mip[world.sensors.kind[row]]
            add_hit(world.hits, row, 1e-3 * mip_deposit(world.state, mip, axis.slant[place], LANDAU_MAX))
    return float(energy - axis.loss[axis.filled[0] - 1])


@njit(cache=True, nogil=True)
def _neutral_pion(
    em: EmModel,
    world: World,
    energy: float,
    vertex: NDArray[np.float64],
    direction: NDArray[np.float64],
    truth: NDArray[np.float64],
) -> int:
    """Let a neutral pion decay at the vertex, evenly in its rest frame, into two photons."""
    mass = 134.9768
    momentum = math.sqrt(max(energy * energy - mass * mass, 0.0))
    cosine = 2.0 * uniform(world.state) - 1.0
    turn = 2.0 * math.pi * uniform(world.state)
    across = _perpendicular(direction, turn)
    first = 0
    for sign in (1.0, -1.0):
        own = 0.5 * (energy + sign * momentum * cosine)
        along = 0.5 * (momentum + sign * energy * cosine)
        sideways = sign * 0.5 * mass * math.sqrt(1.0 - cosine * cosine)
        flight = (along * direction + sideways * across) / own
        trace(world.stack, vertex, flight, world.axis)
        leaked, place = own, 0
        if world.axis.filled[0] > 0:
            leaked, place = em_shower(em, world, own, Start(0.0, 0.0, 0.0, 0.0, 0.0, 0.0), True)
        truth[0] += 1e-3 * (own - leaked)
        truth[2] += 1e-3 * leaked
        if place < world.axis.filled[0]:
            layer = world.stack.layer[world.axis.layers[place]]
            first = layer if first == 0 else min(first, layer)
    return first


@njit(cache=True, nogil=True)
def _perpendicular(direction: NDArray[np.float64], turn: float) -> NDArray[np.float64]:
    """Return the unit vector across `direction` at an angle `turn` around it."""
    smallest = np.argmin(np.abs(direction))
    other = np.zeros(3)
    other[smallest] = 1.0
    first = np.cross(direction, other)
    first /= math.sqrt((first * first).sum())
    return math.cos(turn) * first + math.sin(turn) * np.cross(direction, first)
