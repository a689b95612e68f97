"""Work on a Dask cluster: one that runs already, or one of processes on this machine."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar
from warnings import catch_warnings, filterwarnings

from hgcal_gnn import __version__
from hgcal_gnn.errors import HgcalError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CONNECT = 20.0  # s that a scheduler may take to answer
FIRST_WORKER = 60.0  # s until a cluster must have a worker
LOOK = 10.0  # s between two looks at a cluster that finishes nothing
MOST_LOOKS = 30  # without any worker before the work is given up
INSTALL = "a Dask cluster needs dask.distributed: pip install 'hgcal-gnn[dask]'"
KEPT = "finished parts are kept: repeat the command to go on from there"

Shared = TypeVar("Shared")
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


@contextmanager
def cluster_client(cluster: Any, folder: Path | None = None) -> Iterator[Any]:
    """Give a client of a cluster whose workers have this version of the package.

    Parameters
    ----------
    cluster
        A `distributed.Client`, which is left open; the address of a scheduler, ``tcp://host:8786``; ``local`` for one
        process per core of this machine, ``local:4`` for four. Scripts that start local ones need the usual
        ``if __name__ == "__main__"``.
    folder
        That all workers must see under the same path.

    Raises
    ------
    UsageError
        If dask.distributed is not installed, no scheduler answers, there are no workers, or they have another version
        of the package or do not see the folder.
    """
    try:
        distributed: Any = import_module("distributed")  # an extra
    except ImportError as error:
        raise UsageError(INSTALL) from error
    if isinstance(cluster, distributed.Client):
        _check_workers(distributed, cluster, folder)
        yield cluster
    elif str(cluster).partition(":")[0] == "local":
        with _local(distributed, str(cluster)) as started, distributed.Client(started, set_as_default=False) as client:
            yield client
    else:
        with _connected(distributed, str(cluster)) as client:
            _check_workers(distributed, client, folder)
            yield client


def on_cluster(
    client: Any, function: Callable[[Shared, int], Result], shared: Shared, numbers: Sequence[int]
) -> Iterator[tuple[int, Result]]:
    """Call ``function(shared, number)`` on the workers; give number and result in the order they come.

    What a lost worker had begun is begun again on another one.

    Raises
    ------
    HgcalError
        If a call loses its worker again and again, all workers are gone, or the scheduler is; besides what the
        function raises, which ends the work.
    """
    finished: SimpleQueue[Any] = SimpleQueue()
    with catch_warnings():
        filterwarnings("ignore", "Sending large graph")  # a geometry, once
        # submitted, not scattered: what was computed can be computed again when its worker is lost
        there = client.submit(_same, shared, pure=False)
        tasks = {client.submit(_called, function, there, number, pure=False): number for number in numbers}
    for task in tasks:
        task.add_done_callback(finished.put)
    for _ in range(len(tasks)):
        task = _next(client, finished)
        yield tasks[task], _result(task)


def _next(client: Any, finished: SimpleQueue[Any]) -> Any:
    """Wait for the next task that ends; look after the cluster meanwhile."""
    for look in range(1, MOST_LOOKS + 1):
        while True:
            try:
                return finished.get(timeout=LOOK)
            except Empty:
                if client.status != "running":
                    raise HgcalError(_lost(client)) from None
                if not client.scheduler_info(n_workers=-1)["workers"]:
                    break
        logger.warning("the cluster has no workers; waiting for new ones (%d of %d)", look, MOST_LOOKS)
    msg = f"the cluster has had no workers for {LOOK * MOST_LOOKS:.0f} s; {KEPT}"
    raise HgcalError(msg)


def _result(task: Any) -> Any:
    killed = import_module("distributed").KilledWorker
    try:
        return task.result()
    except CancelledError as error:
        raise HgcalError(_lost(task.client)) from error
    except killed as error:
        msg = f"workers were lost again and again at the same piece of work (out of memory?); {KEPT}"
        raise HgcalError(msg) from error


def _lost(client: Any) -> str:
    return f"the Dask scheduler {client.scheduler.address if client.scheduler else ''} is gone; {KEPT}"


_one_at_a_time = threading.Lock()  # numba's threads bear one caller: workers with several threads take turns


def _called(function: Callable[[Shared, int], Result], shared: Shared, number: int) -> Result:
    with _one_at_a_time:
        return function(shared, number)


def _same(shared: Shared) -> Shared:
    return shared


@contextmanager
def _local(distributed: Any, text: str) -> Iterator[Any]:
    """Start processes on this machine, one per core if no number is given, and end them."""
    _, colon, number = text.partition(":")
    if colon and not (number.isdecimal() and int(number) > 0):
        msg = f"--scheduler {text}: give local, or local:4 for four processes"
        raise UsageError(msg)
    processes = {"n_workers": int(number) if number else None, "threads_per_worker": 1}
    with distributed.LocalCluster(**processes, dashboard_address=":0", silence_logs=logging.ERROR) as cluster:
        yield cluster


@contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    """Connect to a scheduler."""
    logging.getLogger("distributed").setLevel(logging.ERROR)  # what goes wrong is ours to tell
    try:
        client = distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        msg = (
            f"--scheduler {address}: no Dask scheduler answers there ({error}); start one with: dask scheduler, "
            "or work without it: --scheduler local, --jobs"
        )
        raise UsageError(msg) from error
    with client:
        yield client


def _check_workers(distributed: Any, client: Any, folder: Path | None) -> None:
    """Refuse a cluster that cannot do the work."""
    address = client.scheduler.address
    try:
        client.wait_for_workers(1, timeout=FIRST_WORKER)
    except (TimeoutError, distributed.TimeoutError) as error:
        msg = f"--scheduler {address}: has no workers; start some with: dask worker {address} --nthreads 1"
        raise UsageError(msg) from error
    try:
        versions = client.run(_version)
    except Exception as error:
        msg = f"--scheduler {address}: its workers cannot use hgcal-gnn ({type(error).__name__}: {error}); install it"
        raise UsageError(msg) from error
    other = {worker: version for worker, version in versions.items() if version != __version__}
    if other:
        worker, version = next(iter(other.items()))
        msg = f"--scheduler {address}: worker {worker} has hgcal-gnn {version}, this is {__version__}; use the same"
        raise UsageError(msg)
    blind = [] if folder is None else [worker for worker, sees in client.run(_sees, str(folder)).items() if not sees]
    if blind:
        msg = (
            f"--scheduler {address}: worker {blind[0]} does not see the folder {folder}; cluster and inputs need a "
            "file system that all machines share"
        )
        raise UsageError(msg)


def _version() -> str:
    return __version__


def _sees(folder: str) -> bool:
    return Path(folder).is_dir()
