"""Hit graphs the plain ways: a dict per shower, a NumPy table per shower; and showers to make them of."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import Showers

CANDIDATES = 24  # cells of a layer around the axis, of which some are hit
LAYERS = 47


def cone_showers(cells, n_showers: int, n_hits: int = 500, seed: int = 0) -> Showers:
    """Showers along random directions: in every layer some of the cells nearest to the axis, most in layers 5-15."""
    random = np.random.default_rng(seed)
    eta, phi = random.uniform(1.6, 2.9, n_showers), random.uniform(-np.pi, np.pi, n_showers)
    candidates, weights = [], []
    for layer in range(1, LAYERS + 1):
        rows = np.flatnonzero((cells.z_side == 1) & (cells.layer == layer))
        radius = float(cells.z[rows[0]]) / np.sinh(eta)
        axis = np.column_stack([radius * np.cos(phi), radius * np.sin(phi)])
        distance, nearest = cKDTree(np.column_stack([cells.x[rows], cells.y[rows]])).query(axis, k=CANDIDATES)
        candidates.append(rows[nearest])
        weights.append(layer**2 * np.exp(-layer / 4) + 3 + 20 * np.exp(-distance / 2))
    cell, weight = np.concatenate(candidates, axis=1), np.concatenate(weights, axis=1)
    # the n_hits smallest of exponential times: drawing without replacement with these weights
    chosen = np.argpartition(random.exponential(size=cell.shape) / weight, n_hits, axis=1)[:, :n_hits]
    hits = np.sort(np.take_along_axis(cell, chosen, axis=1), axis=1).ravel()
    columns = {
        "offsets": np.arange(n_showers + 1) * n_hits,
        "cell": hits,
        "energy": random.exponential(1e-3, len(hits)),
        "incident_energy": np.full(n_showers, 50.0),
    }
    return Showers.from_columns(columns, metadata=ShowerMetadata(cells_sha256=cells.sha256), n_cells=cells.n_cells)


def dict_per_shower(graph, showers):
    """Edges and types of every shower, found through a dict from cell to hit: the loop of the field's code, tuned."""
    graphs = []
    for shower in range(len(showers)):
        cells = showers.cell[showers.offsets[shower] : showers.offsets[shower + 1]].tolist()
        place = {cell: hit for hit, cell in enumerate(cells)}
        source, target, kind = [], [], []
        for hit, cell in enumerate(cells):
            edges = slice(graph.rowptr[cell], graph.rowptr[cell + 1])
            for other, edge_type in zip(graph.col[edges].tolist(), graph.edge_type[edges].tolist(), strict=True):
                if other in place:
                    source.append(hit)
                    target.append(place[other])
                    kind.append(edge_type)
        graphs.append((np.array([source, target]), np.array(kind)))
    return graphs


def table_per_shower(graph, showers, place):
    """The same by array operations on one shower at a time; `place` [n_cells] is -1 everywhere, before and after."""
    graphs = []
    for shower in range(len(showers)):
        cells = showers.cell[showers.offsets[shower] : showers.offsets[shower + 1]]
        place[cells] = np.arange(len(cells))
        counts = graph.rowptr[cells + 1] - graph.rowptr[cells]
        before = np.cumsum(counts) - counts
        edges = np.repeat(graph.rowptr[cells] - before, counts) + np.arange(counts.sum())
        target = place[graph.col[edges]]
        inside = target >= 0
        source = np.repeat(np.arange(len(cells)), counts)[inside]
        graphs.append((np.stack([source, target[inside]]), graph.edge_type[edges[inside]]))
        place[cells] = -1
    return graphs
