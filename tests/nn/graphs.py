"""Small batches of graphs for the tests of layers."""

from __future__ import annotations

import torch

from hgcal_gnn.nn.adjacency import Adjacency

COUNTS = (7, 0, 1, 12, 2)  # nodes of each graph: an empty one and a single node among them


def random_graphs(counts=COUNTS, share=0.4, seed=0):
    """Adjacency and first nodes of graphs with about `share` of all edges each, of random types."""
    random = torch.Generator().manual_seed(seed)
    ptr = torch.tensor([0, *counts]).cumsum(0)
    n = int(ptr[-1])
    graph = torch.repeat_interleave(torch.arange(len(counts)), ptr.diff())
    linked = torch.triu(torch.rand(n, n, generator=random) < share, 1) & (graph[:, None] == graph)
    linked |= linked.T.clone()
    row, col = linked.nonzero().T
    rowptr = torch.cat([torch.zeros(1, dtype=torch.long), linked.sum(1).cumsum(0)])
    kind = torch.randint(0, 5, (len(row),), generator=random).to(torch.uint8)
    return Adjacency(rowptr, col.contiguous(), kind), ptr


def neighbours(adjacency, i):
    """Edges of a node: (other node, type)."""
    edges = slice(int(adjacency.rowptr[i]), int(adjacency.rowptr[i + 1]))
    return list(zip(adjacency.col[edges].tolist(), adjacency.edge_type[edges].tolist(), strict=True))


def gradients(out, inputs, seed=1):
    """Gradients of a random sum of all outputs."""
    weights = torch.randn(out.shape, dtype=out.dtype, generator=torch.Generator().manual_seed(seed))
    return torch.autograd.grad((out * weights).sum(), inputs)


def assert_same(first, second, tolerance=1e-12):
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
