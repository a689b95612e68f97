"""Who trains what, when: the players of an adversarial training, and the stages of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn


class OptimiserConfig(BaseModel):
    """Optimiser of one player."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["adam", "adamw", "rmsprop", "sgd"] = Field("adam", description="which one")
    learning_rate: PositiveFloat = Field(1e-4, description="at the beginning")
    betas: tuple[float, float] = Field((0.9, 0.999), description="of Adam")
    alpha: PositiveFloat = Field(0.99, description="of RMSprop")
    eps: PositiveFloat = Field(1e-8, description="of Adam and RMSprop: keeps steps of small gradients small")
    weight_decay: NonNegativeFloat = Field(0.0, description="of all weights, per step")
    schedule: Literal["constant", "exponential", "steps", "cyclic", "cosine"] = Field(
        "constant", description="of the learning rate; cosine: down to 0 at the last turn"
    )
    factor: PositiveFloat = Field(0.1, description="steps, exponential: of the learning rate; cyclic: lowest / highest")
    milestones: tuple[int, ...] = Field((), description="steps: iterations of the stage at which the factor applies")
    period: NonNegativeInt = Field(0, description="exponential: iterations per factor; cyclic: of one cycle")

    @classmethod
    def of(cls, **settings: Any) -> OptimiserConfig:
        """Return the defaults with some changes: the usual optimiser of a player."""
        return cls.model_validate(settings)

    def make(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser of some weights."""
        common: dict[str, Any] = {"lr": self.learning_rate, "weight_decay": self.weight_decay}
        match self.kind:
            case "adam":
                return torch.optim.Adam(weights, betas=self.betas, eps=self.eps, **common)
            case "adamw":
                return torch.optim.AdamW(weights, betas=self.betas, eps=self.eps, **common)
            case "rmsprop":
                return torch.optim.RMSprop(weights, alpha=self.alpha, eps=self.eps, **common)
            case "sgd":
                return torch.optim.SGD(weights, **common)

    def rate(self, iteration: int, iterations: int) -> float:
        """Return the learning rate at an iteration of a stage of so many."""
        return self.learning_rate * self._scale(iteration, iterations)

    def _scale(self, iteration: int, iterations: int) -> float:
        match self.schedule:
            case "steps":
                return float(self.factor ** sum(iteration >= place for place in self.milestones))
            case "exponential":
                return float(self.factor ** (iteration // max(self.period, 1)))
            case "cyclic":  # triangles, L. N. Smith, arXiv:1506.01186
                half = max(self.period, 2) / 2
                height = 1 - abs(iteration % (2 * half) / half - 1)
                return self.factor + (1 - self.factor) * height
            case "cosine":
                return 0.5 * float(1 + torch.cos(torch.tensor(torch.pi * iteration / max(iterations, 1))))
            case _:
                return 1.0


@dataclass(frozen=True)
class Player:
    """One network, or several that are trained together.

    Attributes
    ----------
    name
        "generator", "critic", "constrainer", ...
    trains
        Only these weights change in its turns.
    losses
        Gives named losses of a batch (`ImageBatch`, `HitBatch`); "loss" is made small, the others are logged.
    optimiser
    every
        Iterations (batches) from one turn to the next.
    turns
        Steps in a turn; each calls `losses` again (with fresh noise, same batch).
    since
        Iterations of the stage before its first turn.
    until
        Iterations of the stage after which it takes no more turns; None: never.
    clip
        Largest norm of its gradient; 0: any.
    """

    name: str
    trains: nn.Module
    losses: Callable[[Any], Mapping[str, Tensor]]
    optimiser: OptimiserConfig
    every: int = 1
    turns: int = 1
    since: int = 0
    until: int | None = None
    clip: float = 0.0

    def acts(self, iteration: int) -> bool:
        """Say whether it has a turn in an iteration of the stage, counted from 0."""
        in_time = iteration >= self.since and (self.until is None or iteration < self.until)
        return in_time and iteration % self.every == self.every - 1


@dataclass(frozen=True)
class Stage:
    """A part of the training with players of its own; stages follow each other.

    The best weights of a stage are taken up again before the next one begins.

    Attributes
    ----------
    name
    players
        In the order of their turns; the one called "generator" is the one whose loss stands in the log first.
    iterations
        Batches.
    energy
        Train on particles of these energies only [GeV], both ends included; None: all.
    warm_up
        Iterations before which nothing of what the stage trains is used: checks until then are no candidates for its
        best weights.
    """

    name: str
    players: tuple[Player, ...]
    iterations: int
    energy: tuple[float, float] | None = None
    warm_up: int = 0
