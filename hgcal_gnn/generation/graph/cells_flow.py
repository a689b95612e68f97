"""Flow matching (arXiv:2210.02747): a velocity that carries noise to data along straight lines."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[Tensor, float], Tensor]

EARLIER = 1.6  # power of even times


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


def width_on_the_way(time: float) -> float:
    """Return the width of points at a time if the data were standard normal, like the noise."""
    return math.hypot(time, 1 - time)


def carried(noise: Tensor, change: Change, steps: int | None) -> Tensor:
    """Carry noise from time 0 to 1 along `gaussian_velocity` plus what a network adds to it.

    Followed is the point in units of `width_on_the_way`, which would rest if the data were standard normal: no error of
    a step comes from that part. In steps of the midpoint rule: two evaluations each. None: by the change at the start
    alone, which is right for a pupil that has learned where the flow of its teacher ends.
    """
    if steps is None:
        return noise + change(noise, 0.0)
    point, step = noise, 1 / steps
    for number in range(steps):
        time = number * step
        middle = point + 0.5 * step * _relative(change, point, time)
        point = point + step * _relative(change, middle, time + 0.5 * step)
    return point


def carried_closely(noise: Tensor, change: Change, steps: int) -> Tensor:
    """As `carried`, by the classical rule of Runge and Kutta: four evaluations a step, errors of fourth order.

    Steps are shorter at first, where numbers that depend much on each other part from the noise.
    """
    point = noise
    times = [(number / steps) ** EARLIER for number in range(steps + 1)]
    for time, end in pairwise(times):
        step, halfway = end - time, 0.5 * (time + end)
        first = _relative(change, point, time)
        second = _relative(change, point + 0.5 * step * first, halfway)
        third = _relative(change, point + 0.5 * step * second, halfway)
        fourth = _relative(change, point + step * third, end)
        point = point + step / 6 * (first + 2 * (second + third) + fourth)
    return point


def _relative(change: Change, point: Tensor, time: float) -> Tensor:
    width = width_on_the_way(time)
    return change(point * width, time) / width


class VectorFlow(nn.Module):
    """What is added to the velocity of vectors, given some numbers: blocks of two linear maps, each added to the state.

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
        """Return the change [m, n] of `gaussian_velocity` at points [m, n], times [m or 1], conditions [m, ...]."""
        state = self.enter(torch.cat([x, condition, self.waves(time).expand(x.shape[0], -1)], dim=1))
        for block in self.blocks:
            state = state + block(state)
        change: Tensor = self.leave(state)
        return change

    def loss(self, data: Tensor, condition: Tensor, weight: Tensor) -> Tensor:
        """Return the mean squared error of the velocity at random times, columns weighed by [n]."""
        time = torch.rand(len(data), device=data.device, dtype=data.dtype)
        point, wanted = on_the_way(data, torch.randn_like(data), time)
        found = gaussian_velocity(point, time) + self(point, time, condition)
        loss: Tensor = ((found - wanted).square() * weight).mean()
        return loss

    def sample(self, noise: Tensor, condition: Tensor, steps: int) -> Tensor:
        """Carry noise [m, n] to data, closely."""

        def change(x: Tensor, time: float) -> Tensor:
            found: Tensor = self(x, x.new_full((1,), time), condition)
            return found

        return carried_closely(noise, change, steps)
