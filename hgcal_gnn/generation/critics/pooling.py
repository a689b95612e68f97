"""From the states of hits to numbers per shower: how many there are, what they are like, how they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from hgcal_gnn.nn.pooling import pool_sum, spread

if TYPE_CHECKING:
    from torch import Tensor

FEW = 1e-6  # hits, or share of an energy: denominators stay above


def pooled_columns(width: int) -> int:
    """Columns of `pool_hits` for states of some width."""
    return 4 * width


def pool_hits(x: Tensor, presence: Tensor, energy: Tensor, ptr: Tensor, typical: Tensor) -> Tensor:
    """Pool with sum, mean, mean weighed by energy, and mean absolute deviation, of each shower by itself.

    Sum, mean and mean absolute deviation as in DeepTreeGAN (arXiv:2311.12616), counted within the shower: nothing
    depends on the other showers of a batch, and hits of presence 0 leave no trace.

    Parameters
    ----------
    x : float [n_hits, width]
    presence : float [n_hits]
        0 to 1.
    energy : float [n_hits]
        In any unit.
    ptr : int64 [n_showers + 1]
        First hit of each shower.
    typical : float, a scalar
        Hits of a shower, for sums of order 1.

    Returns
    -------
    float [n_showers, 4 width]
    """
    there, energy = presence[:, None], energy[:, None]
    sums = pool_sum(torch.cat([there, energy, there * x, energy * x], dim=1), ptr)
    count, total = sums[:, :1].clamp(min=FEW), sums[:, 1:2].clamp(min=FEW)
    of_hits, of_energy = sums[:, 2:].chunk(2, dim=1)
    mean = of_hits / count
    deviation = pool_sum(there * (x - spread(mean, ptr)).abs(), ptr) / count
    return torch.cat([of_hits / typical, mean, of_energy / total, deviation], dim=1)
