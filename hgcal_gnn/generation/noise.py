"""The noise that generators turn into showers."""

from __future__ import annotations

import torch
from torch import Tensor


def noise(n: int, size: int, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw standard normal noise [n, size] on the device of a tensor.

    A generator on the CPU gives the same numbers whatever the device.
    """
    if random is None:
        return torch.randn(n, size, device=like.device, dtype=like.dtype)
    return torch.randn(n, size, generator=random, device=random.device).to(like)


def uniform_noise(n: int, size: int, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw noise [n, size] evenly from -1 to 1, else as `noise`."""
    device = like.device if random is None else random.device
    return 2 * torch.rand(n, size, generator=random, device=device).to(like) - 1
