"""Observables of the HGCal challenge's Geant4 histograms, made as their description states.

Raw cell sums below 1e-5 GeV are dropped, the others weighted with the layer's dE/dx [MeV per MIP]. Positions are
relative to the cell nearest to the unsmeared axis point of the layer, rings are counted from that point.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

CUT = 1e-5  # GeV
PITCH = 1.2091  # cm
N_LAYERS = 47
N_REFERENCE = 50_000  # showers behind the reference histograms
ETA, PHI = 2.0, 1.57


@dataclass
class Features:
    """Observables of n showers."""

    energy_ratio: np.ndarray  # [n]
    hits: np.ndarray  # [n]
    layer: np.ndarray  # weighted fraction [n, 47]
    occupancy: np.ndarray  # [n, 47]
    center: np.ndarray  # [2, n, 47] cm
    width: np.ndarray  # [2, n, 47] cm
    ring: np.ndarray  # [n, n_rings]


def ring_of_cells(x, y, z, layer, n_rings):
    """Ring of every cell (-1 outside) and its position relative to the axis cell of its layer."""
    ring = np.full(len(x), -1)
    dx, dy = np.zeros(len(x)), np.zeros(len(x))
    for number in range(1, N_LAYERS + 1):
        rows = np.flatnonzero((layer == number) & (z > 0))
        radius = z[rows[0]] / np.sinh(ETA)
        axis = radius * np.cos(PHI), radius * np.sin(PHI)
        distance = np.hypot(x[rows] - axis[0], y[rows] - axis[1])
        nearest = rows[cKDTree(np.stack([x[rows], y[rows]], 1)).query(axis)[1]]
        count = np.floor(distance / PITCH + 0.5).astype(int)
        count[(count == 0) | (count >= n_rings)] = -1
        ring[rows] = count
        ring[nearest] = 0
        dx[rows], dy[rows] = x[rows] - x[nearest], y[rows] - y[nearest]
    return ring, dx, dy


def features(offsets, cell, energy, table, incident, weights, n_rings):
    """Observables of ragged showers (offsets [n + 1], cell and energy [hits])."""
    n = len(offsets) - 1
    x, y, z = (np.asarray(a, float) for a in (table.x, table.y, table.z))
    ring, dx, dy = ring_of_cells(x, y, z, table.layer, n_rings)
    shower = np.repeat(np.arange(n), np.diff(offsets))
    keep = energy >= CUT
    shower, cell = shower[keep], cell[keep]
    layer = table.layer[cell].astype(int) - 1
    weighted = energy[keep].astype(float) * weights[layer]
    place = shower * N_LAYERS + layer

    def per_layer(values):
        return np.bincount(place, values, n * N_LAYERS).reshape(n, N_LAYERS)

    sums, occupancy = per_layer(weighted), per_layer(None)
    total = sums.sum(1)
    safe = np.where(sums > 0, sums, 1.0)
    center, width = [], []
    for position in (dx[cell], dy[cell]):
        mean = per_layer(weighted * position) / safe
        square = per_layer(weighted * position**2) / safe
        center.append(mean)
        width.append(np.sqrt(np.maximum(square - mean**2, 0.0)))
    cell_ring = ring[cell]
    mapped = cell_ring >= 0
    rings = np.bincount(shower[mapped] * n_rings + cell_ring[mapped], weighted[mapped], n * n_rings).reshape(n, n_rings)
    # a weighted deposit is in GeV x MeV per MIP: the challenge's ratio has the unit MeV per MIP
    return Features(
        energy_ratio=total / incident,
        hits=occupancy.sum(1),
        layer=sums / np.where(total > 0, total, 1.0)[:, None],
        occupancy=occupancy,
        center=np.array(center),
        width=np.array(width),
        ring=rings / np.maximum(rings.sum(1), 1e-30)[:, None],
    )


def separation(values, density, binning):
    """Separation power against a reference histogram: end bins absorb overflow, statistical floor subtracted."""
    n = len(values)
    q = np.histogram(np.clip(values, binning[0], binning[-1]), binning)[0] / n
    widths = np.diff(binning)
    p = density * widths / np.sum(density * widths)
    both = p + q
    used = both > 0
    power = 0.5 * np.sum((p - q)[used] ** 2 / both[used])
    floor = 0.25 * np.sum((p / N_REFERENCE + q / n)[used] * 2 / both[used])
    return power - floor


def separations(found: Features, reference: Path):
    """Separation power of every histogram, by kind of observable."""
    file = np.load(reference)

    def one(name, values):
        return separation(values, file[f"{name}/dist_ref"], file[f"{name}/binning"])

    n_rings = found.ring.shape[1]
    result = {
        "energy_ratio": np.array([one("EnergyRatio", found.energy_ratio)]),
        "layer": np.array([one(f"Energyfractionlayer{i}", found.layer[:, i]) for i in range(N_LAYERS)]),
        "occupancy": np.array([one(f"OccupancyLayer{i}", found.occupancy[:, i]) for i in range(N_LAYERS)]),
        "ring": np.array([one(f"Energyfractionring{i}", found.ring[:, i]) for i in range(n_rings)]),
    }
    for c, axis in enumerate("XY"):
        result[f"width_{axis.lower()}"] = np.array(
            [one(f"{axis}WidthLayer{i}", found.width[c, :, i]) for i in range(N_LAYERS)]
        )
    return result
