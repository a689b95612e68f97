"""Gradient penalty of critics on hits: real and generated shower on the same cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from hgcal_gnn.nn.pooling import pool_sum

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.critics.cells import Cells
    from hgcal_gnn.generation.critics.hit_sets import HitSets

TINY = 1e-30  # keeps the slope of the square root finite where the critic is flat


def hit_gradient_penalty(
    critic: Callable[[HitSets], Tensor],
    real: HitSets,
    fake: HitSets,
    cells: Cells,
    condition: Condition,
    space: Literal["log", "linear"] = "log",
) -> Tensor:
    """Return the mean of (norm of the critic's gradient - 1)^2 between real and generated showers.

    Equation 3 of arXiv:1704.00028, on the union of the cells of both: one alpha per shower, weights alpha and
    1 - alpha, one norm per shower.

    Parameters
    ----------
    critic
        Gives a score per shower, [n_showers]; conditions are bound already.
    real, fake
        Shower by shower of the same particles; hits of `cells`.
    cells
    condition
        The particles.
    space
        Of what the showers are mixed and the slopes taken: "linear" E / MIP, "log" ln(1 + E / MIP), in which cells at
        the edge of a shower weigh as much as those in its core.
    """
    joint, other = cells.union(real, fake, condition)
    alpha = torch.rand(len(joint), device=other.device, dtype=other.dtype)[joint.shower]
    first, second = (energy.detach() / joint.unit for energy in (joint.energy, other))
    if space == "log":
        first, second = first.log1p(), second.log1p()
    between = (alpha * first + (1 - alpha) * second).requires_grad_(True)
    with torch.autocast(between.device.type, enabled=False):  # squares of small gradients vanish in 16 bits
        mips = between.expm1() if space == "log" else between
        scores = critic(joint.with_energy(mips * joint.unit))
        (slope,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    norm = (pool_sum(slope.square()[:, None], joint.ptr)[:, 0] + TINY).sqrt()
    has_cells = joint.ptr.diff() > 0  # nothing can be asked of the slope where there is no cell
    penalty: Tensor = ((norm - 1).square() * has_cells).sum() / has_cells.sum().clamp(min=1)
    return penalty
