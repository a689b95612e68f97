"""From the nodes of each graph of a batch to one row per graph."""

from __future__ import annotations

import torch
from torch import Tensor


def pool_sum(values: Tensor, ptr: Tensor) -> Tensor:
    """Sum the rows of each graph.

    Parameters
    ----------
    values : float [n_nodes, n_columns]
    ptr : int64 [n_graphs + 1]
        First node of each graph.

    Returns
    -------
    float [n_graphs, n_columns]
        0 for graphs without nodes.
    """
    return torch.segment_reduce(values, "sum", offsets=ptr, axis=0, initial=0)


def pool_mean(values: Tensor, ptr: Tensor) -> Tensor:
    """Return the mean of the rows of each graph, 0 for graphs without nodes; see `pool_sum`."""
    n_nodes = ptr.diff().clamp(min=1)
    return pool_sum(values, ptr) / n_nodes[:, None]


def pool_max(values: Tensor, ptr: Tensor) -> Tensor:
    """Return the largest entry of each column in each graph, 0 for graphs without nodes; see `pool_sum`."""
    largest = torch.segment_reduce(values, "max", offsets=ptr, axis=0)
    return torch.where((ptr.diff() > 0)[:, None], largest, 0.0)


def spread(of_graphs: Tensor, ptr: Tensor) -> Tensor:
    """Give every node the row of its graph: [n_graphs, n_columns] to [n_nodes, n_columns]."""
    return torch.repeat_interleave(of_graphs, ptr.diff(), dim=0)
