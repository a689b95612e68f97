"""The noise that generators turn into showers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def normal(shape: Sequence[int], like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw standard normal noise on the device of a tensor.

    A generator on the CPU gives the same numbers whatever the device.
    """
    if random is None:
        return torch.randn(tuple(shape), device=like.device, dtype=like.dtype)
    return torch.randn(tuple(shape), generator=random, device=random.device).to(like)


def noise(n: int, size: int, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw standard normal noise [n, size]; see `normal`."""
    return normal((n, size), like, random)


def uniform_noise(n: int, size: int, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw noise [n, size] evenly from -1 to 1, else as `normal`."""
    device = like.device if random is None else random.device
    return 2 * torch.rand(n, size, generator=random, device=device).to(like) - 1
