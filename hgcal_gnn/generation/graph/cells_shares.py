"""What share of a layer's clicks and energy falls into a cell: round Gaussians, averaged over hexagons.

Twice the same sum: in torch where gradients are wanted, and compiled, several times as fast, where not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

from hgcal_gnn.nn.pooling import pool_sum
from hgcal_gnn.nn.threads import array, use_torch_threads

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, I64
    from hgcal_gnn.generation.graph.cells_places import Density
    from hgcal_gnn.generation.graph.ground import Seen

NEAR = 3.0  # cm from the axis; Gaussians are averaged over nearer cells in 19 points, over others to second order
OWN_VARIANCE = 5 / (36 * math.sqrt(3))  # of a hexagon of area 1 along an axis
WIDE = 1.0  # variance over area of a cell: of Gaussians as wide as this the second order is enough (2e-3)
NOTHING = 40.0  # exponent below which a Gaussian is 0
TINY = 1e-12


def _hexagon() -> Tensor:
    """Return the centres of the 19 small hexagons that make up one of area 1, float32 [19, 2]."""
    steps = [(a, b) for a in range(-2, 3) for b in range(-2, 3) if abs(a + b) <= 2]
    points = torch.tensor([(a + b / 2, b * math.sqrt(3) / 2) for a, b in steps])
    return points * math.sqrt(2 / math.sqrt(3) / len(steps))


HEXAGON = _hexagon()
POINTS = HEXAGON.numpy()


def log_shares(density: Density, seen: Seen) -> tuple[Tensor, Tensor]:
    """Return the logarithms of the expected share of clicks and of energy in the cells of hits, [n_hits] each."""
    needed = torch.is_grad_enabled() and density.sigma.requires_grad
    if needed or density.sigma.device.type != "cpu" or density.sigma.dtype != torch.float32:
        return _in_torch(density, seen)
    found = density.sigma.new_empty(2, len(seen.u))
    use_torch_threads()
    _compiled(
        array(density.log_share.exp().flatten(0, 1)), array(density.log_energy_share.exp().flatten(0, 1)),
        array(density.sigma.flatten(0, 1)), array(density.middle.flatten(0, 1)), array(seen.u), array(seen.v),
        array(seen.area), array(seen.layer_ptr), POINTS, array(found),
    )  # fmt: skip
    return found[0], found[1]


def _in_torch(density: Density, seen: Seen) -> tuple[Tensor, Tensor]:
    n_components = density.sigma.shape[2]
    sigma, share, energy = (
        part.reshape(-1, n_components)
        for part in (density.sigma, density.log_share.exp(), density.log_energy_share.exp())
    )
    middle = density.middle.flatten(0, 1)
    near = seen.u.square() + seen.v.square() < NEAR**2
    far = ~near
    centre = torch.stack([seen.u, seen.v], dim=1)[:, None]
    inside = centre[near] + seen.area[near].sqrt()[:, None, None] * HEXAGON.to(centre)
    widened = (sigma[seen.row[far]].square() + OWN_VARIANCE * seen.area[far, None]).sqrt()
    gauss = centre.new_empty(len(centre), n_components)
    gauss = gauss.index_put((near,), _mean_gauss(inside, middle[seen.row[near]], sigma[seen.row[near]]))
    gauss = gauss.index_put((far,), _mean_gauss(centre[far], middle[seen.row[far]], widened))
    gauss = gauss * seen.area[:, None]
    shares = torch.stack([(gauss * of_layer[seen.row]).sum(dim=1) for of_layer in (share, energy)], dim=1)
    # a rounding above 1 in all would be worth any number of clicks
    total = pool_sum(shares, seen.layer_ptr).clamp(min=1.0)
    clicks, energies = ((shares / total[seen.row]) + TINY).log().unbind(dim=1)
    return clicks, energies


def _mean_gauss(points: Tensor, middle: Tensor, sigma: Tensor) -> Tensor:
    """Return the mean over points [n, n_points, 2] of round Gaussians of some middles and widths [n, n_components].

    |p - m|^2 = |p|^2 - 2 p m + |m|^2: one product of matrices in place of a difference of every pair.
    """
    variance = sigma.square()
    product = torch.baddbmm(middle.square().sum(dim=2)[:, None], points, middle.transpose(1, 2), alpha=-2)
    squared = product + points.square().sum(dim=2, keepdim=True)
    return (-0.5 * squared / variance[:, None]).exp().mean(dim=1) / (2 * math.pi * variance)


@njit(cache=True, nogil=True, parallel=True, fastmath=True)
def _compiled(
    share: F32, energy: F32, sigma: F32, middle: F32, u: F32, v: F32, area: F32, layer_ptr: I64, points: F32, found: F32
) -> None:
    """Fill the logarithms of both shares, float32 [2, n_hits]; rows of the others are those of `layer_ptr`."""
    for row in prange(len(layer_ptr) - 1):
        first, last = layer_ptr[row], layer_ptr[row + 1]
        clicks, energies = 0.0, 0.0
        for i in range(first, last):
            near = u[i] * u[i] + v[i] * v[i] < np.float32(NEAR**2)
            of_clicks, of_energy = np.float32(0), np.float32(0)
            for k in range(sigma.shape[1]):
                gauss = _mean_of(
                    u[i] - middle[row, k, 0], v[i] - middle[row, k, 1], area[i], sigma[row, k] ** 2, near, points
                )
                of_clicks += share[row, k] * gauss
                of_energy += energy[row, k] * gauss
            found[0, i], found[1, i] = area[i] * of_clicks, area[i] * of_energy
            clicks += found[0, i]
            energies += found[1, i]
        clicks, energies = max(clicks, 1.0), max(energies, 1.0)
        for i in range(first, last):
            found[0, i] = min(0.0, math.log(found[0, i] / clicks + TINY))
            found[1, i] = min(0.0, math.log(found[1, i] / energies + TINY))


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _mean_of(u: float, v: float, area: float, variance: float, near: bool, points: F32) -> np.float32:
    """Return the mean of a Gaussian over a cell at a displacement from its middle."""
    squared = u * u + v * v
    if near and variance < np.float32(WIDE) * area:
        side = math.sqrt(area)
        if squared > (side + math.sqrt(np.float32(2 * NOTHING) * variance)) ** 2:
            return np.float32(0)
        total, factor = np.float32(0), np.float32(-0.5) / variance
        for p in range(len(points)):
            total += math.exp(factor * ((u + side * points[p, 0]) ** 2 + (v + side * points[p, 1]) ** 2))
        return np.float32(total / np.float32(len(points) * 2 * math.pi) / variance)
    wider = variance + np.float32(OWN_VARIANCE) * area
    return np.float32(math.exp(np.float32(-0.5) * squared / wider) / (np.float32(2 * math.pi) * wider))
