"""The cells one shower has hit so far: a hash table inside compiled kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

HASH_BITS = 17
CAPACITY = 100_000  # hit cells of one shower


class Hits(NamedTuple):
    """Cells hit by the shower under way: a hash table over a growing list.

    Attributes
    ----------
    slots : int32 [2 ** HASH_BITS]
        Place in the list plus one, 0 where free.
    row : int32 [capacity]
    energy : float64 [capacity]
        Deposit [GeV].
    filled : int64 [1]
    """

    slots: NDArray[np.int32]
    row: NDArray[np.int32]
    energy: NDArray[np.float64]
    filled: NDArray[np.int64]


def new_hits(capacity: int = CAPACITY) -> Hits:
    """Return an empty hash table that holds at most `capacity` cells of one shower."""
    return Hits(
        np.zeros(1 << HASH_BITS, np.int32), np.zeros(capacity, np.int32), np.zeros(capacity), np.zeros(1, np.int64)
    )


@njit(cache=True, nogil=True)
def _slot(row: int) -> int:
    return ((int(row) * 0x9E3779B1) >> 7) & ((1 << HASH_BITS) - 1)


@njit(cache=True, nogil=True)
def add_hit(hits: Hits, row: int, energy: float) -> None:
    """Add a deposit [GeV] to a cell (cells beyond the capacity are not entered)."""
    slot = _slot(row)
    while hits.slots[slot] and hits.row[hits.slots[slot] - 1] != row:
        slot = (slot + 1) & ((1 << HASH_BITS) - 1)
    place = hits.slots[slot] - 1
    if place < 0:
        place = hits.filled[0]
        if place >= len(hits.row):
            return
        hits.filled[0] += 1
        hits.slots[slot] = place + 1
        hits.row[place] = row
        hits.energy[place] = 0.0
    hits.energy[place] += energy


@njit(cache=True, nogil=True)
def clear_hits(hits: Hits) -> None:
    """Empty the hash table, touching only what the last shower used."""
    for i in range(hits.filled[0]):
        slot = _slot(hits.row[i])
        while hits.slots[slot]:
            hits.slots[slot] = 0
            slot = (slot + 1) & ((1 << HASH_BITS) - 1)
    hits.filled[0] = 0
