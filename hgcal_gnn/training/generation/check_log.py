"""Writes one row per check to a CSV file and says how it goes: a bar on a terminal, a line per check elsewhere."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import pytorch_lightning as lightning

from hgcal_gnn.progress import progress_bar
from hgcal_gnn.training.callbacks import read_rows, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from tqdm import tqdm

    from hgcal_gnn.generation.adversarial import AdversarialModule

log = logging.getLogger(__name__)


class CheckLog(lightning.Callback):
    """One row per check: losses of the players and what the judge found."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: list[dict[str, float]] = []
        self._bar: tqdm[Any] | None = None
        self._started = 0.0

    def on_train_start(self, trainer: lightning.Trainer, module: AdversarialModule) -> None:  # type: ignore[override]
        """Take over the rows of the checks before a resumed one."""
        if not trainer.is_global_zero:
            return
        self._rows = [row for row in read_rows(self.path) if row["epoch"] < trainer.current_epoch]
        total = sum(stage.iterations for stage in module.stages)
        self._bar = progress_bar("training", total=total, unit="batch")
        self._bar.update(int(module.iteration))

    def on_train_epoch_start(self, *_: Any) -> None:
        """Look at the clock."""
        self._started = time.monotonic()

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: AdversarialModule) -> None:  # type: ignore[override]
        """Write the row."""
        if self._bar is None:
            return
        measured = {name.replace("/", "_"): float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch,
            "step": int(module.iteration),
            "train_loss": measured.get("train_generator", float("nan")),
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(time.monotonic() - self._started, 3),
            **measured,
        }
        self._rows.append(row)
        write_rows(self.path, self._rows)
        stage, _ = module.stage_at(int(module.iteration) - 1)
        told = (
            f"response {measured['val_response']:.3f}, occupancy {measured['val_occupancy']:.3f}, "
            f"separation {measured['val_separation']:.4f}"
        )
        self._bar.set_postfix_str(told, refresh=False)
        if self._bar.disable:
            log.info("%s, iteration %d: %s, %.1f s", stage.name, row["step"], told, row["seconds"])

    def on_fit_end(self, *_: Any) -> None:
        """Take the bar away."""
        self._close()

    def on_exception(self, *_: Any) -> None:
        """Take the bar away."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
