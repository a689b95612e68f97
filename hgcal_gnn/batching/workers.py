"""A few threads for kernels that run free of the interpreter lock, each with scratch memory of its own."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hgcal_gnn.hardware import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hgcal_gnn.arrays import I32, I64

MIN_HITS = 2048  # fewer in a part are not worth handing over
PARTS_PER_THREAD = 2  # so that a thread the system holds up does not hold up the others
Result = TypeVar("Result")


class Workers:
    """Runs parts of one job side by side; callers in several threads and forked processes do not disturb each other.

    Parameters
    ----------
    n_threads
        None: as many as this process may use.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads or usable_cores()
        self._start()

    def run(self, job: Callable[..., Result], parts: Iterable[tuple[Any, ...]]) -> list[Result]:
        """Call ``job(*part)`` for every part; a single one is done in the calling thread."""
        listed = list(parts)
        if len(listed) < 2:
            return [job(*part) for part in listed]
        if self._process != os.getpid():  # threads do not survive a fork
            self._start()
        waiting = [self._threads.submit(job, *part) for part in listed]
        return [future.result() for future in waiting]

    def scratch(self, length: int, value: int) -> I32:
        """Return the int32 [length] array of the calling thread, filled with `value` when it is made."""
        if not hasattr(self._local, "scratch"):
            self._local.scratch = np.full(length, value, dtype=np.int32)
        array: I32 = self._local.scratch
        return array

    def parts_of(self, offsets: I64) -> list[tuple[int, int]]:
        """Share out showers (first, last) in parts of about as many hits."""
        n_hits = int(offsets[-1])
        wanted = PARTS_PER_THREAD * self.n_threads if self.n_threads > 1 else 1
        n_parts = max(1, min(wanted, n_hits // MIN_HITS))
        cuts = np.searchsorted(offsets, np.linspace(0, n_hits, n_parts + 1)[1:-1])
        bounds = [0, *cuts.tolist(), len(offsets) - 1]
        return list(pairwise(bounds))

    def __getstate__(self) -> int:
        return self.n_threads

    def __setstate__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._threads = ThreadPoolExecutor(self.n_threads, thread_name_prefix="batching")
        self._local = threading.local()
