"""The nodes of each graph of a batch that are nearest to one another in any space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

from hgcal_gnn.nn.segments import segment_of
from hgcal_gnn.nn.threads import array, is_compiled_for, is_traced, use_torch_threads

if TYPE_CHECKING:
    from hgcal_gnn.arrays import I64, Array

NONE = -1
MOST_DISTANCES = 1 << 26  # computed at once, where no kernel does it (256 MiB in float32)


def nearest_nodes(place: Tensor, ptr: Tensor, k: int) -> Tensor:
    """Find for each node the `k` nearest other nodes of its graph, the nearest first.

    Parameters
    ----------
    place : float [n_nodes, n_space]
    ptr : int64 [n_graphs + 1]
        First node of each graph.

    Returns
    -------
    int64 [n_nodes, k]
        Counted through all graphs; -1 in the last columns where a graph has fewer.
    """
    if place.dtype in {torch.float16, torch.bfloat16}:
        place = place.float()
    if is_traced():
        return nearest_of_all(place, ptr, k)
    if is_compiled_for(place):
        found = torch.full((len(place), k), NONE, dtype=torch.int64)
        use_torch_threads()
        _search(array(place), array(ptr), found.numpy())
        return found
    return nearest_of_padded(place, ptr, k)


def nearest_of_padded(place: Tensor, ptr: Tensor, k: int) -> Tensor:
    """Do the same with operations that every device has, a few graphs at a time."""
    found = torch.full((len(place), k), NONE, dtype=torch.int64, device=place.device)
    counts = ptr.diff()
    widest = int(counts.max()) if len(counts) else 0
    at_once = max(1, MOST_DISTANCES // max(widest, 1) ** 2)
    for first in range(0, len(counts) if widest > 1 else 0, at_once):
        bounds = ptr[first : first + at_once + 1]
        slots = torch.arange(widest, device=place.device)
        there = slots < bounds.diff()[:, None]  # [n_graphs, widest]
        rows = (bounds[:-1, None] + slots).masked_fill(~there, 0)
        padded = place[rows]
        distance = torch.cdist(padded, padded, compute_mode="donot_use_mm_for_euclid_dist")
        apart = there[:, None, :] & ~torch.eye(widest, dtype=torch.bool, device=place.device)
        distance = distance.masked_fill(~apart, torch.inf)
        value, slot = distance.topk(min(k, widest - 1), largest=False)
        of_graph = torch.where(value.isinf(), NONE, bounds[:-1, None, None] + slot)
        found[rows[there], : of_graph.shape[2]] = of_graph[there]
    return found


def nearest_of_all(place: Tensor, ptr: Tensor, k: int) -> Tensor:
    """Do the same with operations that can be exported, by the distances of all pairs of nodes of the batch."""
    n = place.shape[0]
    graph, number = segment_of(ptr, n), torch.arange(n, device=place.device)
    square = place.new_zeros(n, n)
    for axis in range(place.shape[1]):
        square = square + (place[None, :, axis] - place[:, None, axis]).square()
    apart = (graph[:, None] == graph) & (number[:, None] != number)
    distance = torch.where(apart, square, torch.inf)
    more = torch.cat([distance, torch.full((n, k), torch.inf, device=place.device)], dim=1)  # there may be fewer nodes
    value, found = more.topk(k, dim=1, largest=False)
    return torch.where(value.isinf(), NONE, found)


@njit(cache=True, parallel=True)
def _search(place: Array, ptr: I64, found: I64) -> None:
    n_space, k = place.shape[1], found.shape[1]
    for graph in prange(len(ptr) - 1):
        start, n = ptr[graph], ptr[graph + 1] - ptr[graph]
        across = np.empty((n_space, n), dtype=place.dtype)
        for axis in range(n_space):
            across[axis] = place[start : start + n, axis]
        square = np.empty(n, dtype=place.dtype)
        best = np.empty(k, dtype=place.dtype)
        for node in range(n):
            square[:] = 0
            for axis in range(n_space):
                here = across[axis, node]
                for other in range(n):
                    step = across[axis, other] - here
                    square[other] += step * step
            square[node] = np.inf
            _smallest(square, best, found[start + node], start)


@njit(cache=True)
def _smallest(square: Array, best: Array, found: I64, start: int) -> None:
    """Insert what is smaller than the largest of the best so far; `found` and `best` [k] stay sorted."""
    k = len(best)
    best[:] = np.inf
    worst = best[k - 1]
    for other in range(len(square)):
        value = square[other]
        if value < worst:
            slot = k - 1
            while slot > 0 and best[slot - 1] > value:
                best[slot], found[slot] = best[slot - 1], found[slot - 1]
                slot -= 1
            best[slot], found[slot] = value, start + other
            worst = best[k - 1]
