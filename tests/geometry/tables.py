"""Small tables made by hand for the tests."""

from __future__ import annotations

import numpy as np

from hgcal_gnn.geometry.cells import CellTable


def hexagon_lattice(rings: int, pitch: float = 1.209, centre=(0.0, 100.0)) -> np.ndarray:
    """Centres of a hexagonal patch: 1 + 3 rings (rings + 1) points."""
    u, v = np.meshgrid(np.arange(-rings, rings + 1), np.arange(-rings, rings + 1), indexing="ij")
    inside = np.abs(u - v) <= rings
    u, v = u[inside], v[inside]
    return np.column_stack([(u - 0.5 * v) * pitch + centre[0], v * pitch * np.sqrt(3) / 2 + centre[1]])


def cms_table(points: np.ndarray, *, layer=1, z=322.16, detector=8, cell_type=1, ids=None, **extra) -> CellTable:
    """One CMS layer with given centres."""
    n = len(points)
    full = {
        "cell_id": np.arange(1, n + 1) if ids is None else ids,
        "detector": np.broadcast_to(detector, n).copy(),
        "layer": np.broadcast_to(layer, n).copy(),
        "x": points[:, 0],
        "y": points[:, 1],
        "z": np.broadcast_to(z, n).astype(float).copy(),
        "cell_type": np.broadcast_to(cell_type, n).copy(),
    }
    return CellTable.from_columns(full | extra)


def plain_table(x, y, z, layer, **extra) -> CellTable:
    """A table of any detector."""
    columns = {"cell_id": np.arange(1, len(x) + 1), "layer": layer, "x": x, "y": y, "z": z} | extra
    return CellTable.from_columns({name: np.asarray(values) for name, values in columns.items()})


def grid_table(n: int = 4, layers: int = 1, size: float = 1.0, **extra) -> CellTable:
    """A prism of n x n squares per layer, with sizes unless `extra` says dx=None."""
    k, i, j = (a.ravel() for a in np.meshgrid(np.arange(layers), np.arange(n), np.arange(n), indexing="ij"))
    sizes = {"dx": np.full(len(i), size), "dy": np.full(len(i), size)} if "dx" not in extra else {}
    kept = {name: values for name, values in extra.items() if values is not None}
    return plain_table(i * size, j * size, 10.0 + k, k + 1, **sizes, **kept)
