"""Open HDF5 files and find datasets in them, with errors that say what the file holds instead."""

from __future__ import annotations

import io
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from hgcal_gnn.errors import HgcalError, InputError
from hgcal_gnn.files import atomic_path, check_readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES = 16 * 2**20  # of dense data read or written at once
MOST_CHUNK_BYTES = 2**30  # of an HDF5 chunk, which has to be decompressed whole
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError)  # what h5py raises on damage


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what h5py says about damaged data into an error that names the file."""
    try:
        yield
    except UNREADABLE as error:
        if isinstance(error, HgcalError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"{path}: not readable as HDF5 ({reason}); it is truncated, damaged or no HDF5 file: fetch it again"
        raise InputError(msg) from error


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open for reading.

    Raises
    ------
    InputError
        If the file is missing, empty, truncated, damaged (also where the block reads it) or no HDF5 file.
    """
    check_readable(path)
    with reading(path), h5py.File(path, "r") as file:
        yield file


class NewFile(io.FileIO):
    """A file HDF5 writes into; when the disk is full, it pretends to go on and keeps the error for `check`.

    HDF5 that could not write its last bytes crashes the interpreter at exit (seen with h5py 3.16, HDF5 2.0).
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all bytes, or note why not."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while self.error is None and done < len(view):
                done += super().write(view[done:]) or 0
        except OSError as error:
            self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the size of the file, or note why not."""
        try:
            return super().truncate(size) if self.error is None else size or 0
        except OSError as error:
            self.error = error
            return size or 0

    def check(self) -> None:
        """Raise the error of a write that failed."""
        if self.error is not None:
            raise self.error


@contextmanager
def create_hdf5(path: Path, *, overwrite: bool) -> Iterator[tuple[h5py.File, NewFile]]:
    """Open a new HDF5 file that becomes `path` when the block ends well; call `NewFile.check` after each piece.

    Raises
    ------
    OutputError
        If `path` exists (unless `overwrite`), or the disk refuses the data; nothing is left behind then.
    """
    with atomic_path(path, overwrite=overwrite) as temporary, NewFile(temporary, "w+") as raw:
        with h5py.File(raw, "w") as file:
            yield file, raw
        raw.check()


def datasets_of(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Return the shape of every dataset by its path in the file."""
    found: dict[str, tuple[int, ...]] = {}

    def note(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and node.shape is not None:
            found[name] = node.shape

    file.visititems(note)
    return found


def dataset(file: h5py.File, name: str, path: Path, *, at_least: int = 1, ragged: bool = False) -> h5py.Dataset:
    """Return a dataset of numbers on at least `at_least` axes, or (`ragged`) of arrays of numbers.

    Raises
    ------
    InputError
        If it is missing, has another shape or type (listing what the file holds), or is not all there.
    """
    found = datasets_of(file)
    if name not in found:
        msg = f"{path}: no dataset {name}; the file holds {describe(found)}"
        raise InputError(msg)
    data = file[name]
    numbers = h5py.check_vlen_dtype(data.dtype) if ragged else data.dtype
    if len(found[name]) < at_least or numbers is None or np.dtype(numbers).kind not in "iuf":
        kind = "arrays of numbers" if ragged else "numbers"
        held = f"{data.dtype} {list(data.shape)}"
        msg = f"{path}: dataset {name} must hold {kind} on at least {at_least} axes, it is {held}"
        raise InputError(msg)
    if (missing := _missing(data)) is not None:
        msg = f"{path}: dataset {name} {list(data.shape)} {missing}; the file is incomplete or damaged: fetch it again"
        raise InputError(msg)
    return data


def _missing(data: h5py.Dataset) -> str | None:
    """Say what a dataset lacks, before it is read: a header may claim what is not there."""
    if data.external:
        return "lies in other files"
    if not data.size or data.is_virtual:
        return None
    if data.chunks is None:
        stored, claimed = data.id.get_storage_size(), data.size * data.dtype.itemsize
        return f"claims {claimed} bytes and has {stored}" if stored < claimed and data.dtype.kind != "O" else None
    if math.prod(data.chunks) * data.dtype.itemsize > MOST_CHUNK_BYTES:
        return f"is stored in chunks of {list(data.chunks)}, too large to be read"
    claimed = math.prod(-(-size // chunk) for size, chunk in zip(data.shape, data.chunks, strict=True))
    there = data.id.get_num_chunks()
    return f"claims {claimed} chunks and has {there}" if there < claimed else None


def check_equal_lengths(lengths: dict[str, int], path: Path) -> int:
    """Return the common number of showers.

    Raises
    ------
    InputError
        If the datasets hold different numbers of showers, as a job that was cut off leaves them.
    """
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        msg = f"{path}: the datasets hold different numbers of showers ({listed}); the file is incomplete"
        raise InputError(msg)
    return next(iter(lengths.values()))


def describe(found: dict[str, tuple[int, ...]]) -> str:
    """List datasets with their shapes."""
    return ", ".join(f"{name} {list(shape)}" for name, shape in found.items()) or "no datasets"


def rows_per_chunk(data: h5py.Dataset, row_bytes: int, chunk_bytes: int = CHUNK_BYTES) -> int:
    """Return how many showers to read at once: whole HDF5 chunks, so that none is decompressed twice."""
    rows = max(1, chunk_bytes // max(row_bytes, 1))
    stored = data.chunks[0] if data.chunks else 1
    return max(stored, rows // stored * stored)
