"""The shower store: an Arrow file, memory-mapped; chunks are views of it, random showers are gathered from it."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hgcal_gnn.errors import InputError
from hgcal_gnn.files import atomic_path, check_readable
from hgcal_gnn.showers.checks import check_values, usable_hits
from hgcal_gnn.showers.columns import COLUMNS, HIT_NAMES, SHOWER_NAMES
from hgcal_gnn.showers.ragged import copy_segments, offsets_of, row_numbers
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.showers.store.arrow_file import BatchWriter, check_types, decode_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray


# what Arrow raises for damaged files, depending on where the damage is
UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, SystemError)


class ShowerStore:
    """Showers in a memory-mapped file; nothing is loaded before it is asked for.

    Attributes
    ----------
    path
    metadata
    names
        Columns present.
    starts : int64 [n_chunks + 1]
        First shower of each record batch (8,192 showers each).
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        check_readable(self.path)
        try:
            self._open()
        except UNREADABLE as error:
            if isinstance(error, InputError):
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            msg = (
                f"{self.path}: no readable Arrow file ({reason}); it is truncated or damaged: "
                "write it again, or go back to its source"
            )
            raise InputError(msg) from error

    def _open(self) -> None:
        """Map the file and find its columns."""
        with self.path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._file = pa.py_buffer(self._map)
        reader = pa.ipc.open_file(self._file)
        self.metadata = decode_metadata(reader.schema, self.path)
        self.names = check_types(reader.schema, self.path)
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        for batch in batches:
            batch.validate()
        self.starts = offsets_of(np.array([batch.num_rows for batch in batches], dtype=np.int64))
        self._address_columns(batches)

    def __reduce__(self) -> tuple[type[ShowerStore], tuple[Path]]:
        """Travel to other processes as the path."""
        return ShowerStore, (self.path.absolute(),)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __repr__(self) -> str:
        return f"ShowerStore({self.path.name}: {len(self)} showers in {self.n_chunks} chunks)"

    @property
    def n_chunks(self) -> int:
        """Number of record batches."""
        return len(self.starts) - 1

    @property
    def n_hits(self) -> NDArray[np.int64]:
        """Hits per shower, int64 [n_showers]."""
        return self._hit_ranges(np.arange(len(self)))[1]

    def column(self, name: str) -> NDArray[Any]:
        """Return one column of the showers (not of the hits), [n_showers].

        Raises
        ------
        InputError
            If the store does not have it.
        """
        known = [entry for entry in SHOWER_NAMES if entry in self.names]
        if name not in known:
            msg = f"{self.path}: no column {name}; there are {', '.join(known)}"
            raise InputError(msg)
        return self._take(name, np.arange(len(self)))

    def chunk(self, number: int) -> Showers:
        """Return record batch `number`: views of the file, only the offsets are copied."""
        size = int(self.starts[number + 1] - self.starts[number])
        offsets = self._span("offsets", number, size + 1).astype(np.int64)
        n_values = self._n_values[number]
        if offsets[0] != 0 or offsets[-1] != n_values or (offsets[1:] < offsets[:-1]).any():
            self._refuse_offsets(number)
        columns = {name: self._span(name, number, int(n_values) if name in HIT_NAMES else size) for name in self.names}
        return Showers(offsets=offsets, **columns, metadata=self.metadata)

    def chunks(self) -> Iterator[Showers]:
        """Iterate over the record batches; the memory of each counts as used only until the next one is asked for."""
        for number in range(self.n_chunks):
            yield self.chunk(number)
            self.release(number)

    def read(self, rows: slice | NDArray[Any] | Sequence[int]) -> Showers:
        """Gather showers by slice, boolean mask or row numbers in any order; only these are read from the file.

        Raises
        ------
        IndexError
            If a row number is out of range.
        """
        numbers = row_numbers(rows, len(self))
        chunk, counts, first = self._hit_ranges(numbers)
        offsets = offsets_of(counts)
        columns: dict[str, Any] = {}
        for name in self.names:
            if name in HIT_NAMES:
                columns[name] = copy_segments(self._words[name], self._bases[name][chunk] + first, offsets)
            else:
                columns[name] = self._take(name, numbers)
        return Showers(offsets=offsets, **columns, metadata=self.metadata)

    def release(self, number: int | None = None) -> None:
        """Tell the system that it may forget the pages of a record batch, or of all; views of them stay valid."""
        if number is None:
            self._map.madvise(mmap.MADV_DONTNEED)
            return
        places = [int(bases[number]) * self._words[name].itemsize for name, bases in self._bases.items()]
        start = min(places) // mmap.PAGESIZE * mmap.PAGESIZE
        self._map.madvise(mmap.MADV_DONTNEED, start, max(places) - start)

    def __getitem__(self, rows: int | slice | NDArray[Any] | Sequence[int]) -> Showers:
        if isinstance(rows, int | np.integer):
            return self.read([int(rows)])
        return self.read(rows)

    def verify(self, n_cells: int | None = None) -> None:
        """Read the whole file, chunk by chunk, and check every value as at the door (`Showers.from_columns`).

        Raises
        ------
        InputError
            At the first chunk with impossible values.
        """
        for number, showers in enumerate(self.chunks()):
            source = f"{self.path} (showers from {self.starts[number]})"
            check_values(showers, source, n_cells)
            usable_hits(showers, source, refuse=True, remedy="the file is damaged, or its source was: write it again")

    def _address_columns(self, batches: Sequence[Any]) -> None:
        """Find where in the file each column of each record batch lies, in units of its own type.

        With that, showers from everywhere are gathered by one array operation per column.
        """
        self._words = {name: self._typed_view(COLUMNS[name].dtype) for name in self.names}
        self._words["offsets"] = self._typed_view(np.dtype(np.int32))
        self._bases = {name: np.zeros(len(batches), dtype=np.int64) for name in self._words}
        self._n_values = np.zeros(len(batches), dtype=np.int64)
        for number, batch in enumerate(batches):
            for name in self.names:
                array = batch.column(name)
                buffers = array.buffers()
                self._bases[name][number] = self._position(name, buffers[-1])
                if name == "cell":
                    self._bases["offsets"][number] = self._position("offsets", buffers[1])
                    self._n_values[number] = len(array.values)

    def _typed_view(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        usable = self._file.size // dtype.itemsize
        return np.frombuffer(self._file, dtype=dtype, count=usable)

    def _position(self, name: str, buffer: Any) -> int:
        """Return the place of a buffer in the file, counted in values of column `name`."""
        if buffer is None or buffer.size == 0:
            return 0
        distance = buffer.address - self._file.address
        if not 0 <= distance < self._file.size:
            msg = f"{self.path}: the file is compressed; write it again without compression"
            raise InputError(msg)
        return int(distance // self._words[name].itemsize)

    def _span(self, name: str, chunk: int, length: int) -> NDArray[Any]:
        start = int(self._bases[name][chunk])
        return self._words[name][start : start + length]

    def _chunk_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self.starts, rows, side="right") - 1

    def _take(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        chunk = self._chunk_of(rows)
        taken: NDArray[Any] = self._words[name][self._bases[name][chunk] + rows - self.starts[chunk]]
        return taken

    def _hit_ranges(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return chunk, number of hits and first hit in the chunk of each row, int64 [n_rows]."""
        chunk = self._chunk_of(rows)
        position = self._bases["offsets"][chunk] + rows - self.starts[chunk]
        words = self._words["offsets"]
        first, last = words[position].astype(np.int64), words[position + 1].astype(np.int64)
        bad = np.flatnonzero((first < 0) | (last < first) | (last > self._n_values[chunk]))
        if len(bad):
            self._refuse_offsets(int(chunk[bad[0]]))
        return chunk, last - first, first

    def _refuse_offsets(self, chunk: int) -> None:
        msg = (
            f"{self.path}: the hit offsets of showers {self.starts[chunk]} to {self.starts[chunk + 1] - 1} are "
            "damaged; write the file again, or go back to its source"
        )
        raise InputError(msg)


def open_store(path: Path | str, *, cells_sha256: str = "") -> ShowerStore:
    """Open a shower store.

    Parameters
    ----------
    path
    cells_sha256
        Hash of the geometry in use (`CellTable.sha256`); checked if given.

    Raises
    ------
    InputError
        If the file is missing, truncated, damaged, no shower store or of a newer format version.
    GeometryMismatchError
        If its showers were made with another geometry.
    """
    store = ShowerStore(path)
    store.metadata.check_geometry(cells_sha256, source=str(path))
    return store


def write_showers(showers: Showers | Iterable[Showers], path: Path | str, *, overwrite: bool = False) -> None:
    """Write showers, or chunks of them, to a new store; the metadata are those of the first chunk.

    Raises
    ------
    OutputError
        If `path` exists (unless `overwrite`) or cannot be written; nothing is left behind then.
    """
    pieces = iter((showers,) if isinstance(showers, Showers) else showers)
    first = next(pieces, Showers.empty())
    with atomic_path(Path(path), overwrite=overwrite) as temporary, BatchWriter(temporary, first.metadata) as writer:
        writer.write(first)
        for piece in pieces:
            writer.write(piece)
