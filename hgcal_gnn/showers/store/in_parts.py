"""A long sample of showers as a store written in parts, so that making it goes on where it was interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from hgcal_gnn.dask_cluster import cluster_client, on_cluster
from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.store.writer import ShowerWriter, open_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers


class SampleReport(NamedTuple):
    """What became of a sample that was written.

    Attributes
    ----------
    resumed
        Showers taken over from an earlier, interrupted call.
    empty
        Of the others, those that left no hit.
    """

    resumed: int
    empty: int


@dataclass(eq=False)
class Counting:
    """Hands showers on, chunk by chunk, and counts them and those without a hit.

    Attributes
    ----------
    chunks
    told
        Called with the number of showers so far.
    """

    chunks: Iterable[Showers]
    told: Callable[[int], Any]
    done: int = 0
    empty: int = 0

    def __iter__(self) -> Iterator[Showers]:
        for showers in self.chunks:
            self.done += len(showers)
            self.empty += int((showers.n_hits == 0).sum())
            self.told(self.done)
            yield showers


def write_in_parts(
    chunks: Callable[[int], Iterator[Showers]],
    n: int,
    output: Path,
    metadata: ShowerMetadata,
    *,
    part: int,
    told: Callable[[int], Any],
    cluster: Any = None,
    overwrite: bool = False,
) -> SampleReport:
    """Write the parts that an earlier call did not finish, and join all.

    Parameters
    ----------
    chunks
        From the number of a first shower (a multiple of `part`) to all showers from there on, in chunks that end
        where a part ends. It travels to the workers of a cluster.
    n
        Number of showers in the end.
    output
        ``NAME.arrow``; the parts lie in ``NAME.arrow.parts/`` until it is finished.
    metadata
        Only parts of the same are taken over.
    part
        Showers in a part: those that are lost at most when the program is killed.
    told
        Called with the number of showers that are there, first with those of an earlier call.
    cluster
        A Dask cluster that makes the parts, see `dask_cluster.cluster_client`.

    Raises
    ------
    UsageError
        If there is no such cluster.
    HgcalError
        If the cluster is lost; finished parts stay.
    OutputError
        If the output exists (unless `overwrite`) or cannot be written.
    """
    keys = [f"showers {start} to {min(start + part, n)}" for start in range(0, n, part)]
    writer = ShowerWriter(output, keys, metadata, overwrite=overwrite)
    missing = writer.unfinished
    work = _Work(writer.folder.absolute(), keys, metadata, chunks, part, n)
    done = resumed = n - sum(work.size(number) for number in missing)
    told(done)
    empty = 0
    try:
        if cluster is None or not missing:
            for number in missing:
                empty += _make_part(work, number, partial(_tell, told, done))
                done += work.size(number)
        else:
            with cluster_client(cluster, work.folder) as client:
                for number, found in on_cluster(client, _make_part, work, missing):
                    empty += found
                    done += work.size(number)
                    told(done)
        writer.finish()
    finally:
        writer.abandon()  # leaves nothing behind unless there are finished parts
    return SampleReport(resumed, empty)


def check_cluster_output(output: Path, *, is_store: bool) -> None:
    """Refuse to let a cluster write what is no store.

    Raises
    ------
    UsageError
        Then.
    """
    if not is_store:
        msg = f"{output}: a cluster writes stores (.arrow) in parts; convert the store afterwards"
        raise UsageError(msg)


@dataclass(frozen=True)
class _Work:
    """Everything a process needs to make any part; arguments as of `write_in_parts`."""

    folder: Path
    keys: list[str]
    metadata: ShowerMetadata
    chunks: Callable[[int], Iterator[Showers]]
    part: int
    n: int

    def size(self, number: int) -> int:
        """Return the showers of a part."""
        return min(self.part, self.n - number * self.part)


def _tell(told: Callable[[int], Any], before: int, new: int) -> None:
    told(before + new)


def _make_part(work: _Work, number: int, told: Callable[[int], Any] | None = None) -> int:
    """Make and write a part, tell of each chunk before it is written; return how many showers are empty."""
    wanted, done, empty = work.size(number), 0, 0
    with open_part(work.folder, number, work.keys[number], work.metadata) as target:
        coming = work.chunks(number * work.part)
        while done < wanted:
            showers = next(coming)
            done += len(showers)
            empty += int((showers.n_hits == 0).sum())
            if told is not None:
                told(done)
            target.write(showers)
    return empty
