"""Parquet tables: column types, names of subdetectors and the detector's name survive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.tables.formats import RawTable, add_arrow_column, taken_apart

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

METADATA_KEY = b"hgcal_gnn"
ROW_GROUP = 1 << 20


def read_parquet(path: Path) -> RawTable:
    """Read a Parquet file; page checksums, where it has them, are verified.

    Raises
    ------
    InputError
        For a damaged or cut off file, or one without rows.
    """
    try:
        table = [pq.ParquetFile(path, page_checksum_verification=True).read()]
    except (OSError, pa.ArrowException, MemoryError, ValueError) as error:
        raise _damaged(path, error) from error
    names = table[0].column_names
    if table[0].num_rows == 0:
        msg = f"{path}: the table has columns ({', '.join(names)}) but no rows"
        raise InputError(msg)
    if len(set(names)) < len(names):
        msg = f"{path}: there are several columns named {max(names, key=names.count)}"
        raise InputError(msg)
    raw = RawTable(metadata=_metadata(path, table[0].schema))
    try:
        for name, column in taken_apart(table):
            add_arrow_column(raw, name, column, str(path))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    return raw


def write_parquet(path: Path, columns: dict[str, NDArray[Any]], metadata: dict[str, Any]) -> None:
    """Write columns and what is known about them, compressed, with a checksum per page."""
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP, write_page_checksum=True)


def _metadata(path: Path, schema: pa.Schema) -> Any:
    text = (schema.metadata or {}).get(METADATA_KEY)
    if text is None:
        return {}
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: the Parquet file is damaged or cut off ({str(error)[:200]}); copy or export it again")
