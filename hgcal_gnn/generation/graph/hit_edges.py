"""Edges between the hits of showers: those of the cell graph, to the nearest hits, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch

from hgcal_gnn.batching.induced import edges_among_hits
from hgcal_gnn.batching.nearest_hits import nearest_hits
from hgcal_gnn.nn.adjacency import Adjacency

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import Array
    from hgcal_gnn.geometry.graph import CellGraph

Edges: TypeAlias = Literal["cells", "nearest", "none"]

N_NEAREST = 8  # hits, for "nearest"


def edges_between(
    cell: Tensor, ptr: Tensor, edges: Edges, graph: CellGraph, place: Tensor, scratch: Array
) -> Adjacency:
    """Return the edges between hits of one shower.

    Parameters
    ----------
    cell : int64 [n_hits]
        Ascending within a shower.
    ptr : int64 [n_showers + 1]
        First hit of each shower.
    edges
        "cells": those of the cell graph; "nearest": to the nearest hits in space; "none".
    graph
    place : float32 [n_cells, 3]
        Of the cells [cm].
    scratch : int32 [n_cells]
        Filled with `NO_HIT`, and left so.
    """
    n_hits, offsets = len(cell), ptr.cpu().numpy()
    if edges == "none":
        return Adjacency(ptr.new_zeros(n_hits + 1), ptr.new_zeros(0), ptr.new_zeros(0, dtype=torch.uint8))
    if edges == "nearest":
        (source, target), kind = nearest_hits(place[cell].cpu().numpy(), offsets, N_NEAREST)
        degree = np.bincount(source, minlength=n_hits).astype(np.int32)
    else:
        degree = np.empty(n_hits, dtype=np.int32)
        target, kind = edges_among_hits(
            graph.rowptr, graph.col, graph.edge_type, cell.cpu().numpy().astype(np.int32), offsets, 0,
            len(offsets) - 1, scratch, degree,
        )  # fmt: skip
    rowptr = np.concatenate([[0], np.cumsum(degree, dtype=np.int64)])
    parts = (torch.from_numpy(part) for part in (rowptr, target.astype(np.int64), kind))
    return Adjacency(*(part.to(cell.device) for part in parts))
