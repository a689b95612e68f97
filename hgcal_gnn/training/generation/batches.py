"""The batches of a training that is counted in iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.batching.loader import BatchLoader

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytorch_lightning as lightning

    from hgcal_gnn.generation.adversarial import AdversarialModule
    from hgcal_gnn.generation.batch import Batch, Maker
    from hgcal_gnn.generation.players import Stage
    from hgcal_gnn.training.data import Sample


class EndlessBatches:
    """Gives as many batches as there are between two checks; goes through the showers again and again.

    Which showers come in an iteration depends on nothing but seed and iteration: a resumed training sees what an
    uninterrupted one would have seen.

    Parameters
    ----------
    sample
    maker
    batch_size
        On all devices together.
    check_every
        Batches between two checks.
    seed
    module
        Knows stage and iteration.
    trainer
        Knows the process.
    prefetch
        Batches made ahead.
    """

    def __init__(
        self,
        sample: Sample,
        maker: Maker[Any],
        *,
        batch_size: int,
        check_every: int,
        seed: int,
        module: AdversarialModule,
        trainer: lightning.Trainer,
        prefetch: int = 0,
    ) -> None:
        self.sample, self.maker = sample, maker
        self.batch_size, self.check_every, self.seed, self.prefetch = batch_size, check_every, seed, prefetch
        self.module, self.trainer = module, trainer
        self._loaders: dict[str, BatchLoader] = {}

    def __len__(self) -> int:
        return self.check_every

    def __iter__(self) -> Iterator[Batch]:
        stage, iteration = self.module.stage_at(int(self.module.iteration))
        loader = self._loader(stage)
        loader.share = (self.trainer.global_rank, self.trainer.world_size)
        left = self.check_every
        while left:
            passed, first = divmod(iteration, len(loader))
            loader.load_state_dict({**loader.state_dict(), "epoch": passed, "batch": first})
            for batch in loader:
                yield batch
                iteration, left = iteration + 1, left - 1
                if not left:
                    return

    def _loader(self, stage: Stage) -> BatchLoader:
        if stage.name not in self._loaders:
            rows = rows_of(self.sample, stage)
            self._loaders[stage.name] = BatchLoader(
                self.sample.store,
                self.maker,
                rows=rows,
                batch_size=min(self.batch_size, len(rows)),
                seed=self.seed,
                drop_last=True,
                prefetch=self.prefetch,
            )
        return self._loaders[stage.name]


def rows_of(sample: Sample, stage: Stage) -> np.ndarray:
    """Return the showers of a sample that a stage is about, int64 [n], rows of the store.

    Those of an energy at which one stage ends and another begins belong to both, as published for CaloShowerGAN: both
    then know it, and neither has to go beyond what it was trained on.
    """
    if stage.energy is None:
        return sample.rows
    low, high = stage.energy
    energy = sample.energy
    return sample.rows[(energy >= np.float32(low)) & (energy <= np.float32(high))]
