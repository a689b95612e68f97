"""The whole graph as one would build it with SciPy or scikit-learn, vectorised, with equal edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.spatial import cKDTree
from sklearn.neighbors import KDTree

from hgcal_gnn.geometry.neighbours.border import border_edges
from hgcal_gnn.geometry.neighbours.pitch import cell_pitch
from hgcal_gnn.geometry.stations import find_stations
from tests.geometry import reference

if TYPE_CHECKING:
    from hgcal_gnn.geometry.cells import CellTable


def scipy_nearest(points: np.ndarray, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices by cKDTree on all cores."""
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    return tree.query(query, k=k, workers=-1)


def scipy_pairs(points: np.ndarray, radius: float) -> np.ndarray:
    """Pairs within a radius by cKDTree."""
    return cKDTree(points, balanced_tree=False, compact_nodes=False).query_pairs(radius, output_type="ndarray")


def sklearn_nearest(points: np.ndarray, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices by scikit-learn's KDTree."""
    return KDTree(points).query(query, k=k)


def sklearn_pairs(points: np.ndarray, radius: float) -> np.ndarray:
    """Pairs within a radius by scikit-learn's KDTree."""
    found = KDTree(points).query_radius(points, radius)
    first = np.repeat(np.arange(len(points)), [len(near) for near in found])
    second = np.concatenate(found)
    return np.column_stack([first, second])[first < second]


def build(table: CellTable, pairs, nearest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every edge of the default rules, sorted by (source, target): rowptr, col, edge_type."""
    stations = find_stations(table)
    pitch = cell_pitch(table, stations).astype(float)
    n = table.n_cells
    points = np.column_stack([stations.a, stations.b])
    order = np.argsort(stations.number, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(stations.number))[:-1])
    parts = []
    for rows in groups:
        for code in np.unique(table.subdetector[rows]):
            mine = rows[table.subdetector[rows] == code]
            parts.append((mine[reference.touching(points[mine], pitch[mine], pairs=pairs)], 0))
    border = border_edges(table, stations, pitch.astype(np.float32)).pairs
    parts.append((np.column_stack([border.first, border.second]), 1))
    undirected = np.concatenate([pair for pair, _ in parts])
    kinds = np.repeat([kind for _, kind in parts], [len(pair) for pair, _ in parts])

    key = []
    for station, rows in enumerate(groups):
        other = stations.next[station]
        if other < 0:
            continue
        there = groups[other]
        forward = reference.nearest(points[there], points[rows], table.cell_id[there], nearest)
        backward = reference.nearest(points[rows], points[there], table.cell_id[rows], nearest)
        key.append(np.unique(np.concatenate([rows * n + there[forward], rows[backward] * n + there])))
    key = np.concatenate(key)
    source, target = key // n, key % n
    source, target, kind = (
        np.concatenate(columns)
        for columns in (
            (undirected[:, 0], undirected[:, 1], source, target),
            (undirected[:, 1], undirected[:, 0], target, source),
            (kinds, kinds, np.full(len(key), 2), np.full(len(key), 3)),
        )
    )
    matrix = coo_array((kind.astype(np.uint8) + 1, (source, target)), shape=(n, n)).tocsr()
    matrix.sort_indices()
    return matrix.indptr, matrix.indices, matrix.data - 1
