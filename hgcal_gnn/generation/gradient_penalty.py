"""Gradient penalty of Wasserstein critics, arXiv:1704.00028."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Return the mean of (norm of the critic's gradient - 1)^2 between real and generated showers.

    Equation 3 of arXiv:1704.00028: one alpha per shower, weights alpha and 1 - alpha, one norm per shower.

    Parameters
    ----------
    critic
        Gives a score per shower, [n] or [n, 1]; conditions are bound already.
    real, fake : [n, ...]
        On the same voxels, particle by particle.
    """
    alpha = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
    between = (alpha * real.detach() + (1 - alpha) * fake.detach()).requires_grad_(True)
    with torch.autocast(between.device.type, enabled=False):  # squares of small gradients vanish in 16 bits
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norm: Tensor = slope.reshape(len(real), -1).norm(dim=1)
    return (norm - 1).square().mean()
