"""Pairs of neighbouring cells on their way from a rule to the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import I32, I64, U8


class Pairs(NamedTuple):
    """Undirected pairs of rows, each once.

    Attributes
    ----------
    first, second : int32 [n_pairs]
    edge_type : uint8 [n_pairs]
        0 intra-layer, 1 border.
    """

    first: I32
    second: I32
    edge_type: U8

    @classmethod
    def of_type(cls, first: I32 | I64, second: I32 | I64, edge_type: int) -> Pairs:
        """Pairs that share one edge type."""
        return cls(first.astype(np.int32), second.astype(np.int32), np.full(len(first), edge_type, dtype=np.uint8))

    @classmethod
    def concatenate(cls, parts: Sequence[Pairs]) -> Pairs:
        """Join several lists; the rules that made them never find the same pair."""
        empty = cls(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8))
        columns = zip(*(empty, *parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


def unique_pairs(first: I32 | I64, second: I32 | I64) -> tuple[I64, I64]:
    """Return each unordered pair once, smaller row first, without loops, sorted."""
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second).astype(np.int64)
    key = np.unique((low << 32 | high)[low != high])
    return key >> 32, key & 0xFFFFFFFF
