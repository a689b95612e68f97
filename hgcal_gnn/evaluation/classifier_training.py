"""Training of classifiers on folds: every shower is scored by a network that has not seen it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.calibration_of_scores import IsotonicCalibration, class_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from hgcal_gnn.arrays import F64, I64, Bools
    from hgcal_gnn.evaluation.classifier_inputs import ClassifierInputs

QUARTERS = 4
FIT_SHOWERS = 8192  # of the training part, from which the scales of the inputs are taken


@dataclass(frozen=True)
class ClassifierSettings:
    """How a classifier is trained.

    Attributes
    ----------
    hidden
        Widths of the dense layers on features or cells.
    dropout
        Share of the hidden numbers left out in each step.
    folds
        Parts the showers are dealt into. Each is scored by a network that three quarters of the others train; the last
        quarter chooses the epoch and calibrates.
    epochs, patience
        At most so many epochs; a training ends when the loss has not improved for `patience` of them. The best epoch
        is taken.
    batch_size
        Showers per step.
    learning_rate, weight_decay
        Of AdamW.
    device
        "cpu", "cuda", ...
    seed
        Fixes folds, first weights and order.
    """

    hidden: tuple[int, ...] = (128, 128, 128)
    dropout: float = 0.0
    folds: int = 5
    epochs: int = 30
    patience: int = 5
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 2 or min(self.epochs, self.patience, self.batch_size) < 1:
            msg = (
                "a classifier needs at least 2 folds (each is scored by a network trained on the others), 1 epoch and "
                f"1 shower per step, got folds={self.folds}, epochs={self.epochs}, patience={self.patience}, "
                f"batch_size={self.batch_size}"
            )
            raise UsageError(msg)


# hgcal_metrics.py of the CMS HGCal CaloChallenge (OzAmram/CMSHGCaloChallenge at 28d61fc), but for the early end
PUBLISHED = ClassifierSettings(
    hidden=(2024, 2024, 2024),
    dropout=0.2,
    epochs=50,
    patience=10,
    batch_size=256,
    learning_rate=1e-4,
    weight_decay=0.0,
)


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What networks say of showers they have not seen.

    Attributes
    ----------
    generated : bool [n]
        Which sample each shower belongs to; those of the reference come first.
    fold : int64 [n]
        Fold in which each shower was scored.
    score : float64 [n]
        As the network gives it, high for generated showers; comparable within a fold.
    probability : float64 [n]
        To be generated, calibrated, if both samples are equally likely.
    best_epoch : int64 [folds]
        Counted from 1.
    """

    generated: Bools
    fold: I64
    score: F64
    probability: F64
    best_epoch: I64


