"""Join shower stores and split them, chunk by chunk."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.files import atomic_path, check_writable
from hgcal_gnn.showers.metadata import ShowerMetadata, common_metadata
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.showers.store.arrow_file import BatchWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SUM_TOLERANCE = 1e-6


def merge_stores(
    paths: Sequence[Path | str],
    path: Path | str,
    *,
    metadata: ShowerMetadata | None = None,
    overwrite: bool = False,
) -> None:
    """Write the showers of several stores, one after the other, into one.

    Memory is bounded by a record batch. An optional column that only some stores have is "not known" in the
    showers of the others.

    Parameters
    ----------
    paths
        Stores to join, in this order.
    path
        The store to write.
    metadata
        For the new store; by default what the joined ones have in common.

    Raises
    ------
    GeometryMismatchError
        If the stores were made with different geometries.
    InputError
        If one of them cannot be read; nothing is written then.
    OutputError
        If `path` exists (unless `overwrite`) or cannot be written.
    """
    check_writable(Path(path), overwrite=overwrite)
    stores = [open_store(part) for part in paths]
    common = common_metadata(store.metadata for store in stores)
    names: set[str] = set().union(*(store.names for store in stores))
    with (
        atomic_path(Path(path), overwrite=overwrite) as temporary,
        BatchWriter(temporary, metadata or common, names) as writer,
    ):
        for store in stores:
            for showers in store.chunks():
                writer.write(showers)


def split_store(
    path: Path | str,
    outputs: Sequence[Path | str],
    fractions: Sequence[float],
    *,
    seed: int = 0,
    overwrite: bool = False,
) -> list[int]:
    """Deal the showers of a store out to several, at random, each in its old order.

    The sizes are exact: the fractions of the number of showers, rounded so that they add up to it.

    Parameters
    ----------
    path
        Store to split.
    outputs
        Stores to write, one per fraction.
    fractions
        Shares, above 0, that add up to 1.
    seed
        Same store, fractions and seed give the same files.

    Returns
    -------
    list of int
        Showers in each output.

    Raises
    ------
    UsageError
        If the fractions do not fit.
    InputError
        If the store cannot be read.
    OutputError
        If an output exists (unless `overwrite`) or cannot be written; none is left behind then.
    """
    _check_fractions(fractions, len(outputs))
    if len({Path(output) for output in outputs}) < len(outputs):
        msg = f"the outputs {', '.join(str(output) for output in outputs)} must have different names"
        raise UsageError(msg)
    for output in outputs:
        check_writable(Path(output), overwrite=overwrite)
    store = open_store(path)
    target = deal(len(store), fractions, seed=seed)
    metadata = replace(store.metadata, extra={**store.metadata.extra, "split_seed": str(seed)})
    with ExitStack() as stack:
        # all files are closed before the first one gets its name, so that a full disk leaves none behind
        paths = [stack.enter_context(atomic_path(Path(output), overwrite=overwrite)) for output in outputs]
        writers = [stack.enter_context(BatchWriter(temporary, metadata, store.names)) for temporary in paths]
        for number, showers in enumerate(store.chunks()):
            of_chunk = target[store.starts[number] : store.starts[number + 1]]
            for label, writer in enumerate(writers):
                writer.write(showers[of_chunk == label])
    return [int(count) for count in np.bincount(target, minlength=len(outputs))]


def deal(n_showers: int, fractions: Sequence[float], *, seed: int = 0) -> NDArray[np.uint8]:
    """Deal showers out at random in exact shares: number of the part each one goes to, uint8 [n_showers].

    Raises
    ------
    UsageError
        If the fractions are not above 0 or do not add up to 1.
    """
    _check_fractions(fractions, len(fractions))
    counts = _shares_of(n_showers, np.asarray(fractions, dtype=np.float64))
    part = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    np.random.default_rng(seed).shuffle(part)
    return part


def _check_fractions(fractions: Sequence[float], n_parts: int) -> None:
    shares = np.asarray(fractions, dtype=np.float64)
    if len(shares) != n_parts or not (shares > 0).all() or abs(shares.sum() - 1) > SUM_TOLERANCE:
        msg = f"fractions {list(fractions)} must be {n_parts} numbers above 0 that add up to 1"
        raise UsageError(msg)


def _shares_of(total: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round `shares` of `total` to whole numbers that add up to it (largest remainders first), int64 [n]."""
    exact = shares / shares.sum() * total
    counts: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    largest = np.argsort(counts - exact, kind="stable")
    counts[largest[: total - counts.sum()]] += 1
    return counts
