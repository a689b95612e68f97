"""Flow matching (arXiv:2210.02747): a velocity that carries noise to data along straight lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable


class TimeWaves(nn.Module):
    """Sines and cosines of the time, periods 4, 2, 1, ... [n] -> [n, 2 x n_waves]."""

    factors: Tensor

    def __init__(self, n_waves: int) -> None:
        super().__init__()
        self.register_buffer("factors", 2.0 ** torch.arange(n_waves) * math.pi / 2, persistent=False)
        self.n_columns = 2 * n_waves

    def forward(self, time: Tensor) -> Tensor:
        """Return the waves."""
        angle = time[:, None] * self.factors
        return torch.cat([angle.sin(), angle.cos()], dim=1)


def on_the_way(data: Tensor, noise: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """Return the point (1 - t) noise + t data and the velocity data - noise a network learns there."""
    time = time.reshape(-1, *[1] * (data.ndim - 1))
    return torch.lerp(noise, data, time), data - noise


def gaussian_velocity(x: Tensor, time: Tensor) -> Tensor:
    """Return the velocity at points [n, ...] and times [n] if the data were standard normal, like the noise.

    The mean of data - noise where (1 - t) noise + t data = x, from the covariances. Networks add what is different.
    """
    factor = (2 * time - 1) / (time.square() + (1 - time).square())
    return factor.reshape(-1, *[1] * (x.ndim - 1)) * x


def carried(noise: Tensor, velocity: Callable[[Tensor, float], Tensor], steps: int) -> Tensor:
    """Carry noise from time 0 to 1 in steps of the midpoint rule: two evaluations of the velocity each."""
    x, step = noise, 1 / steps
    for number in range(steps):
        time = number * step
        middle = x + 0.5 * step * velocity(x, time)
        x = x + step * velocity(middle, time + 0.5 * step)
    return x


class VectorFlow(nn.Module):
    """A velocity of vectors, conditioned on numbers: blocks of two linear maps, each added to what there was.

    Parameters
    ----------
    n
        Length of the vectors.
    n_condition
    width, n_blocks
    """

    def __init__(self, n: int, n_condition: int, width: int, n_blocks: int) -> None:
        super().__init__()
        self.n = n
        self.waves = TimeWaves(8)
        self.enter = nn.Linear(n + n_condition + self.waves.n_columns, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(n_blocks)
        )
        self.leave = nn.Sequential(nn.SiLU(), nn.Linear(width, n))

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Return the velocity [m, n] at points [m, n], times [m] and conditions [m, n_condition]."""
        state = self.enter(torch.cat([x, condition, self.waves(time)], dim=1))
        for block in self.blocks:
            state = state + block(state)
        velocity: Tensor = gaussian_velocity(x, time) + self.leave(state)
        return velocity

    def loss(self, data: Tensor, condition: Tensor) -> Tensor:
        """Return the mean squared error of the velocity at random times."""
        time = torch.rand(len(data), device=data.device, dtype=data.dtype)
        point, wanted = on_the_way(data, torch.randn_like(data), time)
        loss: Tensor = (self(point, time, condition) - wanted).square().mean()
        return loss

    def sample(self, noise: Tensor, condition: Tensor, steps: int) -> Tensor:
        """Carry noise [m, n] to data."""

        def velocity(x: Tensor, time: float) -> Tensor:
            found: Tensor = self(x, x.new_full((len(x),), time), condition)
            return found

        return carried(noise, velocity, steps)