def deal(n: int, folds: int, rng: np.random.Generator) -> I64:
    """Deal showers into folds of equal size, int64 [n].

    Called with equal generators it deals two samples the same way, so that a shower which is in both under the same
    number lies in one fold twice: a network never trains on the double of what it scores.
    """
    rounds = -(-n // folds)
    return rng.permuted(np.tile(np.arange(folds), (rounds, 1)), axis=1).reshape(-1)[:n]


def score_out_of_fold(
    inputs: ClassifierInputs,
    settings: ClassifierSettings,
    *,
    share: float = 1.0,
    progress: Callable[[int], Any] | None = None,
) -> OutOfFold:
    """Train one network per fold and score every shower with the network that has not seen it.

    Parameters
    ----------
    inputs
        Both samples.
    share
        Of the training showers that are used.
    progress
        Called with 1 after each epoch.
    """
    counts = (inputs.n_reference, inputs.n_generated)
    generated = np.arange(sum(counts)) >= inputs.n_reference
    fold, quarter = (
        np.concatenate([deal(n, parts, np.random.default_rng([settings.seed, which])) for n in counts])
        for which, parts in enumerate((settings.folds, QUARTERS))
    )
    score, probability = np.empty(len(fold)), np.empty(len(fold))
    best_epoch = np.empty(settings.folds, dtype=np.int64)
    for number in range(settings.folds):
        scored = fold == number
        chooses = ~scored & (quarter == 0)
        rows = np.flatnonzero(~scored & ~chooses)
        rng = np.random.default_rng([settings.seed, number])
        if share < 1:
            rows = np.sort(rng.permutation(rows)[: max(int(share * len(rows)), 2)])
        trained = _Training(inputs, generated, settings, rng)
        best_epoch[number] = trained.run(rows, np.flatnonzero(chooses), progress)
        score[scored] = trained.scores(np.flatnonzero(scored))
        calibration = IsotonicCalibration.fit(trained.scores(np.flatnonzero(chooses)), generated[chooses])
        probability[scored] = calibration(score[scored])
    return OutOfFold(generated, fold, score, probability, best_epoch)


class _Training:
    """One network, and the loop that trains it."""

    def __init__(
        self, inputs: ClassifierInputs, generated: Bools, settings: ClassifierSettings, rng: np.random.Generator
    ) -> None:
        self.inputs = inputs
        self.generated = generated
        self.settings = settings
        self.rng = rng
        self.weights = np.zeros(len(generated))

    def run(self, rows: I64, chooses: I64, progress: Callable[[int], Any] | None) -> int:
        """Train on some showers, take the epoch that fits others best, and return its number."""
        self.weights[rows] = class_weights(self.generated[rows])
        self.weights[chooses] = class_weights(self.generated[chooses])
        with torch.random.fork_rng():  # nobody else's random numbers change
            torch.manual_seed(int(self.rng.integers(2**31)))
            return self._run(rows, chooses, progress)

    @torch.no_grad()
    def scores(self, rows: I64) -> F64:
        """Return the scores of some showers, float64 [n]."""
        self.network.eval()
        size = self.settings.batch_size
        parts = [self._scored(rows[start : start + size]) for start in range(0, len(rows), size)]
        return torch.cat(parts).double().cpu().numpy()

    def _run(self, rows: I64, chooses: I64, progress: Callable[[int], Any] | None) -> int:
        settings = self.settings
        self.network = self.inputs.network(settings.hidden, settings.dropout)
        some = self.rng.choice(rows, min(len(rows), FIT_SHOWERS), replace=False)
        self.network.fit(self.inputs.batch(np.sort(some)))
        self.network.to(settings.device)
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        state: dict[str, Any] = {}
        best, best_epoch = np.inf, 0
        for epoch in range(1, settings.epochs + 1):
            self._train(optimiser, rows)
            loss = self._loss(chooses)
            if loss < best or not state:
                best, best_epoch, state = loss, epoch, copy.deepcopy(self.network.state_dict())
            if progress is not None:
                progress(1)
            if epoch - best_epoch >= settings.patience:
                break
        self.network.load_state_dict(state)
        return best_epoch

    def _train(self, optimiser: torch.optim.Optimizer, rows: I64) -> None:
        """Go through the training showers once."""
        self.network.train()
        order, size = self.rng.permutation(rows), self.settings.batch_size
        for start in range(0, len(order), size):
            some = np.sort(order[start : start + size])
            optimiser.zero_grad()
            loss = _cross_entropy(self._scored(some), *self._truth(some)) / len(some)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    @torch.no_grad()
    def _loss(self, rows: I64) -> float:
        """Return the mean loss of some showers, both samples counting the same."""
        scores = torch.from_numpy(self.scores(rows))
        truth, weights = (part.cpu() for part in self._truth(rows))
        return float(_cross_entropy(scores, truth, weights)) / len(rows)

    def _scored(self, rows: I64) -> Tensor:
        scores: Tensor = self.network(self.inputs.batch(rows).to(self.settings.device))
        return scores

    def _truth(self, rows: I64) -> tuple[Tensor, Tensor]:
        """Return 1 for generated showers, else 0, and the weights, float32 [n]."""
        parts = (self.generated[rows], self.weights[rows])
        truth, weights = (torch.from_numpy(part.astype(np.float32)).to(self.settings.device) for part in parts)
        return truth, weights


def _cross_entropy(scores: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum of the losses."""
    return nn.functional.binary_cross_entropy_with_logits(scores, truth.to(scores), weights.to(scores), reduction="sum")
