"""Electromagnetic showers after GFlash (Grindhammer and Peters, hep-ex/0001020, "GP" below).

A shower is a gamma distribution of particle crossings along its axis (GP section 3.1), with shape and maximum
fluctuating together from shower to shower (GP section 4.1, sampling calorimeters), spread by a core and a tail
(GP section 3.2). The number of crossings of a layer is a Poisson number around
E x density x response / (loss per radiation length); each deposits what a minimum ionising particle deposits,
Landau tail included, so that hits, occupancy and sampling fluctuations follow. Nothing is renormalised: what
lies behind the last layer has leaked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from numba import njit

from hgcal_gnn.simulation.deposit import find_cell
from hgcal_gnn.simulation.hits import add_hit
from hgcal_gnn.simulation.random import exponential, landau, normal, poisson, uniform
from hgcal_gnn.simulation.special import upper_gamma

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hgcal_gnn.simulation.parameters import EmModel
    from hgcal_gnn.simulation.random import State
    from hgcal_gnn.simulation.stack import World

LANDAU_PEAK = -0.22278  # of the standard Landau density
LATEST = 4.0  # radii are published up to a few shower maxima; they stay constant beyond
LEAST_MEAN = 1e-4  # crossings; behind the maximum a shower ends here
# Crossings of a sensor plane that are followed one by one; of more, each stands for several. Chance then moves the sum
# of a plane by 2 % and that of a shower, spread over twenty planes, by half a per cent: less than showers of a TeV
# differ anyway, and in the HGCAL not reached below 800 GeV.
MOST_CROSSINGS = 5_000.0
SMALLEST_Y = 3.0  # E / E_c below which the shape no longer changes


class Start(NamedTuple):
    """Where an electromagnetic shower begins, in the frame of the axis.

    Attributes
    ----------
    x0, path
        Radiation lengths and distance [cm] along the axis.
    u, v
        Displacement across the axis [cm].
    slope_u, slope_v
        Its change per cm along the axis.
    """

    x0: float
    path: float
    u: float
    v: float
    slope_u: float
    slope_v: float


class Shape(NamedTuple):
    """The profile of one shower: gamma distribution of maximum t_max [X0] and exponent alpha."""

    t_max: float
    alpha: float
    beta: float
    log_norm: float
    log_energy: float  # of the energy in GeV


@njit(cache=True, nogil=True)
def draw_shape(model: EmModel, world: World, energy: float, critical: float) -> Shape:
    """Draw the longitudinal shape of a shower of `energy` where the critical energy is `critical` (both MeV).

    Means: GP equations (3), (8), (9); widths and correlation of ln T and ln alpha: GP appendix A.2.2
    (the same numbers describe the HGCAL in github.com/jbsauvan/HGCAL-FastShower).
    """
    log_y = math.log(max(energy / critical, SMALLEST_Y))
    log_t = math.log(max(log_y + model.t_shift, 0.2))
    log_alpha = math.log(max(model.alpha_scale * (0.81 + (0.458 + 2.26 / model.charge) * log_y), 1.05))
    sigma_t = model.fluctuation * min(1.0 / max(-2.5 + 1.25 * log_y, 0.1), 0.6)
    sigma_alpha = model.fluctuation * min(1.0 / max(-0.82 + 0.79 * log_y, 0.1), 0.6)
    rho = 0.784 - 0.023 * log_y
    first = normal(world.state)
    second = rho * first + math.sqrt(1.0 - rho * rho) * normal(world.state)
    t_max = math.exp(log_t + sigma_t * first)
    alpha = max(math.exp(log_alpha + sigma_alpha * second), 1.1)
    beta = (alpha - 1.0) / t_max
    return Shape(t_max, alpha, beta, math.log(beta) - math.lgamma(alpha), math.log(max(1e-3 * energy, 0.1)))


@njit(cache=True, nogil=True)
def radii(model: EmModel, shape: Shape, tau: float) -> tuple[float, float, float]:
    """Return core radius, tail radius [Moliere radii] and share of the core at depth tau x t_max (GP A.1.3)."""
    core = model.core * (0.0251 + 0.00319 * shape.log_energy + (0.1162 - 0.000381 * model.charge) * tau)
    k1 = 0.659 - 0.00309 * model.charge
    k4 = 0.3585 + 0.0421 * shape.log_energy
    tail = model.tail * k1 * (math.exp(-2.59 * (tau - 0.645)) + math.exp(k4 * (tau - 0.645)))
    p1 = 2.632 - 0.00094 * model.charge
    p2 = 0.401 + 0.00187 * model.charge
    p3 = 1.313 - 0.0686 * shape.log_energy
    exponent = (p2 - tau) / p3
    share = p1 * math.exp(exponent - math.exp(exponent))
    return max(core, 1e-3), tail, min(max(share, 0.0), 1.0)


@njit(cache=True, nogil=True)
def draw_radius(state: State, radius: float, reach: float) -> float:
    """Draw a distance from the axis: density 2 r R^2 / (r^2 + R^2)^2, damped exponentially beyond `reach`."""
    while True:
        q = uniform(state)
        r = radius * math.sqrt(q / (1.0 - q))
        if r < reach or uniform(state) < math.exp(1.0 - r / reach):
            return r


@njit(cache=True, nogil=True)
def mip_deposit(state: State, mip: NDArray[np.float64], path: float, landau_max: float) -> float:
    """Draw what a minimum ionising particle deposits over `path` sensor thicknesses [MeV] (mip: `Sensors.mip`)."""
    number = landau(state)
    while number > landau_max:
        number = landau(state)
    return float(max(path * (mip[0] + mip[1] * (number - LANDAU_PEAK)), 0.0))


@njit(cache=True, nogil=True)
def _cross_layer(
    model: EmModel, world: World, shape: Shape, place: int, start: Start, depth: float, mean: float
) -> float:
    """Spread `mean` crossings over a layer at `depth` [X0] after the start; return the share that missed.

    `mean` is made with the larger of the layer's responses of silicon and tiles: the other kind sees fewer.
    """
    # whatever the loop needs is unpacked here: a call with `world` counts the references of some fifty arrays
    axis, finder, hits, state = world.axis, world.finder, world.hits, world.state
    kinds, mips, is_tile = world.sensors.kind, world.sensors.mip, world.sensors.is_tile
    soft, longer, landau_max = model.soft, model.path, model.landau_max
    layer, slant = axis.layers[place], axis.slant[place]
    cells, moliere = world.stack.cells[layer], world.stack.moliere[layer]
    seen = world.stack.response[layer] / world.stack.response[layer].max()
    core, tail, share = radii(model, shape, min(depth / shape.t_max, LATEST))
    reach = moliere * model.reach
    along = axis.path[place] - start.path
    middle_u, middle_v = start.u + start.slope_u * along, start.v + start.slope_v * along
    a0, b0 = axis.origin[place]
    au, av, bu, bv = axis.plane[place]
    crossings, missed, more = 0, 0, 0
    weight = max(mean / MOST_CROSSINGS, 1.0)
    groups = poisson(state, mean / weight / (1.0 + model.extra))
    u = v = 0.0
    while groups > 0 or more > 0:
        if more > 0:
            more -= 1
            u += model.extra_spread * normal(state)
            v += model.extra_spread * normal(state)
        else:
            groups -= 1
            more = poisson(state, model.extra)
            r = draw_radius(state, moliere * (core if uniform(state) < share else tail), reach)
            phi = 2.0 * math.pi * uniform(state)
            u, v = middle_u + r * math.cos(phi), middle_v + r * math.sin(phi)
        crossings += 1
        row = find_cell(finder, cells, a0 + au * u + av * v, b0 + bu * u + bv * v)
        if row < 0:
            missed += 1
            continue
        kind = kinds[row]
        if uniform(state) > seen[is_tile[kind]]:
            continue
        if uniform(state) < soft:
            deposit = uniform(state) * mips[kind, 0]
        else:
            deposit = mip_deposit(state, mips[kind], slant * (1.0 + longer * exponential(state)), landau_max)
        add_hit(hits, row, 1e-3 * weight * deposit)
    return missed / max(crossings, 1)


@njit(cache=True, nogil=True)
def em_shower(model: EmModel, world: World, energy: float, start: Start, is_photon: bool) -> tuple[float, int]:
    """Simulate one electron or photon.

    Parameters
    ----------
    energy
        [MeV]
    start
        Where the particle is; a photon goes on to its conversion.

    Returns
    -------
    leaked, first
        Energy behind the last layer or where no cells are [MeV]; place along the axis of the first layer behind
        the conversion (the number of layers if there is none).
    """
    axis, stack = world.axis, world.stack
    n_places = axis.filled[0]
    begin = start.x0 + (model.conversion * exponential(world.state) if is_photon else 0.0)
    first = 0
    while first < n_places and axis.x0[first] < begin:
        first += 1
    if first == n_places:
        return energy, first
    stretch = math.sqrt(1.0 + start.slope_u**2 + start.slope_v**2)
    here = axis.layers[first]
    shape = draw_shape(model, world, energy, stack.loss[here] / stack.x0[here])
    leaked = 0.0
    for place in range(first, n_places):
        i = axis.layers[place]
        depth = stretch * (axis.x0[place] - begin)
        density = math.exp(shape.log_norm + (shape.alpha - 1.0) * math.log(shape.beta * depth) - shape.beta * depth)
        mean = energy * stretch * density * stack.response[i].max() * stack.x0[i] / stack.loss[i]
        # the pair, or the electron itself, before it multiplies
        mean += (2.0 if is_photon else 1.0) * math.exp(-depth)
        if mean < LEAST_MEAN and depth > shape.t_max:
            break
        missed = _cross_layer(model, world, shape, place, start, depth, mean)
        leaked += missed * energy * density * stretch * stack.x0[i] * axis.slant[place]
    leaked += energy * upper_gamma(shape.alpha, shape.beta * stretch * (axis.x0[n_places - 1] - begin))
    return min(leaked, energy), first
