"""Convert the files of a list one by one: in this process, in several, or on a Dask cluster."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgcal_gnn.dask_cluster import cluster_client, on_cluster
from hgcal_gnn.errors import HgcalError, InputError
from hgcal_gnn.showers.convert.files import iterate_showers
from hgcal_gnn.showers.file_report import FileReport
from hgcal_gnn.showers.store.writer import open_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.showers.convert.files import Source

Done = Iterator[tuple[int, FileReport]]


@dataclass(frozen=True)
class Work:
    """Everything a process needs to convert any file of the list.

    Attributes
    ----------
    folder
        Where the parts go; all processes and machines see it under this path.
    paths, keys
        Input files and what identifies them (`writer.file_key`).
    source
        How to read them.
    base
        Folder that relative paths start from; empty: the current one.
    """

    folder: Path
    paths: tuple[str, ...]
    keys: tuple[str, ...]
    source: Source
    base: str = ""

    def path(self, number: int) -> str:
        """Return where a file is."""
        path = self.paths[number]
        return path if "://" in path else str(Path(self.base, path))


def convert_part(work: Work, number: int, progress: Callable[[int], Any] | None = None) -> FileReport:
    """Convert one file into its part of the store.

    A file that cannot be used gives a report with status "failed"; a disk that refuses the data raises.

    Parameters
    ----------
    progress
        Called with the number of events after each step.
    """
    report = FileReport(work.paths[number])
    try:
        with open_part(work.folder, number, work.keys[number], work.source.metadata) as part:
            for showers in iterate_showers(work.path(number), work.source, report):
                part.write(showers)
                if progress:
                    progress(report.events)
            part.report.update(asdict(report))
    except InputError as error:
        return FileReport(report.path, status="failed", error=str(error))
    return report


def in_this_process(work: Work, numbers: Sequence[int], progress: Callable[[int], Any] | None = None) -> Done:
    """Convert files one after the other."""
    for number in numbers:
        yield number, convert_part(work, number, progress)


def in_processes(work: Work, numbers: Sequence[int], jobs: int) -> Done:
    """Convert files in `jobs` processes at a time.

    Raises
    ------
    HgcalError
        If a process was killed; parts that are finished stay.
    """
    threads = work.source.options.threads or max(1, (os.cpu_count() or 1) // jobs)
    options = replace(work.source.options, threads=threads)
    shared = replace(work, source=replace(work.source, options=options))
    others = active_children()
    # new processes, not forks: threads of uproot, Arrow and numba do not survive a fork
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_start_worker, initargs=(shared,))
    try:
        with _interrupts_held():
            tasks = {pool.submit(_convert_in_worker, number): number for number in numbers}
        for task in as_completed(tasks):
            yield tasks[task], task.result()
    except BrokenProcessPool as error:
        msg = (
            "a process of the conversion was killed (out of memory?); finished parts are kept: "
            "repeat the command, with fewer --jobs"
        )
        raise HgcalError(msg) from error
    except BaseException:
        for worker in active_children():
            if worker not in others:
                worker.terminate()  # what it was writing is cleared by the next call
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C waiting while processes start; they inherit that, so that it ends this process, which ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def on_dask(work: Work, numbers: Sequence[int], cluster: Any) -> Done:
    """Convert files on a Dask cluster whose workers see the files and the output folder under the same paths.

    Parameters
    ----------
    cluster
        See `dask_cluster.cluster_client`, which also tells the errors.
    """
    placed = replace(work, base=str(Path.cwd()))
    with cluster_client(cluster, work.folder) as client:
        yield from on_cluster(client, convert_part, placed, numbers)


_work: Work | None = None


def _start_worker(work: Work) -> None:
    """Keep what all files need; end when the main process is gone, even if it was killed."""
    global _work  # noqa: PLW0603 (the only way to hand a process of a pool something once)
    _work = work
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _convert_in_worker(number: int) -> FileReport:
    if _work is None:
        msg = "the worker was not started by in_processes"
        raise RuntimeError(msg)
    return convert_part(_work, number)
