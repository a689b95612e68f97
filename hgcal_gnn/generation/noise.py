"""The noise that generators turn into showers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Self

    from torch import Tensor

Law = Literal["normal", "uniform", "even"]


class Asked(NamedTuple):
    """Noise that was asked for.

    Attributes
    ----------
    law
        "normal"; "uniform", from -1 to 1; "even", from 0 to 1.
    shape
        Its first axis counts showers.
    """

    law: Law
    shape: tuple[int, ...]


class NoiseTape(torch.Generator):
    """Stands in for the random numbers of a generator: writes down what noise it asks for, or plays some back.

    Parameters
    ----------
    given
        Noise, in the order in which it will be asked for; None: it is drawn.

    Attributes
    ----------
    asked
    """

    given: list[Tensor] | None
    asked: list[Asked]

    def __new__(cls, given: Iterable[Tensor] | None = None) -> Self:
        """Make one on the CPU."""
        self = super().__new__(cls)
        self.given = None if given is None else list(given)
        self.asked = []
        return self


def normal(shape: Sequence[int], like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw standard normal noise on the device of a tensor.

    A generator on the CPU gives the same numbers whatever the device.
    """
    return draw(Asked("normal", tuple(shape)), like, random)


def noise(n: int, size: int, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw standard normal noise [n, size]; see `normal`."""
    return normal((n, size), like, random)


def uniform_noise(n: int, size: int, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw noise [n, size] evenly from -1 to 1, else as `normal`."""
    return draw(Asked("uniform", (n, size)), like, random)


def even_noise(n: int, size: int, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw noise [n, size] evenly from 0 to 1, else as `normal`."""
    return draw(Asked("even", (n, size)), like, random)


def draw(asked: Asked, like: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Draw noise of any law; see `normal`."""
    if isinstance(random, NoiseTape):
        if random.given is not None:
            return random.given.pop(0)
        random.asked.append(asked)
    make: Callable[..., Tensor] = torch.randn if asked.law == "normal" else torch.rand
    device, dtype = (like.device, like.dtype) if random is None else (random.device, None)
    numbers = make(asked.shape, generator=random, device=device, dtype=dtype).to(like)
    return 2 * numbers - 1 if asked.law == "uniform" else numbers
