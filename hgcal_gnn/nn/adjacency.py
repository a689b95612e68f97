"""The edges of a batch of graphs as rows of neighbours: what every layer on graphs reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hgcal_gnn.nn.segments import segment_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Adjacency:
    """Edges between the nodes of a batch, every relation both ways, without self loops.

    What layers derive from the edges is computed once and kept.

    Attributes
    ----------
    rowptr : int64 [n_nodes + 1]
        First edge of each node.
    col : int64 [n_edges]
        The other end of each edge; ascending within a node.
    edge_type : uint8 [n_edges]
        0 intra-layer, 1 border, 2 to the next layer, 3 to the previous, 4 links by distance. Seen from the other end
        2 is 3 and 3 is 2, the others stay.
    """

    rowptr: Tensor
    col: Tensor
    edge_type: Tensor

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.rowptr.shape[0] - 1

    @property
    def n_edges(self) -> int:
        """Number of directed edges."""
        return self.col.shape[0]

    @cached_property
    def degree(self) -> Tensor:
        """Neighbours of each node, int64 [n_nodes]."""
        return self.rowptr.diff()

    @cached_property
    def row(self) -> Tensor:
        """Node each edge belongs to, int64 [n_edges]."""
        return segment_of(self.rowptr, self.n_edges)

    def norm(self, dtype: torch.dtype) -> Tensor:
        """Return 1 / sqrt(1 + neighbours), [n_nodes]; an edge of a graph convolution weighs the product at its ends."""
        if dtype not in self._norms:
            self._norms[dtype] = (1 + self.degree).to(dtype).rsqrt()
        return self._norms[dtype]

    @cached_property
    def _norms(self) -> dict[torch.dtype, Tensor]:
        return {}

    def to(self, *args: Any, **options: Any) -> Adjacency:
        """Return a copy on another device (as `Tensor.to`; types of numbers stay)."""
        return Adjacency(*(part.to(*args, **options) for part in (self.rowptr, self.col, self.edge_type)))
