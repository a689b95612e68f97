"""The edge rules once more, in vectorised NumPy and SciPy: slower, independent, the peer of the benchmarks."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

TIE = 1e-6


def kdtree_pairs(points: np.ndarray, radius: float) -> np.ndarray:
    """Pairs of points within a radius."""
    return cKDTree(points).query_pairs(radius, output_type="ndarray")


def kdtree_nearest(points: np.ndarray, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances to and indices of the k nearest points."""
    return cKDTree(points).query(query, k=k)


def touching(points: np.ndarray, pitch: np.ndarray, reach: float = 0.71, pairs=kdtree_pairs) -> np.ndarray:
    """Pairs [n, 2] of one layer whose Voronoi edge, within reach, is at least 0.1 of the smaller pitch."""
    pairs = pairs(points, 1.5 * float(pitch.max()))
    step = points[pairs[:, 1]] - points[pairs[:, 0]]
    mean = 0.5 * (pitch[pairs[:, 0]] + pitch[pairs[:, 1]])
    distance = np.hypot(*step.T)
    # Where both cells have their six neighbours at one pitch and nobody else near, the lattice is regular.
    close = distance < 1.15 * mean
    six = np.bincount(pairs[close].ravel(), minlength=len(points)) == 6
    alone = np.bincount(pairs[distance < 1.5 * mean].ravel(), minlength=len(points)) == 6
    regular = close & (six & alone)[pairs].all(axis=1)
    doubtful = np.flatnonzero(~regular & (distance <= 1.5 * mean))
    kept = _long_enough(points, pairs, doubtful, distance[doubtful], mean[doubtful], pitch, reach)
    return pairs[np.sort(np.concatenate([np.flatnonzero(regular), doubtful[kept]]))]


def _long_enough(points, pairs, chosen, distance, mean, pitch, reach):
    n = len(points)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    near = csr_array((np.ones(len(both), np.int8), (both[:, 0], both[:, 1])), shape=(n, n))
    first, second = pairs[chosen].T
    count = np.diff(near.indptr)[first]
    which = np.repeat(np.arange(len(chosen)), count)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + near.indptr[first[which]]
    other = near.indices[place]
    ok = other != second[which]
    which, other = which[ok], other[ok]
    step = points[second] - points[first]
    across = np.column_stack([-step[:, 1], step[:, 0]]) / distance[:, None]
    q = points[other] - points[first[which]]
    room = 0.5 * ((q * q).sum(1) - (q * step[which]).sum(1))
    slope = (q * across[which]).sum(1)
    half = np.sqrt(np.maximum(reach**2 * mean**2 - 0.25 * distance**2, 0))
    low, high = -half, half.copy()
    up, down = slope > 1e-12, slope < -1e-12
    np.minimum.at(high, which[up], room[up] / slope[up])
    np.maximum.at(low, which[down], room[down] / slope[down])
    hidden = np.bincount(which, (~up & ~down) & (room < 0), len(chosen)) > 0
    return (high - low >= 0.1 * np.minimum(pitch[first], pitch[second])) & ~hidden


def nearest(target: np.ndarray, query: np.ndarray, ids: np.ndarray, search=kdtree_nearest) -> np.ndarray:
    """Index of the nearest target of each query point, smaller id among equals."""
    if len(target) == 1:
        return np.zeros(len(query), dtype=np.int64)
    distance, index = search(target, query, 2)
    best = index[:, 0].copy()
    tied = np.flatnonzero(distance[:, 1] <= distance[:, 0] + TIE)  # few: look at more candidates for these only
    if len(tied):
        distance, index = search(target, query[tied], min(8, len(target)))
        equal = distance <= distance[:, :1] + TIE
        candidate = np.where(equal, ids[index].astype(np.float64), np.inf)
        best[tied] = index[np.arange(len(tied)), candidate.argmin(axis=1)]
    return best


def undirected(graph, edge_type: int) -> set[tuple[int, int]]:
    """Edges of one type of a graph as a set of (smaller row, larger row)."""
    source, target = graph.edge_list()
    mine = (graph.edge_type == edge_type) & (source < target)
    return set(zip(source[mine].tolist(), target[mine].tolist(), strict=True))
