"""Weighted mean and maximum over neighbours in a learned space in one pass, and the gradient.

Graphs are shared out to threads: what goes from a node to its neighbours stays inside a graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit, prange

from hgcal_gnn.nn.threads import array, use_torch_threads

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import I16, I64, Array

NOBODY = -1


def gather_compiled(
    place: Tensor, sent: Tensor, nearest: Tensor, ptr: Tensor, steepness: float
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Do what `gravnet.gather_weighted` does, on the CPU; `nearest` [n_nodes, k] holds -1 behind the last neighbour.

    Parameters
    ----------
    ptr : int64 [n_graphs + 1]
        First node of each graph.
    steepness
        Of the potential.
    """
    result: tuple[Tensor, Tensor] = _Gather.apply(place, sent, nearest, ptr, steepness)  # type: ignore[no-untyped-call]
    return result


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, place: Tensor, sent: Tensor, nearest: Tensor, ptr: Tensor, steepness: float
    ) -> tuple[Tensor, Tensor]:
        weight = place.new_zeros(nearest.shape)
        mean, largest = (torch.empty_like(sent, memory_format=torch.contiguous_format) for _ in range(2))
        winner = torch.empty(sent.shape, dtype=torch.int16)
        use_torch_threads()
        given = array(place), array(sent), array(nearest), steepness
        arguments: tuple[Any, ...] = *given, weight.numpy(), mean.numpy(), largest.numpy(), winner.numpy()
        _gather(*arguments)
        ctx.save_for_backward(place, sent, nearest, ptr, weight, winner)
        ctx.steepness = steepness
        return mean, largest

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        place, sent, nearest, ptr, weight, winner = ctx.saved_tensors
        to_place, to_sent = (torch.zeros_like(t, memory_format=torch.contiguous_format) for t in (place, sent))
        use_torch_threads()
        given = array(ptr), array(place), array(sent), array(nearest), ctx.steepness
        kept = weight.numpy(), winner.numpy(), array(gradients[0]), array(gradients[1])
        arguments: tuple[Any, ...] = *given, *kept, to_place.numpy(), to_sent.numpy()
        _gather_backward(*arguments)
        return to_place, to_sent, None, None, None


@njit(cache=True, parallel=True, fastmath={"contract", "reassoc", "nsz"})
def _gather(
    place: Array, sent: Array, nearest: I64, steepness: float, weight: Array, mean: Array, largest: Array, winner: I16
) -> None:
    """Fill `weight` [n_nodes, k], `mean`, `largest` and which neighbour that came from [n_nodes, n_sent]."""
    n_columns, k = sent.shape[1], nearest.shape[1]
    for i in prange(len(place)):
        mean[i] = 0
        winner[i] = NOBODY
        largest[i] = -np.inf
        n_found = 0
        while n_found < k and nearest[i, n_found] != NOBODY:
            j = nearest[i, n_found]
            square = place.dtype.type(0)
            for axis in range(place.shape[1]):
                step = place[j, axis] - place[i, axis]
                square += step * step
            factor = np.exp(-place.dtype.type(steepness) * square)
            weight[i, n_found] = factor
            for f in range(n_columns):
                value = factor * sent[j, f]
                mean[i, f] += value
                is_larger = value > largest[i, f]
                largest[i, f] = value if is_larger else largest[i, f]
                winner[i, f] = n_found if is_larger else winner[i, f]
            n_found += 1
        if n_found == 0:
            largest[i] = 0
        else:
            for f in range(n_columns):
                mean[i, f] /= n_found


@njit(cache=True, parallel=True, fastmath={"contract", "reassoc", "nsz"})
def _gather_backward(
    ptr: I64,
    place: Array,
    sent: Array,
    nearest: I64,
    steepness: float,
    weight: Array,
    winner: I16,
    to_mean: Array,
    to_largest: Array,
    to_place: Array,
    to_sent: Array,
) -> None:
    """Add to the gradients of `place` and `sent`."""
    n_columns, k = sent.shape[1], nearest.shape[1]
    twice = place.dtype.type(2 * steepness)
    for graph in prange(len(ptr) - 1):
        for i in range(ptr[graph], ptr[graph + 1]):
            n_found = 0
            while n_found < k and nearest[i, n_found] != NOBODY:
                n_found += 1
            for slot in range(n_found):
                j = nearest[i, slot]
                of_weight = place.dtype.type(0)
                for f in range(n_columns):
                    change = to_mean[i, f] / n_found
                    change += to_largest[i, f] if winner[i, f] == slot else 0
                    of_weight += change * sent[j, f]
                    to_sent[j, f] += weight[i, slot] * change
                # d exp(-c r^2) = -2 c exp(-c r^2) r dr
                pull = twice * weight[i, slot] * of_weight
                for axis in range(place.shape[1]):
                    step = pull * (place[j, axis] - place[i, axis])
                    to_place[i, axis] += step
                    to_place[j, axis] -= step
