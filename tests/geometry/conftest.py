"""Real tables as fixtures."""

from __future__ import annotations

import numpy as np
import pyarrow.csv
import pytest

from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.cells import CellTable

NAMES = {
    "globalid": "cell_id", "detectorid": "detector", "layerid": "layer", "celltype": "cell_type",
    "issilicon": "is_silicon", "x": "x", "y": "y", "z": "z",
}  # fmt: skip


@pytest.fixture(scope="session")
def window_table(shared_data) -> CellTable:
    """48,533 real CE-E cells around eta = 2."""
    table = pyarrow.csv.read_csv(shared_data / "cms_hgcal_cee_window.csv.gz")
    return CellTable.from_columns({ours: np.asarray(table[theirs]) for theirs, ours in NAMES.items()})


@pytest.fixture(scope="session")
def window_graph(window_table):
    """Its cell graph."""
    return build_graph(window_table)[0]


@pytest.fixture
def mixed_table() -> CellTable:
    """Two layers of 37 hexagons beside 3 x 4 tiles, 0.3 cm between the outlines."""
    from tests.geometry.tables import hexagon_lattice

    hexagons = hexagon_lattice(3)
    r_edges = 104.2 + 2.4 * np.arange(4)
    phi = np.pi / 2 + (np.arange(4) - 1.5) * 2 * np.pi / 288
    r, phi = (a.ravel() for a in np.meshgrid((r_edges[1:] + r_edges[:-1]) / 2, phi, indexing="ij"))
    x = np.concatenate([hexagons[:, 0], r * np.cos(phi)] * 2)
    n_hex, n = len(hexagons), len(hexagons) + len(r)
    return CellTable.from_columns(
        {
            "cell_id": np.arange(2 * n) + 1,
            "detector": np.tile(np.repeat([9, 10], [n_hex, n - n_hex]), 2),
            "layer": np.repeat([38, 39], n),
            "x": x,
            "y": np.concatenate([hexagons[:, 1], r * np.sin(phi)] * 2),
            "z": np.repeat([439.06, 447.28], n),
            "cell_type": np.tile(np.repeat([2, 0], [n_hex, n - n_hex]), 2),
        }
    )
