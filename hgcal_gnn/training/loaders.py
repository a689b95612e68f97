"""The batches of an epoch as the trainer asks for them, shared out among its processes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytorch_lightning as lightning

    from hgcal_gnn.arrays import I64
    from hgcal_gnn.batching.loader import BatchLoader


class EpochLoader:
    """Gives the batches of the trainer's epoch; each process gets its share of every batch.

    Which showers a process sees in which step depends on nothing but seed, epoch and the number of processes: a
    resumed training sees what an uninterrupted one would have seen.

    Parameters
    ----------
    loader
        Of all batches.
    trainer
        Knows epoch and process.
    """

    def __init__(self, loader: BatchLoader, trainer: lightning.Trainer) -> None:
        self.loader = loader
        self.trainer = trainer

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        # a generator: the epoch is looked up when the first batch is asked for, not when the trainer prepares
        self.loader.share = (self.trainer.global_rank, self.trainer.world_size)
        self.loader.set_epoch(self.trainer.current_epoch)
        yield from self.loader

    def rows(self, number: int) -> I64:
        """Return the showers of batch `number` of this process in the current epoch."""
        rank, n_ranks = self.trainer.global_rank, self.trainer.world_size
        batches = self.loader.order.batches(self.trainer.current_epoch, first=number)
        return next(iter(batches))[rank::n_ranks]


def batches_ahead() -> int:
    """Return how many batches a thread may make ahead: none where numba's threads bear one caller only.

    Batches are made by parallel kernels while others train; of numba's threading layers, workqueue (the one that is
    always there) stops the program when two threads call it at a time.
    """
    safe = any(find_spec(f"numba.np.ufunc.{layer}") for layer in ("tbbpool", "omppool"))
    return int(safe)
