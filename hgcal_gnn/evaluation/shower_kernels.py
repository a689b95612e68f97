"""The sums over hits behind the observables, one pass per group, parallel over showers.

Hits without a positive deposit count nowhere, so that empty showers give 0 and nothing gives NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.arrays import F32, F64, I16, I32, I64

MOMENTS = ("visible", "energy", "x", "y", "z", "mean_layer", "layer_spread", "largest", "n_hits")
TINY = 1e-300  # divides sums that are 0


@njit(cache=True, parallel=True)
def moments(offsets: I64, cell: I32, deposit: F32, place: F32, layer: I16, weight: F32) -> F64:
    """Return the columns `MOMENTS` of each shower, float64 [n_showers, 9].

    Deposits [GeV], calibrated energy [GeV], its barycentre [cm], its mean layer and the standard deviation of the
    layer, the largest hit [GeV], the number of hits.
    """
    sums = np.zeros((len(offsets) - 1, 9))
    for shower in prange(len(offsets) - 1):
        visible, total, largest, count = 0.0, 0.0, 0.0, 0.0
        x, y, z, first, second = 0.0, 0.0, 0.0, 0.0, 0.0
        for hit in range(offsets[shower], offsets[shower + 1]):
            if not deposit[hit] > 0:
                continue
            row = cell[hit]
            energy = np.float64(deposit[hit]) * weight[row]
            visible += deposit[hit]
            total += energy
            largest = max(largest, energy)
            count += 1
            x += energy * place[row, 0]
            y += energy * place[row, 1]
            z += energy * place[row, 2]
            first += energy * layer[row]
            second += energy * layer[row] * layer[row]
        norm = max(total, TINY)
        first, second = first / norm, second / norm
        sums[shower, 0], sums[shower, 1] = visible, total
        sums[shower, 2], sums[shower, 3], sums[shower, 4] = x / norm, y / norm, z / norm
        sums[shower, 5], sums[shower, 6] = first, np.sqrt(max(second - first * first, 0.0))
        sums[shower, 7], sums[shower, 8] = largest, count
    return sums


@njit(cache=True, parallel=True)
def group_sums(offsets: I64, cell: I32, deposit: F32, group: NDArray[Any], scale: F32, n_groups: int) -> F64:
    """Sum deposit x scale [n_cells] of each shower by group [n_cells] of the cell, float64 [n_showers, n_groups]."""
    sums = np.zeros((len(offsets) - 1, n_groups))
    for shower in prange(len(offsets) - 1):
        for hit in range(offsets[shower], offsets[shower + 1]):
            if deposit[hit] > 0:
                row = cell[hit]
                sums[shower, group[row]] += np.float64(deposit[hit]) * scale[row]
    return sums


@njit(cache=True, parallel=True)
def lateral(offsets: I64, cell: I32, deposit: F32, place: F32, weight: F32, centre: F64, radii: F64) -> F64:
    """Return energy-weighted sums about the axis from the origin through `centre` [n_showers, 3].

    Returns
    -------
    float64 [n_showers, 1 + n_radii]
        Sum of energy x squared distance from the axis [GeV cm2], then the energy within each radius [GeV].
    """
    sums = np.zeros((len(offsets) - 1, 1 + len(radii)))
    for shower in prange(len(offsets) - 1):
        x, y, z = centre[shower]
        square = max(x * x + y * y + z * z, TINY)
        for hit in range(offsets[shower], offsets[shower + 1]):
            if not deposit[hit] > 0:
                continue
            row = cell[hit]
            energy = np.float64(deposit[hit]) * weight[row]
            along = (place[row, 0] * x + place[row, 1] * y + place[row, 2] * z) / square
            across_x, across_y = place[row, 0] - along * x, place[row, 1] - along * y
            across_z = place[row, 2] - along * z
            distance = across_x * across_x + across_y * across_y + across_z * across_z
            sums[shower, 0] += energy * distance
            for number in range(len(radii)):
                if distance < radii[number] * radii[number]:
                    sums[shower, 1 + number] += energy
    return sums


@njit(cache=True, parallel=True)
def spectrum(offsets: I64, cell: I32, deposit: F32, weight: F32, mip: F32, thresholds: F64) -> F64:
    """Return how the energy is spread over the hits.

    Returns
    -------
    float64 [n_showers, 2 + 2 n_thresholds]
        Sums of energy x ln(deposit / E_MIP) and of energy x its square [GeV], then above each threshold
        [E_MIP] the number of hits and their energy [GeV].
    """
    n = len(thresholds)
    sums = np.zeros((len(offsets) - 1, 2 + 2 * n))
    for shower in prange(len(offsets) - 1):
        for hit in range(offsets[shower], offsets[shower + 1]):
            if not deposit[hit] > 0:
                continue
            row = cell[hit]
            energy = np.float64(deposit[hit]) * weight[row]
            mips = np.float64(deposit[hit]) / mip[row]
            logarithm = np.log(mips)
            sums[shower, 0] += energy * logarithm
            sums[shower, 1] += energy * logarithm * logarithm
            for number in range(n):
                if mips > thresholds[number]:
                    sums[shower, 2 + number] += 1.0
                    sums[shower, 2 + n + number] += energy
    return sums
