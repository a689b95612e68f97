"""Small graphs and showers made for the tests."""

from __future__ import annotations

import numpy as np

from hgcal_gnn.geometry.graph import CellGraph
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.ragged import offsets_of
from hgcal_gnn.showers.showers import Showers
from tests.geometry.tables import plain_table


def random_graph(n_cells: int, share: float, seed: int = 0) -> CellGraph:
    """A graph with about `share` of all edges, both ways and of random types, some cells without any."""
    random = np.random.default_rng(seed)
    position = random.normal(scale=10, size=(3, n_cells))
    table = plain_table(*position, random.integers(1, 4, n_cells), cell_id=random.permutation(n_cells) + 100)
    linked = np.triu(random.random((n_cells, n_cells)) < share, 1)
    linked |= linked.T
    source, target = np.nonzero(linked)
    return CellGraph(
        cells=table,
        rowptr=offsets_of(np.bincount(source, minlength=n_cells)),
        col=target.astype(np.int32),
        edge_type=random.integers(0, 4, len(source)).astype(np.uint8),
    )


def random_showers(cells_of, n_showers: int, mean_hits: float, seed: int = 1, *, time: bool = False) -> Showers:
    """Showers of a graph (or of cells): some empty, cells repeated and in any order."""
    random = np.random.default_rng(seed)
    counts = random.poisson(mean_hits, n_showers)
    n_hits = int(counts.sum())
    cells = getattr(cells_of, "cells", cells_of)
    columns = {
        "offsets": offsets_of(counts),
        "cell": random.integers(0, cells.n_cells, n_hits),
        "energy": random.exponential(1e-3, n_hits) + 1e-6,
        "incident_energy": random.uniform(1, 100, n_showers),
        "pdg_id": random.choice([22, 211], n_showers),
        "f_em": random.uniform(0, 1, n_showers),
    }
    if time:
        columns["time"] = random.uniform(0, 25, n_hits)
    metadata = ShowerMetadata(cells_sha256=cells.sha256, source="made for tests")
    return Showers.from_columns(columns, metadata=metadata, n_cells=cells.n_cells)
