"""Batches of a shower store in random order, without loading the store."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hgcal_gnn.batching.order import BatchOrder
from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.showers import CHUNK, Showers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hgcal_gnn.arrays import I64
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.store import ShowerStore

RELEASE_HITS = 1 << 25  # hits read (256 MiB of cells and energies) after which the store's pages are given back


class ArrayBatch(Protocol):
    """What makers make."""

    def to_torch(self) -> Any:
        """Return the batch as PyTorch objects."""


class BatchMaker(Protocol):
    """`HitGraphs`, `RegionGraphs` or `VoxelTensors`."""

    def check(self, metadata: ShowerMetadata, *, source: str) -> None:
        """Refuse showers of another geometry."""

    def __call__(self, showers: Showers) -> ArrayBatch:
        """Make a batch of showers."""


class BatchLoader:
    """Iterates over the batches of an epoch.

    Every iteration is a new epoch with an order of its own, given by the seed and the number of the epoch. The state
    in the middle of an epoch can be saved and loaded (`state_dict`), and the batches go on as if nothing had happened.

    Parameters
    ----------
    store
        Showers, in a file or in memory.
    make
        What to make of them: `HitGraphs`, `RegionGraphs` or `VoxelTensors`.
    batch_size
        Showers per batch.
    rows : int64 [n_rows]
        Showers to use, ascending (`split_rows`); None: all.
    seed, epoch
        Order of the first iteration.
    shuffle, buffer_blocks, drop_last
        See `BatchOrder`; a block is a record batch of 8,192 showers.
    prefetch
        Batches made ahead in a thread; 0: each when it is asked for.
    as_torch
        Convert batches with their `to_torch`; else they hold NumPy arrays.

    Attributes
    ----------
    share
        (k, n): of every batch, take each n-th shower from the k-th on. For n processes that train together.

    Raises
    ------
    GeometryMismatchError
        If the showers were made with another geometry.
    UsageError
        For rows that do not exist and numbers that are not positive.
    """

    def __init__(
        self,
        store: ShowerStore | Showers,
        make: BatchMaker,
        *,
        batch_size: int = 64,
        rows: I64 | None = None,
        seed: int = 0,
        epoch: int = 0,
        shuffle: bool = True,
        buffer_blocks: int = 8,
        drop_last: bool = False,
        prefetch: int = 0,
        as_torch: bool = True,
    ) -> None:
        make.check(store.metadata, source=str(getattr(store, "path", "showers")))
        self.store = store
        self.make = make
        self.prefetch = prefetch
        self.as_torch = as_torch
        self.share = (0, 1)
        self.order = BatchOrder(
            starts=_block_starts(store),
            rows=np.arange(len(store)) if rows is None else np.asarray(rows, dtype=np.int64),
            batch_size=batch_size,
            seed=seed,
            shuffle=shuffle,
            buffer_blocks=buffer_blocks,
            drop_last=drop_last,
        )
        self._epoch, self._given = epoch, 0  # where the latest iteration is
        self._next = (epoch, 0)  # where the next one starts
        self._hits_read = 0

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.order)

    def __iter__(self) -> Iterator[Any]:
        epoch, first = self._next
        self._next = (epoch + 1, 0)
        self._epoch, self._given = epoch, first
        return self._batches(epoch, first)

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be this epoch; a position loaded within the same epoch is kept."""
        if self._next[0] != epoch:
            self._next = (epoch, 0)

    def state_dict(self) -> dict[str, int]:
        """Return where the latest iteration is: epoch, batches handed out, and what the order depends on."""
        order = self.order
        return {
            "epoch": self._epoch,
            "batch": self._given,
            "seed": order.seed,
            "batch_size": order.batch_size,
            "n_showers": len(order.rows),
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Let the next iteration go on where another loader was.

        Raises
        ------
        UsageError
            If that one had another seed, batch size or number of showers.
        """
        mine = self.state_dict()
        other = [name for name in ("seed", "batch_size", "n_showers") if state[name] != mine[name]]
        if other:
            differ = ", ".join(f"{name} {mine[name]} instead of {state[name]}" for name in other)
            msg = f"cannot go on in the middle of an epoch with {differ}; use the same settings or start a new run"
            raise UsageError(msg)
        done = state["batch"] >= len(self)
        self._epoch, self._given = state["epoch"], state["batch"]
        self._next = (state["epoch"] + 1, 0) if done else (state["epoch"], state["batch"])

    def _batches(self, epoch: int, first: int) -> Iterator[Any]:
        rank, n_ranks = self.share
        rows = (batch[rank::n_ranks] for batch in self.order.batches(epoch, first=first))
        for batch in self._ahead(rows) if self.prefetch else map(self._load, rows):
            if self._epoch == epoch:
                self._given += 1
            yield batch

    def _ahead(self, rows: Iterator[I64]) -> Iterator[Any]:
        """Make batches in one thread, in order, a few before they are asked for."""
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="loader") as thread:
            try:
                for of_batch in rows:
                    waiting.append(thread.submit(self._load, of_batch))
                    if len(waiting) > self.prefetch:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                thread.shutdown(wait=False, cancel_futures=True)

    def _load(self, rows: I64) -> Any:
        showers = self.store[rows]
        batch = self.make(showers)
        self._hits_read += len(getattr(showers, "cell", ()))  # a store may hold batches made before
        if self._hits_read > RELEASE_HITS and not isinstance(self.store, Showers):
            self.store.release()
            self._hits_read = 0
        return batch.to_torch() if self.as_torch else batch


def _block_starts(store: ShowerStore | Showers) -> I64:
    if not isinstance(store, Showers):
        return store.starts
    return np.append(np.arange(0, len(store), CHUNK), len(store))
