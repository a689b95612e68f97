"""Writes one row per check of a generator to a CSV file and says how it goes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hgcal_gnn.training.callbacks import EpochLog

if TYPE_CHECKING:
    import pytorch_lightning as lightning

    from hgcal_gnn.generation.adversarial import AdversarialModule


class CheckLog(EpochLog):
    """One row per check: losses of the players and what the judge found."""

    def n_batches(self, _: lightning.Trainer, module: AdversarialModule, /) -> tuple[int, int]:
        """Return how many iterations were done, and how many all stages have."""
        return int(module.iteration), sum(stage.iterations for stage in module.stages)

    def complete(self, row: dict[str, float], _: lightning.Trainer, module: AdversarialModule, /) -> tuple[str, str]:
        """Add iteration and loss of the generator; return stage and iteration, and what the judge found."""
        row["step"] = int(module.iteration)
        row.setdefault("train_loss", row.get("train_generator", math.nan))
        stage, _done = module.stage_at(int(module.iteration) - 1)
        result = (
            f"response {row['val_response']:.3f}, occupancy {row['val_occupancy']:.3f}, "
            f"separation {row['val_separation']:.4f}"
        )
        return f"{stage.name}, iteration {row['step']}", result
