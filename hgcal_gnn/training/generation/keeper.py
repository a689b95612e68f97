"""Keeps the best weights of each stage, and takes them up again when it ends."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from hgcal_gnn.files import atomic_path
from hgcal_gnn.training.callbacks import Keeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import pytorch_lightning as lightning

    from hgcal_gnn.generation.adversarial import AdversarialModule
    from hgcal_gnn.generation.batch import Batch

log = logging.getLogger(__name__)


class StageKeeper(Keeper):
    """After each check: keeps the best generating weights of the stage, writes the checkpoint to resume from.

    Parameters
    ----------
    folder
        For ``last.ckpt`` and ``best.safetensors``.
    showers
        Gives batches of so many showers of the training sample to models that ask for them after a stage.
    """

    def __init__(self, folder: Path, showers: Callable[[int], Iterable[Batch]]) -> None:
        super().__init__(folder, save_best=lambda: None, patience=0)
        self.showers = showers
        self.best = folder / "best.safetensors"
        self.stages: list[dict[str, Any]] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: AdversarialModule) -> None:  # type: ignore[override]
        """Keep what the checks found; at the end of a stage go back to its best weights."""
        self.save_best = lambda: self._write(module)
        stage, last = module.stage_at(int(module.iteration) - 1)
        after, _ = module.stage_at(int(module.iteration))
        self._take(trainer, counts=last >= stage.warm_up)
        if after is not stage or trainer.current_epoch + 1 == trainer.max_epochs:
            self._end_stage(trainer, module, stage.name)
        self._save(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"state": super().state_dict(), "stages": self.stages}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        super().load_state_dict(state_dict["state"])
        self.stages = state_dict["stages"]

    def _end_stage(self, trainer: lightning.Trainer, module: AdversarialModule, name: str) -> None:
        """Go back to the best weights: they are the ones the next stage, and the checkpoint, begin with."""
        if not math.isfinite(self.state.best_loss):
            log.warning(
                "%s: no check could be judged by the chosen measure (too few validation showers?); its last weights "
                "are kept", name
            )  # fmt: skip
            self.state.best_epoch = trainer.current_epoch
            if trainer.is_global_zero:
                self._write(module)
        trainer.strategy.barrier()
        best_loss = self.state.best_loss if math.isfinite(self.state.best_loss) else None  # JSON knows no infinity
        self.stages.append({"name": name, "best_loss": best_loss, "best_check": self.state.best_epoch + 1})
        best = load_file(self.best)
        module.model.generating.load_state_dict(best)
        if module.average is not None:
            module.average.module.load_state_dict(best)
        self._let_look(trainer, module, name)
        self.state.best_loss = math.inf  # weights of another stage are no rivals

    def _let_look(self, trainer: lightning.Trainer, module: AdversarialModule, name: str) -> None:
        """Show the trained model some showers, and keep what it takes from them."""
        model, was_training = module.model, module.model.training
        model.eval()
        with torch.no_grad():
            changed = model.after_stage(
                name, lambda n: (batch.to(module.device) for batch in self.showers(n))
            )  # fmt: skip
        model.train(was_training)
        if not changed:
            return
        if module.average is not None:
            module.average.module.load_state_dict(model.generating.state_dict())
        if trainer.is_global_zero:
            self._write(module)
        trainer.strategy.barrier()

    def _write(self, module: AdversarialModule) -> None:
        with module.averaged() as model:  # copied here: outside, the same memory holds the other weights again
            state = model.generating.state_dict()
            arrays = {name: values.detach().cpu().clone().contiguous() for name, values in state.items()}
        with atomic_path(self.best, overwrite=True) as temporary:
            save_file(arrays, temporary)
