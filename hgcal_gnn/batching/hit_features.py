"""Features of the hits of showers: energies in units of MIP and of the shower, places relative to its axis.

The axis is the line from the origin through the energy-weighted barycentre of the hits; nothing of the truth enters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import F32, I16, I32, I64, U8
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers

FEATURES = (
    "log_mips",  # ln(deposit / E_MIP)
    "log_energy",  # ln(calibrated energy / GeV)
    "share",  # square root of the share of the shower's energy
    "x",  # [m]
    "y",
    "z",
    "across_1",  # from the axis, in the plane of the layer [10 cm]
    "across_2",
    "distance",  # ln(1 + distance from the axis / 2 cm)
    "depth",  # layer / number of layers
    "from_mean",  # (layer - energy-weighted mean layer) / 10
    "silicon",  # 1 silicon, 0 scintillator
    "mip",  # E_MIP [0.1 MeV]: which sensor
)
TINY = 1e-12  # GeV; keeps logarithms finite for deposits of 0


def check_features(names: Sequence[str]) -> None:
    """Refuse features that do not exist.

    Raises
    ------
    UsageError
    """
    unknown = [name for name in names if name not in FEATURES]
    if unknown:
        msg = f"no hit features {', '.join(unknown)}; there are {', '.join(FEATURES)}"
        raise UsageError(msg)


def hit_features(showers: Showers, cells: CellNumbers) -> tuple[F32, F32, F32]:
    """Compute all features of all hits.

    Returns
    -------
    features : float32 [n_hits, len(FEATURES)]
    energy : float32 [n_hits]
        Calibrated energies [GeV].
    position : float32 [n_hits, 3]
        Across the axis (two) and in depth from the barycentre, along z or in a barrel the radius [10 cm].
    """
    n_hits = len(showers.cell)
    features = np.empty((n_hits, len(FEATURES)), dtype=np.float32)
    energy = np.empty(n_hits, dtype=np.float32)
    position = np.empty((n_hits, 3), dtype=np.float32)
    numbers = (cells.place, cells.layer, cells.silicon, cells.weight, cells.mip)
    _fill(showers.offsets, showers.cell, showers.energy, *numbers, cells.n_layers, features, energy, position)
    return features, energy, position


@njit(cache=True, parallel=True)
def _fill(
    offsets: I64,
    cell: I32,
    deposit: F32,
    place: F32,
    layer: I16,
    silicon: U8,
    weight: F32,
    mip: F32,
    n_layers: int,
    features: F32,
    energy: F32,
    position: F32,
) -> None:
    for shower in prange(len(offsets) - 1):
        first, last = offsets[shower], offsets[shower + 1]
        total, mean_layer = 0.0, 0.0
        cx, cy, cz = 0.0, 0.0, 0.0
        for hit in range(first, last):
            row = cell[hit]
            value = deposit[hit] * weight[row]
            energy[hit] = value
            total += value
            mean_layer += value * layer[row]
            cx += value * place[row, 0]
            cy += value * place[row, 1]
            cz += value * place[row, 2]
        if total <= 0:
            total = TINY
        cx, cy, cz, mean_layer = cx / total, cy / total, cz / total, mean_layer / total
        # depth runs along z in an endcap, along the radius in a barrel: whichever the axis leans to
        radius = np.sqrt(cx * cx + cy * cy)
        is_endcap = abs(cz) >= radius
        for hit in range(first, last):
            row = cell[hit]
            x, y, z = place[row, 0], place[row, 1], place[row, 2]
            if is_endcap:
                scale = z / cz if cz != 0 else 0.0
                one, two, deep = x - cx * scale, y - cy * scale, abs(z) - abs(cz)
            else:
                outwards = (x * cx + y * cy) / radius
                one, two, deep = (y * cx - x * cy) / radius, z - cz * outwards / radius, outwards - radius
            features[hit, 0] = np.log(max(deposit[hit], TINY) / mip[row])
            features[hit, 1] = np.log(max(energy[hit], TINY))
            features[hit, 2] = np.sqrt(max(energy[hit], 0.0) / total)
            features[hit, 3] = 0.01 * x
            features[hit, 4] = 0.01 * y
            features[hit, 5] = 0.01 * z
            features[hit, 6] = 0.1 * one
            features[hit, 7] = 0.1 * two
            features[hit, 8] = np.log(1.0 + np.sqrt(one * one + two * two) / 2.0)
            features[hit, 9] = layer[row] / n_layers
            features[hit, 10] = 0.1 * (layer[row] - mean_layer)
            features[hit, 11] = silicon[row]
            features[hit, 12] = 1e4 * mip[row]
            position[hit, 0] = 0.1 * one
            position[hit, 1] = 0.1 * two
            position[hit, 2] = 0.1 * deep
