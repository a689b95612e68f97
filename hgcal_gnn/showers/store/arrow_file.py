"""One Arrow IPC file of showers: its schema, record batches, and writing them in full batches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.columns import COLUMNS, HIT_NAMES
from hgcal_gnn.showers.metadata import FORMAT_VERSION, ShowerMetadata
from hgcal_gnn.showers.showers import CHUNK, Showers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

MAX_BATCH_HITS = 2**31 - 1  # Arrow lists count their values in 32 bits
ALWAYS = frozenset(name for name, column in COLUMNS.items() if not column.optional)


def arrow_schema(names: Iterable[str], metadata: ShowerMetadata) -> pa.Schema:
    """Return the schema of a store that holds the columns `names`."""
    wanted = set(names)
    fields = [pa.field(name, _arrow_type(name), nullable=False) for name in sorted(wanted, key=list(COLUMNS).index)]
    return pa.schema(fields, metadata=encode_metadata(metadata))


def encode_metadata(metadata: ShowerMetadata) -> dict[str, str]:
    """Return metadata as the text pairs of an Arrow schema."""
    return {
        "cells_sha256": metadata.cells_sha256,
        "units": json.dumps(dict(metadata.units), sort_keys=True),
        "source": metadata.source,
        "seed": "" if metadata.seed is None else str(metadata.seed),
        "version": str(metadata.version),
        "extra": json.dumps(dict(metadata.extra), sort_keys=True),
    }


def decode_metadata(schema: pa.Schema, path: Path) -> ShowerMetadata:
    """Read metadata and check that this is a shower store of a version known here.

    Raises
    ------
    InputError
        If the file holds something else or was written by a newer version.
    """
    text = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    if "version" not in text or not set(schema.names) >= ALWAYS:
        msg = (
            f"{path}: is an Arrow file but no shower store; it holds the columns {', '.join(schema.names)}, "
            f"needed are {', '.join(name for name in COLUMNS if name in ALWAYS)} and the schema metadata"
        )
        raise InputError(msg)
    version = int(text["version"])
    if version > FORMAT_VERSION:
        msg = (
            f"{path}: written in format version {version}, this program reads up to {FORMAT_VERSION}; "
            "upgrade it with: pip install --upgrade hgcal-gnn"
        )
        raise InputError(msg)
    return ShowerMetadata(
        cells_sha256=text.get("cells_sha256", ""),
        source=text.get("source", ""),
        seed=int(text["seed"]) if text.get("seed") else None,
        units=json.loads(text.get("units", "{}")),
        version=version,
        extra=json.loads(text.get("extra", "{}")),
    )


def check_types(schema: pa.Schema, path: Path) -> list[str]:
    """Return the known columns of a schema; refuse those of another type than the store's.

    Raises
    ------
    InputError
        Naming the column, its type and the type it needs.
    """
    names = [name for name in COLUMNS if name in schema.names]
    for name in names:
        found = schema.field(name).type
        value = found.value_type if pa.types.is_list(found) else found
        if pa.types.is_list(found) != (name in HIT_NAMES) or value != pa.from_numpy_dtype(COLUMNS[name].dtype):
            msg = f"{path}: column {name} has type {found}, a shower store has {_arrow_type(name)}"
            raise InputError(msg)
    return names


def record_batch(showers: Showers, schema: pa.Schema) -> pa.RecordBatch:
    """Return showers as a record batch that shares their arrays."""
    n_hits = len(showers.cell)
    if n_hits > MAX_BATCH_HITS:
        msg = f"{len(showers)} showers hold {n_hits} hits; a record batch holds at most {MAX_BATCH_HITS}"
        raise InputError(msg)
    offsets = pa.array(showers.offsets.astype(np.int32))
    columns = showers.columns()
    arrays = []
    for entry in schema:
        values = pa.array(np.ascontiguousarray(columns[entry.name]))
        if entry.name in HIT_NAMES:
            values = pa.ListArray.from_arrays(offsets, values, type=entry.type)
        arrays.append(values)
    return pa.record_batch(arrays, schema=schema)


class BatchWriter:
    """Write showers to one new Arrow file in record batches of `CHUNK` showers, whatever the pieces given.

    A piece is kept only until its batch is full, so memory is bounded by the batch. Which optional columns
    the file has is decided by the first piece (or `names`); where later ones lack them, they are unknown.

    Parameters
    ----------
    path
        Written directly: give a temporary path (see `files.atomic_path`).
    metadata
        Goes into the schema.
    names
        Columns of the file, if known beforehand.
    """

    def __init__(self, path: Path, metadata: ShowerMetadata, names: Iterable[str] | None = None) -> None:
        self.n_showers = 0
        self.n_hits = 0
        self._metadata = metadata
        self._sink = path.open("wb")
        self._writer: Any = None
        self._pending: list[Showers] = []
        if names is not None:
            self._start(names)

    def __enter__(self) -> BatchWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._sink.close()

    def write(self, showers: Showers) -> None:
        """Append showers.

        Raises
        ------
        InputError
            If they have an optional column that the file was not started with.
        GeometryMismatchError
            If they were made with another geometry than the file says.
        """
        showers.metadata.check_geometry(self._metadata.cells_sha256)
        if self._writer is None:
            self._start(showers.columns())
        extra = sorted(set(showers.columns()) - set(self._schema.names))
        if extra:
            msg = f"column {', '.join(extra)} is missing in the first showers of the file and present in later ones"
            raise InputError(msg)
        start = 0
        while start < len(showers):
            stop = start + CHUNK - sum(len(piece) for piece in self._pending)
            self._pending.append(showers[start:stop])
            start = stop
            if stop <= len(showers):
                self._flush()
        if self._pending and len(showers):
            # what waits is copied, so that neither a mapped file nor the caller's arrays are held
            self._pending[-1] = self._pending[-1].copy()

    def _start(self, names: Iterable[str]) -> None:
        self._schema = arrow_schema(ALWAYS | set(names), self._metadata)
        self._writer = pa.ipc.new_file(self._sink, self._schema)

    def _flush(self) -> None:
        showers = Showers.concatenate(self._pending).with_columns(self._schema.names)
        self._pending.clear()
        self._writer.write_batch(record_batch(showers, self._schema))
        self.n_showers += len(showers)
        self.n_hits += len(showers.cell)

    def _finish(self) -> None:
        if self._writer is None:
            self._start(())
        if self._pending:
            self._flush()
        self._writer.close()


def _arrow_type(name: str) -> pa.DataType:
    value = pa.from_numpy_dtype(COLUMNS[name].dtype)
    return pa.list_(pa.field("item", value, nullable=False)) if name in HIT_NAMES else value
