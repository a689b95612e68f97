"""What happens around the epochs of a training: seeds, best weights, checkpoints, early stopping, log, progress."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Checkpoint

from hgcal_gnn.errors import OutputError
from hgcal_gnn.progress import progress_bar
from hgcal_gnn.training_log import read_rows, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tqdm import tqdm

log = logging.getLogger(__name__)
LOSS = "val/loss"  # what decides which weights are best
RANKS_APART = 1 << 16  # so that no two processes or epochs share random numbers


class EpochSeed(lightning.Callback):
    """Seeds dropout and the like at the start of each epoch, so that a resumed epoch draws the same numbers."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: lightning.Trainer, _: Any) -> None:
        """Seed by seed, epoch and process."""
        mixed = torch.Generator().manual_seed(self.seed * RANKS_APART + trainer.global_rank)
        first = torch.randint(1 << 31, (), generator=mixed).item()
        torch.manual_seed(int(first) + trainer.current_epoch)


@dataclass
class KeptState:
    """How far a training is.

    Attributes
    ----------
    best_loss, best_epoch
        Smallest validation loss and its epoch, counted from 0.
    epochs
        Finished.
    waited
        Epochs since the best one.
    stopped
        Ended early, since nothing improved any more.
    seconds
        Time spent, earlier parts of a resumed training included.
    """

    best_loss: float = math.inf
    best_epoch: int = -1
    epochs: int = 0
    waited: int = 0
    stopped: bool = False
    seconds: float = 0.0


class Keeper(Checkpoint):
    """After each epoch: keeps the best weights, decides whether to stop, writes the checkpoint to resume from.

    Parameters
    ----------
    folder
        For ``last.ckpt``.
    save_best
        Called to write the weights when they are the best so far.
    patience
        Epochs without improvement before the training stops; 0: it never does.
    """

    def __init__(self, folder: Path, save_best: Callable[[], None], patience: int) -> None:
        self.path = folder / "last.ckpt"
        self.save_best = save_best
        self.patience = patience
        self.state = KeptState()
        self._before = 0.0  # seconds of earlier parts
        self._started = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, _: Any) -> None:
        """Do not go on with a training that had stopped."""
        self._before, self._started = self.state.seconds, time.monotonic()
        self.state.stopped = self.patience > 0 and self.state.waited >= self.patience
        trainer.should_stop = self.state.stopped

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: Any) -> None:
        """Keep what an epoch brought."""
        self._take(trainer)
        self._save(trainer)

    def _take(self, trainer: lightning.Trainer, *, counts: bool = True) -> None:
        """Keep the weights if they are the best ones (and `counts`), and decide whether to stop."""
        state = self.state
        loss = float(trainer.callback_metrics[LOSS])
        state.epochs = trainer.current_epoch + 1
        state.seconds = self._before + time.monotonic() - self._started
        if counts and loss < state.best_loss:
            state.best_loss, state.best_epoch, state.waited = loss, trainer.current_epoch, 0
            if trainer.is_global_zero:
                self.save_best()
        else:
            state.waited += 1
        state.stopped = self.patience > 0 and state.waited >= self.patience
        trainer.should_stop = trainer.should_stop or state.stopped

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return vars(self.state).copy()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.state = KeptState(**state_dict)

    def _save(self, trainer: lightning.Trainer) -> None:
        """Write the checkpoint under another name first: a kill at any time leaves a whole one."""
        temporary = self.path.with_suffix(".part")
        try:
            trainer.save_checkpoint(temporary)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            msg = (
                f"{self.path}: could not be written: {error.strerror or error}; make room and go on with --resume, "
                "epochs before this one are kept"
            )
            raise OutputError(msg) from error
        if trainer.is_global_zero:
            temporary.replace(self.path)


class EpochLog(lightning.Callback):
    """Writes one row per epoch to a CSV file and says how it goes: a bar on a terminal, a line per epoch elsewhere."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: list[dict[str, float]] = []
        self._bar: tqdm[Any] | None = None
        self._started = 0.0

    def n_batches(self, trainer: lightning.Trainer, _: Any, /) -> tuple[int, int]:
        """Return how many batches were done, and how many the training has."""
        n_batches, epochs = int(trainer.num_training_batches), trainer.max_epochs or 0
        return trainer.current_epoch * n_batches, epochs * n_batches

    def complete(self, row: dict[str, float], trainer: lightning.Trainer, _: Any, /) -> tuple[str, str]:
        """Add what is known of a finished epoch besides the measured values; return its name and its result in words.

        Parameters
        ----------
        row
            Has the columns `epoch`, `lr`, `seconds` and the measured values.
        trainer
        """
        row["step"] = trainer.global_step
        losses = f"training loss {row['train_loss']:.5g}, validation {row['val_loss']:.5g}"
        return f"epoch {row['epoch'] + 1} of {trainer.max_epochs}", losses

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Take over the rows before those of a resumed epoch."""
        if not trainer.is_global_zero:
            return
        self._rows = [row for row in read_rows(self.path) if row["epoch"] < trainer.current_epoch]
        done, total = self.n_batches(trainer, module)
        self._bar = progress_bar("training", total=total, unit="batch")
        self._bar.update(done)

    def on_train_epoch_start(self, *_: Any) -> None:
        """Look at the clock."""
        self._started = time.monotonic()

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Write the row."""
        if self._bar is None:
            return
        row = {
            "epoch": trainer.current_epoch,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(time.monotonic() - self._started, 3),
            **{name.replace("/", "_"): float(value) for name, value in trainer.callback_metrics.items()},
        }
        name, result = self.complete(row, trainer, module)
        self._rows.append(row)
        write_rows(self.path, self._rows)
        self._bar.set_postfix_str(result, refresh=False)
        if self._bar.disable:
            log.info("%s: %s, %.1f s", name, result, row["seconds"])

    def on_fit_end(self, *_: Any) -> None:
        """Take the bar away."""
        self._close()

    def on_exception(self, *_: Any) -> None:
        """Take the bar away."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
