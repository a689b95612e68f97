"""Distances between samples of hits, pairs of hits, and showers: sliced Wasserstein distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from hgcal_gnn.generation.critics.losses import LEAST_SPREAD

if TYPE_CHECKING:
    from hgcal_gnn.generation.critics.hit_sets import HitSets

HALF = 0.5**0.5
MOST = 2048  # quantiles that are compared


def sliced_distance(
    real: Tensor, fake: Tensor, n_slices: int = 16, weights: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Return the mean distance of the quantiles of two samples along random directions (N. Bonneel et al., 2015).

    Parameters
    ----------
    real, fake : float [n_rows, n_columns]
        Numbers of rows may differ; columns of order 1.
    n_slices
        Directions, others in each call; the columns themselves come on top.
    weights : two of float [n_rows]
        What rows count for in either sample, not negative; None: all the same. They have no gradient.
    """
    n = min(len(real), len(fake), MOST)
    if not n:
        return fake.sum() * 0.0
    axes = torch.eye(real.shape[1], device=real.device, dtype=real.dtype)
    drawn = torch.randn(n_slices, real.shape[1], device=real.device, dtype=real.dtype)
    along = torch.cat([axes, functional.normalize(drawn, dim=1)])
    of_real, of_fake = (None, None) if weights is None else weights
    ours, theirs = _quantiles(along @ real.T, n, of_real), _quantiles(along @ fake.T, n, of_fake)
    return (ours - theirs).abs().mean()


def _quantiles(values: Tensor, n: int, weight: Tensor | None) -> Tensor:
    """Return n quantiles of each row of [n_slices, n_rows], [n_slices, n]."""
    ordered, order = values.sort(dim=1)
    middle = (torch.arange(n, device=values.device, dtype=values.dtype) + 0.5) / n
    last = values.shape[1] - 1
    if weight is None:
        return ordered[:, (middle * (last + 1)).long().clamp(max=last)]
    passed = weight.detach()[order].cumsum(dim=1)
    wanted = middle * passed[:, -1:]
    return ordered.gather(1, torch.searchsorted(passed, wanted.contiguous()).clamp(max=last))


def pairs(columns: Tensor, hits: HitSets, told: Tensor) -> tuple[Tensor, Tensor]:
    """Give each hit a partner of its shower, drawn evenly, and return numbers of the pairs and what they count for.

    What the hits of a shower have in common is what showers differ in: samples with the same distribution of pairs
    agree in the spread from shower to shower, too.

    Parameters
    ----------
    columns : float [n_hits, n_columns]
        Of the hits.
    hits
    told : float [n_showers, n_told]

    Returns
    -------
    float [n_hits, 3 n_columns + n_told]
        Of the hit, sum and difference of both, what is told of the shower.
    float [n_hits]
        Product of the energies, per visible energy of the shower.
    """
    shower, energy = hits.shower, hits.energy.detach()
    n_hits = hits.ptr.diff()[shower]
    place = (torch.rand(len(shower), device=shower.device) * n_hits).long().minimum(n_hits - 1)
    partner = hits.ptr[shower] + place
    other = columns[partner]
    visible = energy.new_zeros(len(told)).index_add(0, shower, energy)
    weight = energy * energy[partner] * n_hits / visible[shower]
    both = torch.cat([columns, (columns + other) * HALF, (columns - other) * HALF, told[shower]], dim=1)
    return both, weight


def latent_distance(real: Tensor, fake: Tensor, told: Tensor) -> Tensor:
    """Return the sliced distance of latent features [n, n_features], each in units of its spread over real showers.

    Feature matching that sees more than the means; `told` [n, n_told] is common to both.
    """
    spread = real.std(dim=0, correction=0)
    spread = spread.clamp(min=(LEAST_SPREAD * spread.mean()).clamp(min=torch.finfo(real.dtype).eps))
    ours, theirs = (torch.cat([(x - real.mean(dim=0)) / spread, told], dim=1) for x in (real, fake))
    return sliced_distance(ours, theirs)
