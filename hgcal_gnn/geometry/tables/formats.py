"""What every table format shares: the raw columns of a file, the formats by suffix, Arrow to NumPy."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.tables.names import NEEDED_IN_EVERY_ROW, is_reference, our_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = {".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".pq": "parquet", ".root": "root"}
WHOLE_NUMBER = r"^\s*[+-]?\d+\s*$"
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
MOST_ITEMS = 64  # longest list per cell that becomes columns: no cell has more neighbours or corners


@dataclass
class Lists:
    """A whole number list of any length per cell: those of row i are ``values[offsets[i]:offsets[i + 1]]``."""

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass
class RawTable:
    """The columns of a file under their own names, nothing checked but that each is one of these kinds.

    Attributes
    ----------
    numbers
        Arrays [n_rows] of integers, floats or booleans.
    lists, texts
        Columns that hold a list or a text per row.
    skipped
        Name -> why a column was not read.
    metadata
        What the file says about itself under the key ``hgcal_gnn``; a mapping, unless it is damaged.
    """

    numbers: dict[str, NDArray[Any]] = field(default_factory=dict)
    lists: dict[str, Lists] = field(default_factory=dict)
    texts: dict[str, pa.Array] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    metadata: Any = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Every column that was read."""
        return [*self.numbers, *self.lists, *self.texts]


def table_format(path: Path) -> str | None:
    """Tell the format from the suffix ("csv", "parquet", "root"), None for any other."""
    name = path.name.lower()
    return next((kind for suffix, kind in SUFFIXES.items() if name.endswith(suffix)), None)


def known_suffixes() -> str:
    """List the suffixes as a part of a sentence."""
    *most, last = SUFFIXES
    return f"{', '.join(most)} or {last}"


def check_content(path: Path, kind: str) -> None:
    """Refuse a file whose first bytes belong to another format than its name says.

    Raises
    ------
    InputError
        With the format the file seems to have.
    """
    with path.open("rb") as file:
        start = file.read(4)
    found = {b"PAR1": "Parquet", b"root": "ROOT", b"\x89HDF": "HDF5", b"PK\x03\x04": "ZIP or Excel"}.get(start)
    if found is not None and found.lower() != kind:
        msg = (
            f"{path}: the name says {kind.upper() if kind == 'csv' else kind}, the content is {found}; rename the file"
        )
        if found in {"HDF5", "ZIP or Excel"}:
            msg = f"{path}: this is a {found} file; export the table as {known_suffixes()}"
        raise InputError(msg)
    if found is None and kind in {"parquet", "root"}:
        magic = "PAR1" if kind == "parquet" else "root"
        msg = f"{path}: not a {'Parquet' if kind == 'parquet' else 'ROOT'} file (it does not begin with {magic})"
        raise InputError(msg)


@contextmanager
def returned_memory() -> Iterator[None]:
    """Let Arrow take its memory from the system, so that what is freed column by column goes back there.

    Its own allocators keep freed memory for later use: on a table of millions of cells that doubles the peak.
    """
    usual = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(usual)


def taken_apart(holder: list[pa.Table]) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Give the columns of a table one by one; each is freed when the next is asked for.

    Parameters
    ----------
    holder
        A list of the one table, which is taken out: a reference kept by the caller would keep all columns.
    """
    table = holder.pop()
    while table.num_columns:
        name, column = table.column_names[0], table.column(0)
        table = table.remove_column(0)
        yield name, column
        del column
        pa.default_memory_pool().release_unused()


def add_arrow_column(raw: RawTable, name: str, column: pa.ChunkedArray, source: str) -> None:
    """Put an Arrow column into `raw` as numbers, lists or text, or note why it is left out.

    Raises
    ------
    InputError
        If a column of whole numbers that every cell needs has empty values.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_null(kind) or column.null_count == len(column):
        raw.skipped[name] = "it is empty"
    elif pa.types.is_floating(kind):
        raw.numbers[name] = column.to_numpy()  # a null becomes NaN
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        raw.numbers[name] = _whole_numbers(name, column, source)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        _add_list_column(raw, name, column)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        raw.texts[name] = column.combine_chunks()
    else:
        raw.skipped[name] = f"it holds {kind}"


