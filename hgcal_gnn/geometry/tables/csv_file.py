"""CSV tables: a quick look at the head decides names and types, Arrow reads, and its complaints are explained."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.tables.formats import RawTable, add_arrow_column, first_rows, taken_apart
from hgcal_gnn.geometry.tables.names import is_reference, our_name

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HEAD_BYTES = 1 << 16
BLOCK_BYTES = 1 << 22
WRITE_ROWS = 1 << 18
GZIP_LEVEL = 4  # 9 takes seven times as long for 5 % less
INT32_DIGITS = 10  # fewer characters than these always fit in 32 bits
EMPTY = ["", "NA", "N/A", "null", "NULL", "None"]
DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
# What to try when a column holds something its type cannot: wider numbers, then text.
_WIDER = {
    pa.int32(): pa.int64(),
    pa.int64(): pa.uint64(),
    pa.uint64(): pa.float64(),
    pa.float64(): pa.string(),
    pa.bool_(): pa.string(),
    pa.string(): pa.binary(),
}
_WIDER_ID = {pa.uint64(): pa.int64(), pa.int64(): pa.string()}  # never by way of floats
_INTEGER = re.compile(r"\s*[+-]?\d+\s*$")
_NUMBER = re.compile(
    r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$|\s*[+-]?(?:nan|inf|infinity)\s*$", re.IGNORECASE
)


@dataclass(frozen=True)
class Head:
    """What the first lines of the file say: column names, lines above the data, a type per column."""

    names: list[str]
    skip_rows: int
    types: dict[str, pa.DataType]


def read_csv(path: Path) -> RawTable:
    """Read a CSV file, packed by gzip or not.

    Raises
    ------
    InputError
        For a file that is no comma-separated table: another delimiter, no header, no rows, rows of unequal
        length, text where ids should be, a damaged archive.
    """
    head = _read_head(path)
    table = [_read_all(path, head)]
    if table[0].num_rows == 0:
        msg = f"{path}: the table has a header ({', '.join(head.names)}) but no rows"
        raise InputError(msg)
    raw = RawTable()
    for name, column in taken_apart(table):
        if name:
            add_arrow_column(raw, name, column, str(path))
        else:
            raw.skipped["(no name)"] = "it has no name in the header"
    return raw


def write_csv(path: Path, columns: dict[str, NDArray[Any]], *, compress: bool) -> None:
    """Write columns with the shortest digits that read back to the same number; booleans as 0 and 1."""
    arrays = {name: v.view(np.uint8) if v.dtype == np.bool_ else v for name, v in columns.items()}
    table = pa.table(arrays)
    with ExitStack() as files:
        sink: Any = files.enter_context(path.open("wb"))
        if compress:
            # No time and no name inside: the same table gives the same file. Arrow only packs at the slowest level.
            sink = files.enter_context(gzip.GzipFile("", "wb", compresslevel=GZIP_LEVEL, fileobj=sink, mtime=0))
        sink.write((",".join(_quoted(name) for name in arrays) + "\n").encode())
        options = arrow_csv.WriteOptions(include_header=False)
        with arrow_csv.CSVWriter(sink, table.schema, write_options=options) as writer:
            writer.write_table(table, max_chunksize=WRITE_ROWS)


def _read_head(path: Path) -> Head:
    """Look at the first lines; find the header, also behind ``#`` comments."""
    lines = _first_lines(path)
    n_comments = next((i for i, line in enumerate(lines) if not line.startswith("#") and line.strip()), len(lines))
    body = lines[n_comments:]
    header = body[0] if body else ""
    comment = next((line.lstrip("# ") for line in reversed(lines[:n_comments]) if line.strip("# ")), "")
    skip = n_comments + 1
    if _is_numeric(header) and len(_split(comment)) == len(_split(header)):
        header, skip = comment, n_comments
    elif not body or _is_numeric(header):
        what = "holds no table" if not body else f"has no header line: its first line is numbers ({header[:60]})"
        msg = f"{path}: {what}; the first line must name the columns, for instance cell_id,layer,x,y,z"
        raise InputError(msg)
    names = [name.strip() for name in _split(header)]
    _check_delimiter(path, header, names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        msg = f"{path}: the header names {', '.join(name or '(nothing)' for name in repeated)} more than once"
        raise InputError(msg)
    rows = [_split(line) for line in lines[skip:-1] if line.strip()]
    types = {name: _type_of(name, [row[i] for row in rows if len(row) > i]) for i, name in enumerate(names)}
    return Head(names, skip, types)


def _first_lines(path: Path) -> list[str]:
    """Decode the first 64 KiB; the last line may be cut and is used for the header only."""
    try:
        with _open(path) as stream:
            start = stream.read(HEAD_BYTES)
    except (OSError, zlib.error) as error:
        raise _damaged(path, error) from error
    if start[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\x00" in start:
        msg = f"{path}: not a plain text file (UTF-8); export the table as CSV in UTF-8"
        raise InputError(msg)
    text: str = start.decode("utf-8-sig", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(start) == HEAD_BYTES and len(lines) == 1:
        msg = f"{path}: no line ends within the first {HEAD_BYTES} bytes; is this a CSV table?"
        raise InputError(msg)
    return lines


def _read_all(path: Path, head: Head) -> pa.Table:
    """Read the whole file; widen the type of a column that turns out to hold more than its head shows."""
    while True:
        try:
            with _open(path) as stream:
                return arrow_csv.read_csv(
                    stream,
                    read_options=arrow_csv.ReadOptions(
                        column_names=head.names, skip_rows=head.skip_rows, block_size=BLOCK_BYTES
                    ),
                    parse_options=arrow_csv.ParseOptions(delimiter=","),
                    convert_options=arrow_csv.ConvertOptions(column_types=head.types, null_values=EMPTY),
                )
        except pa.ArrowInvalid as error:
            head = _widened(path, head, error)
        except (OSError, pa.ArrowException, zlib.error) as error:
            raise _damaged(path, error) from error


def _widened(path: Path, head: Head, error: pa.ArrowInvalid) -> Head:
    """Give the head with a wider type for the column Arrow complains about, or explain the complaint."""
    found = re.search(r"In CSV column #(\d+)", str(error))
    if found is None:
        if any(words in str(error) for words in ("Empty CSV file", "Could not skip initial")):
            msg = f"{path}: the table has a header ({', '.join(head.names)}) but no rows"
            raise InputError(msg) from error
        raise _ragged(path, head, error) from error
    name = head.names[int(found[1])]
    ours = our_name(name)
    ladder = _WIDER_ID if ours == "cell_id" or is_reference(ours or "") else _WIDER
    wider = ladder.get(head.types[name])
    if wider is None:
        raise _unreadable_text(path, error) from error
    return replace(head, types=head.types | {name: wider})


def _ragged(path: Path, head: Head, error: pa.ArrowInvalid) -> InputError:
    """Count the rows whose number of values differs from the header's; Arrow stops at the first.

    Any bytes are text in Latin-1: here it matters only how many values a row has.
    """
    bad: list[tuple[int, int]] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        bad.append((row.number or 0, row.actual_columns))
        return "skip"

    try:
        with _open(path) as stream:
            arrow_csv.read_csv(
                stream,
                read_options=arrow_csv.ReadOptions(
                    column_names=head.names, skip_rows=head.skip_rows, use_threads=False, encoding="latin-1"
                ),
                parse_options=arrow_csv.ParseOptions(invalid_row_handler=note),
                convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(head.names, pa.binary())),
            )
    except (OSError, pa.ArrowException, zlib.error) as other:
        return _damaged(path, other)
    if not bad:
        return _unreadable_text(path, error)
    number, values = bad[0]
    lines = first_rows(np.array([line for line, _ in bad[:6]]))
    return InputError(
        f"{path}: {len(bad)} rows do not have the {len(head.names)} values the header names (the first has {values}: "
        f"line {number}), in lines {lines}; is the file cut off, or does a value contain a comma?"
    )


def _unreadable_text(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be read as a CSV table: {str(error)[:300]}")


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: the file is damaged or cut off ({str(error)[:200]}); copy or export it again")


def _open(path: Path) -> pa.NativeFile:
    """Open for reading, unpacking gzip whatever the file is called."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return pa.CompressedInputStream(pa.OSFile(str(path)), "gzip") if packed else pa.OSFile(str(path))


def _split(line: str) -> list[str]:
    rows: list[list[str]] = list(csv.reader([line], skipinitialspace=True))
    return rows[0] if rows else []


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[",\n]', name) else name


def _is_numeric(line: str) -> bool:
    values = re.split(r"[,;\t ]+", line.strip())
    return all(_NUMBER.match(value) for value in values)


def _check_delimiter(path: Path, header: str, names: list[str]) -> None:
    """Refuse a header that another delimiter would cut into columns."""
    if len(names) > 1:
        return
    for delimiter, word in DELIMITERS.items():
        if delimiter in header:
            n_columns = header.count(delimiter) + 1
            msg = f"{path}: the columns seem to be separated by {word} ({n_columns} of them); separate them by commas"
            raise InputError(msg)
    if len(header.split()) > 1:
        msg = f"{path}: the columns seem to be separated by spaces ({len(header.split())}); separate them by commas"
        raise InputError(msg)


def _type_of(name: str, values: list[str]) -> pa.DataType:
    """Guess a column's type from its first values; `_WIDER` corrects the guess where later rows need it."""
    ours = our_name(name)
    present = [value for value in values if value not in EMPTY]
    if all(_INTEGER.match(value) for value in present):
        if ours == "cell_id" or is_reference(ours or ""):
            return pa.int64() if any("-" in value for value in present) else pa.uint64()
        if ours in {"x", "y", "z"}:
            return pa.float64()
        return pa.int32() if all(len(value) < INT32_DIGITS for value in present) else pa.int64()
    if all(_NUMBER.match(value) for value in present):
        return pa.float64()
    if all(value.lower() in {"true", "false"} for value in present):
        return pa.bool_()
    return pa.string()
