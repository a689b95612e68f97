"""In which order showers are read: splits, and shuffling by blocks that lie together in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.selection import deal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hgcal_gnn.arrays import I64


def split_rows(n_showers: int, fractions: Sequence[float] = (0.8, 0.1, 0.1), *, seed: int = 0) -> list[I64]:
    """Deal showers out to training, validation and test, exactly as ``hgcal-gnn split`` does with files.

    Parameters
    ----------
    n_showers
        Showers in the store.
    fractions
        Shares, above 0, that add up to 1; as many as parts are wanted.
    seed
        Same number, fractions and seed give the same parts.

    Returns
    -------
    list of int64 arrays
        Ascending row numbers of each part.

    Raises
    ------
    UsageError
        If the fractions do not fit.
    """
    part = deal(n_showers, fractions, seed=seed)
    return [np.flatnonzero(part == number) for number in range(len(fractions))]


@dataclass(frozen=True, eq=False)
class BatchOrder:
    """Order of showers in the batches of each epoch.

    Shuffled, the blocks of the store are brought into random order, and the showers of `buffer_blocks` blocks at a
    time are mixed. So each stretch of the file is read during a short time only, and mixing needs nothing but row
    numbers. The order of an epoch depends on the seed and the epoch alone.

    Attributes
    ----------
    starts : int64 [n_blocks + 1]
        First shower of each block, of all showers in the store (`ShowerStore.starts`).
    rows : int64 [n_rows]
        Showers to use, ascending.
    batch_size
    seed
    shuffle
        Else the showers come in the order of the rows.
    buffer_blocks
        Blocks mixed at a time.
    drop_last
        Leave out the last batch of an epoch if it is smaller.

    Raises
    ------
    UsageError
        If rows do not ascend or do not exist, or numbers are not positive.
    """

    starts: I64
    rows: I64
    batch_size: int
    seed: int = 0
    shuffle: bool = True
    buffer_blocks: int = 8
    drop_last: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.buffer_blocks < 1 or self.seed < 0:
            msg = (
                f"batch_size {self.batch_size} and buffer_blocks {self.buffer_blocks} must be at least 1, "
                f"seed {self.seed} at least 0"
            )
            raise UsageError(msg)
        n_showers = int(self.starts[-1])
        rows = self.rows
        if len(rows) and (rows[0] < 0 or rows[-1] >= n_showers or (np.diff(rows) <= 0).any()):
            msg = (
                f"rows of showers must ascend within 0..{n_showers - 1}; got {len(rows)} rows from {rows.min()} to "
                f"{rows.max()}"
            )
            raise UsageError(msg)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.rows), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def batches(self, epoch: int, *, first: int = 0) -> Iterator[I64]:
        """Iterate over the rows of the batches of an epoch, from batch number `first` on.

        Batches left out cost next to nothing: no shower is read for them.
        """
        size = self.batch_size
        number = 0
        waiting = self.rows[:0]
        for pool in self._pools(epoch):
            waiting = np.concatenate([waiting, pool])
            n_whole = len(waiting) // size
            for k in range(max(first - number, 0), n_whole):
                yield waiting[k * size : (k + 1) * size]
            number += n_whole
            waiting = waiting[n_whole * size :]
        if len(waiting) and not self.drop_last and number >= first:
            yield waiting

    def _pools(self, epoch: int) -> Iterator[I64]:
        """Iterate over the rows that are mixed with each other."""
        if not self.shuffle:
            yield self.rows
            return
        random = np.random.default_rng([self.seed, epoch])
        bounds = np.searchsorted(self.rows, self.starts)
        blocks = random.permutation(np.flatnonzero(np.diff(bounds)))
        for k in range(0, len(blocks), self.buffer_blocks):
            chosen = blocks[k : k + self.buffer_blocks]
            yield random.permutation(np.concatenate([self.rows[bounds[b] : bounds[b + 1]] for b in chosen]))
