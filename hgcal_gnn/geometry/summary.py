"""What is in a table or a graph, in numbers: what `inspect` prints. The keys are a public contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from hgcal_gnn.geometry.neighbours.csr import BORDER, EDGE_TYPES, INTRA
from hgcal_gnn.geometry.surfaces import surfaces

if TYPE_CHECKING:
    from hgcal_gnn.arrays import I64
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.graph import CellGraph


def summarise_cells(table: CellTable) -> dict[str, Any]:
    """Count cells per subdetector, layer and type.

    Returns
    -------
    dict
        detector, cells_sha256, n_cells, subdetectors (list of code, name, cells, layers, cell_types), layers (list
        of z_side, layer, subdetector, surface, depth [cm], cells).
    """
    subdetectors = []
    for code in np.flatnonzero(np.bincount(table.subdetector)).tolist():
        mine = table.subdetector == code
        types, count = np.unique(table.cell_type[mine], return_counts=True)
        subdetectors.append(
            {
                "code": code,
                "name": table.subdetector_names.get(code, str(code)),
                "cells": int(mine.sum()),
                "layers": [int(table.layer[mine].min()), int(table.layer[mine].max())],
                "cell_types": {str(kind): number for kind, number in zip(types.tolist(), count.tolist(), strict=True)},
            }
        )
    layers = [
        {
            "z_side": surface.z_side,
            "layer": surface.layer,
            "subdetector": surface.subdetector,
            "surface": surface.kind,
            "depth": round(surface.depth, 3),
            "cells": surface.stop - surface.start,
        }
        for surface in surfaces(table)
    ]
    return {
        "detector": table.detector,
        "cells_sha256": table.sha256,
        "n_cells": table.n_cells,
        "subdetectors": subdetectors,
        "layers": layers,
    }


def summarise_graph(graph: CellGraph) -> dict[str, Any]:
    """Count cells and edges and describe how they hang together.

    Returns
    -------
    dict
        Everything of `summarise_cells` (layers also with edges per type), and n_edges, edge_types (name to number),
        degree_histogram (of all edges and within the layer), isolated, components, largest_component, rules.
    """
    summary = summarise_cells(graph.cells)
    per_layer = _edges_per_layer(graph)
    for layer, counts in zip(summary["layers"], per_layer.tolist(), strict=True):
        layer["edges"] = dict(zip(EDGE_TYPES, counts, strict=True))
    degree = graph.degree()
    matrix = csr_array(
        (np.ones(graph.n_edges, dtype=np.int8), graph.col, graph.rowptr), shape=(graph.n_cells, graph.n_cells)
    )
    n_components, component = connected_components(matrix, directed=False)
    summary |= {
        "n_edges": graph.n_edges,
        "edge_types": dict(zip(EDGE_TYPES, per_layer.sum(axis=0).tolist(), strict=True)),
        "degree_histogram": {
            "all": np.bincount(degree).tolist(),
            "in the layer": np.bincount(graph.degree((INTRA, BORDER))).tolist(),
        },
        "isolated": int((degree == 0).sum()),
        "components": int(n_components),
        "largest_component": int(np.bincount(component).max()),
        "rules": dict(graph.rules),
    }
    return summary


def _edges_per_layer(graph: CellGraph) -> I64:
    """Count the edges that leave each layer, by type, [n_layers, 4]."""
    starts = graph.rowptr[np.append(graph.cells.layer_starts, graph.n_cells)]
    n_layers = len(starts) - 1
    counts = np.zeros((n_layers, len(EDGE_TYPES)), dtype=np.int64)
    for layer, (start, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        counts[layer] = np.bincount(graph.edge_type[start:stop], minlength=len(EDGE_TYPES))[: len(EDGE_TYPES)]
    return counts