def add_fixed_columns(raw: RawTable, name: str, values: NDArray[Any]) -> None:
    """Put an array [n_rows, ...] into `raw`, one column per item as NAME_0, NAME_1, ..."""
    flat = values.reshape(len(values), -1) if len(values) else values.reshape(0, 1)
    if flat.shape[1] > MOST_ITEMS:
        raw.skipped[name] = f"it holds {flat.shape[1]} values a cell"
        return
    for number in range(flat.shape[1]):
        raw.numbers[f"{name}_{number}"] = np.ascontiguousarray(flat[:, number])


def explain_text(source: str, name: str, texts: pa.Array, what: str) -> InputError:
    """Say which values of a text column should have been numbers.

    Parameters
    ----------
    what
        What the column should hold ("whole numbers", "numbers").
    """
    pattern = WHOLE_NUMBER if "whole" in what else NUMBER
    bad = np.flatnonzero(~pc.fill_null(pc.match_substring_regex(texts, pattern), True).to_numpy(zero_copy_only=False))
    if not len(bad):
        return InputError(f"{source}: column {name} holds whole numbers beyond 64 bits")
    example = str(texts[int(bad[0])])[:40]
    decimal_comma = " (decimal commas? write decimal points)" if re.fullmatch(r"[+-]?\d+,\d+", example) else ""
    return InputError(
        f"{source}: column {name} should hold {what}, but {len(bad)} values are something else, for instance "
        f"{example!r}{decimal_comma}; first in rows {first_rows(bad)} (counted from 0)"
    )


def has_numbers(texts: pa.Array) -> bool:
    """Tell whether some value of a text column is a number."""
    return bool(pc.any(pc.match_substring_regex(texts, NUMBER)).as_py())


def first_rows(rows: NDArray[Any], shown: int = 5) -> str:
    """Name the first rows of an array of row numbers: "3, 17, 20, ..."."""
    return ", ".join(str(row) for row in rows[:shown].tolist()) + (", ..." if len(rows) > shown else "")


def check_suffix_for_writing(path: Path) -> str:
    """Give the format to write.

    Raises
    ------
    UsageError
        For a suffix that names none.
    """
    kind = table_format(path)
    if kind is None:
        msg = f"{path}: a geometry table is written as {known_suffixes()}; give the file one of these suffixes"
        raise UsageError(msg)
    return kind


def _whole_numbers(name: str, column: pa.ChunkedArray, source: str) -> NDArray[Any]:
    """Give integers or booleans; an empty value is no neighbour in a neighbour column, NaN in a free one."""
    ours = our_name(name) or name
    if column.null_count and is_reference(ours):
        column = pc.fill_null(column, 0)
    elif column.null_count and ours not in NEEDED_IN_EVERY_ROW:
        column = column.cast(pa.float64(), safe=False)
    if column.null_count == 0 or ours not in NEEDED_IN_EVERY_ROW:
        values: NDArray[Any] = column.to_numpy()
        return values
    rows = np.flatnonzero(pc.is_null(column).to_numpy())
    msg = (
        f"{source}: column {name} has {len(rows)} empty values, first in rows {first_rows(rows)} (counted from 0); "
        "a whole number is needed in every row"
    )
    raise InputError(msg)


def _add_list_column(raw: RawTable, name: str, column: pa.ChunkedArray) -> None:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # newer Arrow keeps several chunks where 32-bit offsets overflow
        raw.skipped[name] = "it is too large"
        return
    items = array.flatten()
    if not (pa.types.is_integer(items.type) or pa.types.is_floating(items.type)) or items.null_count:
        raw.skipped[name] = f"it holds {column.type}"
        return
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    values = items.to_numpy(zero_copy_only=False)
    if len(lengths) and lengths.min() == lengths.max() and lengths[0]:
        add_fixed_columns(raw, name, values.reshape(len(lengths), -1))
        return
    raw.lists[name] = Lists(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
