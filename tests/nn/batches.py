"""Batches of small graphs in many shapes, with nothing but isolated nodes and with none at all."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from hgcal_gnn.nn.adjacency import Adjacency

FROM_OTHER_END = torch.tensor([0, 1, 3, 2, 4])
# sizes of the graphs, share of edges, seed
BATCHES = st.tuples(
    st.lists(st.integers(0, 12), min_size=1, max_size=5), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 999)
)


def random_graphs(sizes: list[int], share: float, seed: int = 0) -> tuple[Adjacency, torch.Tensor]:
    """Graphs of some sizes with about `share` of all edges, both ways, types as seen from each end; and ptr."""
    random = torch.Generator().manual_seed(seed)
    n_nodes = sum(sizes)
    ptr = torch.tensor([0, *sizes]).cumsum(0)
    graph = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes, dtype=torch.long))
    linked = (torch.rand((n_nodes, n_nodes), generator=random) < share) & (graph[:, None] == graph)
    upper = torch.triu(linked, 1)
    kind = torch.randint(0, 5, (n_nodes, n_nodes), generator=random)
    kind = torch.where(upper, kind, 0) + torch.where(upper, FROM_OTHER_END[kind], 0).T
    linked = upper | upper.T
    row, col = linked.nonzero(as_tuple=True)
    rowptr = torch.cat([torch.zeros(1, dtype=torch.long), linked.sum(1).cumsum(0)])
    return Adjacency(rowptr, col, kind[row, col].to(torch.uint8)), ptr


def edge_index(adjacency: Adjacency) -> torch.Tensor:
    """The same edges for PyTorch Geometric, [2, n_edges]."""
    return torch.stack([adjacency.row, adjacency.col])


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64, grad: bool = True) -> torch.Tensor:
    """Normally distributed numbers."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
    return values.requires_grad_(grad)
