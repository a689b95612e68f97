"""The HGCal challenge's features the plain way: dense layers, one weighted mean after the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PITCH, THRESHOLD, EPSILON = 1.2091, np.float32(1e-5), np.float32(1e-8)


class DenseLayers(NamedTuple):
    """Cells around an axis: [n_layers, n_slots] each, padded."""

    x: np.ndarray  # from the axis cell [cm]
    y: np.ndarray
    ring: np.ndarray  # -1: padding
    slot: np.ndarray  # of each cell of the detector, -1: in no ring


def dense_layers(numbers, direction, n_rings) -> DenseLayers:
    """Lay out the cells within `n_rings` rings of the axis along `direction` from the origin."""
    slot, found = np.full(len(numbers.layer), -1), []
    for layer in range(1, numbers.n_layers + 1):
        rows = np.flatnonzero(numbers.layer == layer)
        place = numbers.place[rows].astype(np.float64)
        step = place[:, :2] - place[:, 2:] * direction[:2] / direction[2]
        distance = np.hypot(*step.T)
        ring = np.floor(distance / PITCH + 0.5).astype(int)
        near = distance.argmin()
        ring[(ring == 0) | (ring >= n_rings)] = -1
        ring[near] = 0
        used = np.flatnonzero(ring >= 0)
        slot[rows[used]] = np.arange(len(used))
        found.append((*(place[used, :2] - place[near, :2]).T, ring[used]))
    width = max(len(ring) for *_, ring in found)
    padded = np.zeros((3, numbers.n_layers, width), np.float32)
    padded[2] = -1
    for layer, columns in enumerate(found):
        padded[:, layer, : len(columns[0])] = columns
    return DenseLayers(*padded, slot)


def fill(showers, numbers, layers: DenseLayers) -> np.ndarray:
    """Return weighted energies, float32 [n_showers, n_layers, n_slots]."""
    dense = np.zeros((len(showers), *layers.x.shape), np.float32)
    used = layers.slot[showers.cell] >= 0
    row = showers.cell[used]
    energy = np.where(showers.energy[used] < THRESHOLD, 0, showers.energy[used])
    dense[showers.shower[used], numbers.layer[row] - 1, layers.slot[row]] = (
        energy * numbers.weight[row] * numbers.mip[row] * 1e3
    )
    return dense


def features(dense, incident, layers: DenseLayers, n_rings) -> np.ndarray:
    """Return the published table, float32 [n_showers, 2 + 6 n_layers + n_rings]."""
    total = dense.sum(axis=(1, 2))[:, None]
    energy = dense.sum(axis=2)
    safe = np.where(energy > 0, energy, 1)
    columns = [incident[:, None], total / incident[:, None]]
    for place in (layers.x, layers.y):
        mean = (dense * place).sum(axis=2) / safe
        square = (dense * place**2).sum(axis=2) / safe
        columns += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    columns += [(dense > EPSILON).sum(axis=2), energy / (total + EPSILON)]
    one_hot = (layers.ring[None] == np.arange(n_rings)[:, None, None]).astype(np.float32)
    columns.append(np.einsum("rlc,slc->sr", one_hot, dense) / (total + EPSILON))
    return np.concatenate(columns, axis=1).astype(np.float32)
