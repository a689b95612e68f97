"""The learning rate of every step, a function of the step and of what validation has shown so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytorch_lightning as lightning

if TYPE_CHECKING:
    from hgcal_gnn.config.train import Schedule

CUT = 0.5  # at a plateau
SMALLEST = 1e-3  # plateaus cut down to this share of the learning rate


@dataclass
class Plateau:
    """How often the learning rate was cut since the validation loss stopped falling."""

    patience: int
    best: float = math.inf
    waited: int = 0
    factor: float = 1.0

    def see(self, loss: float) -> None:
        """Take note of the validation loss of an epoch."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.waited, self.factor = 0, max(self.factor * CUT, SMALLEST)


class LearningRate(lightning.Callback):
    """Sets the learning rate before every step.

    Parameters
    ----------
    rate
        Largest learning rate.
    schedule
        "constant"; "cosine": half a cosine down to 0 at the last step (arXiv:1608.03983 without restarts); "plateau":
        halved each time the validation loss has not improved for `patience` epochs.
    warmup
        Steps over which it rises linearly first.
    n_steps
        Steps of the whole training.
    patience
        Of "plateau".
    """

    def __init__(self, rate: float, schedule: Schedule, *, warmup: int, n_steps: int, patience: int) -> None:
        self.rate = rate
        self.schedule = schedule
        self.warmup = warmup
        self.n_steps = n_steps
        self.plateau = Plateau(patience)

    def at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rate = self.rate * min(1.0, (step + 1) / (self.warmup + 1))
        if self.schedule == "cosine":
            rest = (step - self.warmup) / max(self.n_steps - self.warmup, 1)
            return rate * 0.5 * (1 + math.cos(math.pi * min(max(rest, 0.0), 1.0)))
        return rate * (self.plateau.factor if self.schedule == "plateau" else 1.0)

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Set it."""
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self.at(trainer.global_step)

    def on_validation_end(self, trainer: lightning.Trainer, _: Any) -> None:
        """Look whether the validation loss still falls."""
        self.plateau.see(float(trainer.callback_metrics["val/loss"]))

    def state_dict(self) -> dict[str, Any]:
        """Return what later steps depend on."""
        return vars(self.plateau).copy()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.plateau = Plateau(**state_dict)
