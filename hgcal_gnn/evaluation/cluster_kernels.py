"""The loops behind topological clustering, parallel over showers; hits of a shower are sorted by cell, one per cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I16, I32, I64

SUMS = ("energy", "n_cells", "x", "y", "z", "first_layer", "last_layer")
NONE, SEEDED = -1, -2  # labels of hits outside clusters, and of groups found to hold a seed


@njit(cache=True, parallel=True)
def label_hits(
    offsets: I64, cell: I32, significance: F64, rowptr: I64, col: I32 | I64, thresholds: F64
) -> tuple[I32, I64]:
    """Give each hit the number of its cluster in its shower.

    Clusters are the connected components of the hits above the second threshold that hold a hit above the first;
    hits between the third and the second join the cluster of their most significant neighbour (the first cell, where
    several are equal).

    Parameters
    ----------
    significance : float64 [n_hits]
    rowptr, col
        Edges of the cells, stored both ways.
    thresholds : float64 [3]
        To seed, to grow, to join as boundary; exceeded, not only reached.

    Returns
    -------
    label : int32 [n_hits]
        -1 for hits of no cluster.
    counts : int64 [n_showers]
        Clusters per shower.
    """
    label = np.full(len(cell), NONE, np.int32)
    parent = np.full(len(cell), NONE, np.int64)
    counts = np.zeros(len(offsets) - 1, np.int64)
    for shower in prange(len(offsets) - 1):
        start, stop = offsets[shower], offsets[shower + 1]
        _join(start, stop, cell, significance, rowptr, col, thresholds[1], parent)
        counts[shower] = _number(start, stop, significance, thresholds[0], parent, label)
        _add_boundary(start, stop, cell, significance, rowptr, col, thresholds[2], parent, label)
    return label, counts


@njit(cache=True)
def _join(
    start: int, stop: int, cell: I32, significance: F64, rowptr: I64, col: I32 | I64, grow: float, parent: I64
) -> None:
    """Join neighbours above `grow` to trees; the root of a tree is its first hit."""
    for hit in range(start, stop):
        if not significance[hit] > grow:
            continue
        parent[hit] = hit
        for edge in range(rowptr[cell[hit]], rowptr[cell[hit] + 1]):
            if col[edge] >= cell[hit]:  # this edge is met again from the other end
                continue
            other = _hit_of(start, hit, cell, col[edge])
            if other >= 0 and parent[other] >= 0:
                one, two = _root(parent, hit), _root(parent, other)
                parent[max(one, two)] = min(one, two)


@njit(cache=True)
def _number(start: int, stop: int, significance: F64, seed: float, parent: I64, label: I32) -> int:
    """Label the hits of trees with a seed in the order of the trees' first hits; return how many trees there are."""
    for hit in range(start, stop):
        if parent[hit] >= 0 and significance[hit] > seed:
            label[_root(parent, hit)] = SEEDED
    count = 0
    for hit in range(start, stop):
        if parent[hit] < 0:
            continue
        root = _root(parent, hit)  # at most `hit`: labelled already, or now
        if root < hit:
            label[hit] = label[root]
        elif label[hit] == SEEDED:
            label[hit] = count
            count += 1
    return count


@njit(cache=True)
def _add_boundary(
    start: int,
    stop: int,
    cell: I32,
    significance: F64,
    rowptr: I64,
    col: I32 | I64,
    boundary: float,
    parent: I64,
    label: I32,
) -> None:
    """Give hits that did not grow, but exceed `boundary`, to the cluster of their most significant neighbour."""
    for hit in range(start, stop):
        if parent[hit] >= 0 or not significance[hit] > boundary:
            continue
        best = -np.inf
        for edge in range(rowptr[cell[hit]], rowptr[cell[hit] + 1]):
            other = _hit_of(start, stop, cell, col[edge])
            if other >= 0 and parent[other] >= 0 and label[other] >= 0 and significance[other] > best:
                best = significance[other]
                label[hit] = label[other]


@njit(cache=True)
def _hit_of(start: int, stop: int, cell: I32, wanted: int) -> int:
    """Return which of the hits `start` to `stop` lies in a cell; -1: none does."""
    low, high = start, stop
    while low < high:
        middle = (low + high) // 2
        if cell[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and cell[low] == wanted else -1


@njit(cache=True)
def _root(parent: I64, hit: int) -> int:
    """Return the root of a hit's tree, halving the way to it for the next time."""
    while parent[hit] != hit:
        parent[hit] = parent[parent[hit]]
        hit = parent[hit]
    return hit


@njit(cache=True, parallel=True)
def cluster_sums(
    offsets: I64, cell: I32, deposit: F32, label: I32, clusters: I64, place: F32, layer: I16, weight: F32
) -> F64:
    """Return the columns `SUMS` of each cluster, float64 [n_clusters, 7].

    Calibrated energy [GeV], cells, its barycentre [cm], first and last layer. `clusters` [n_showers + 1] are the
    offsets of the clusters of each shower.
    """
    sums = np.zeros((clusters[-1], 7))
    for shower in prange(len(offsets) - 1):
        for hit in range(offsets[shower], offsets[shower + 1]):
            if label[hit] < 0:
                continue
            cluster, row = clusters[shower] + label[hit], cell[hit]
            energy = np.float64(deposit[hit]) * weight[row]
            if sums[cluster, 1] == 0:
                sums[cluster, 5] = layer[row]
            sums[cluster, 0] += energy
            sums[cluster, 1] += 1
            for axis in range(3):
                sums[cluster, 2 + axis] += energy * place[row, axis]
            sums[cluster, 5] = min(sums[cluster, 5], layer[row])
            sums[cluster, 6] = max(sums[cluster, 6], layer[row])
        for cluster in range(clusters[shower], clusters[shower + 1]):
            for axis in range(3):
                sums[cluster, 2 + axis] /= sums[cluster, 0]
    return sums
