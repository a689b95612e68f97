"""A cell graph for PyTorch Geometric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch_geometric.data import Data

from hgcal_gnn.files import atomic_path
from hgcal_gnn.geometry.graph_file import graph_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hgcal_gnn.arrays import Array
    from hgcal_gnn.geometry.graph import CellGraph


def to_data(graph: CellGraph, *, edge_features: bool = False, columns: Sequence[str] = ()) -> Data:
    """Return the graph as PyG `Data`.

    Parameters
    ----------
    graph
        The cells and edges.
    edge_features
        Add `edge_attr`: displacement (3), distance (1) and type as one-hot (4).
    columns
        Further cell columns to attach under their names. Names that hold "index" or "batch" are refused by
        their meaning in PyG, which would shift them when graphs are batched.

    Returns
    -------
    Data
        edge_index int64 [2, n_edges], pos float32 [n_cells, 3] in cm, edge_type int64 [n_edges], layer,
        subdetector, cell_type, is_silicon int64 [n_cells], cells_sha256. Cell ids stay outside: torch cannot compare
        uint64; rows are the same as in the graph.

    Raises
    ------
    ValueError
        For a column whose name PyG would treat as an index.
    """
    misread = [name for name in columns if "index" in name or "batch" in name]
    if misread:
        msg = f"columns {misread} would be shifted by PyG when graphs are batched; choose other names"
        raise ValueError(msg)
    source, target = graph.edge_list()
    data = Data(
        pos=torch.from_numpy(graph.cells.positions.astype(np.float32)),
        edge_index=torch.from_numpy(np.stack([source, target.astype(np.int64)])),
        edge_type=_long(graph.edge_type),
    )
    for name in ("layer", "subdetector", "cell_type", "is_silicon"):
        data[name] = _long(getattr(graph.cells, name))
    for name in columns:
        data[name] = torch.from_numpy(np.ascontiguousarray(graph.cells.columns()[name]))
    if edge_features:
        data.edge_attr = torch.from_numpy(graph.edge_features())
    data.cells_sha256 = graph.cells_sha256
    return data


def save_tensors(graph: CellGraph, path: Path, *, overwrite: bool = False) -> None:
    """Write the arrays of the graph file as a dict of tensors, readable with ``torch.load(weights_only=True)``.

    Unsigned 64-bit ids are stored bit by bit as int64, since torch lacks most operations on uint64.
    """
    tensors: dict[str, Any] = {name: torch.from_numpy(_signed(values)) for name, values in graph_arrays(graph).items()}
    with atomic_path(path, overwrite=overwrite) as temporary:
        torch.save(tensors, temporary)


def _long(values: Array) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.int64))


def _signed(values: Array) -> Array:
    return values.view(np.int64) if values.dtype == np.uint64 else values
