"""Wrong files: each is refused with a message that says what is wrong, where and what to do."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.tables import read_table, write_table

from .table_files import HEADER, as_csv, prism_csv, prism_rows, saved


def with_row(number: int, row: str) -> str:
    """The prism with one row of the data (counted from 0) replaced."""
    lines = prism_csv().splitlines()
    lines[number + 1] = row
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"the file is empty \(0 bytes\)"),
        (HEADER, "the table has a header .* but no rows"),
        (HEADER + "\n", "the table has a header .* but no rows"),
        ("# written by hand\n", "holds no table; the first line must name the columns"),
        (prism_csv().split("\n", 1)[1], r"has no header line: its first line is numbers \(1,1,20,0,101\)"),
        (prism_csv(header="cell_id,lay,x,y,z"), r"missing column layer \(found: cell_id, lay, x, y, z\); .*layer=1"),
        (prism_csv(header="cell_id,layer,a,b,z"), r"missing column x, y \(found: .*--column x=NAME"),
        (prism_csv(header="cell_id,layer,x,x,z"), "the header names x more than once"),
        (prism_csv().replace(",", ";"), r"separated by semicolons \(5 of them\); separate them by commas"),
        (prism_csv().replace(",", "\t"), r"separated by tabs \(5 of them\)"),
        (prism_csv().replace(",", "|"), r"separated by bars \(5 of them\)"),
        (prism_csv().replace(",", "  "), r"separated by spaces \(5\)"),
        (with_row(6, "7,1,nan,2,101"), r"column x has 1 values that are NaN or infinite, first in rows 6 "),
        (with_row(6, "7,1,,2,101"), r"column x has 1 values that are NaN or infinite, first in rows 6 "),
        (with_row(6, "7,1,inf,2,101"), "column x has 1 values that are NaN or infinite"),
        (with_row(6, "7,1,2e9,2,101"), r"column x has 1 values beyond 10 km, first 2e\+09 cm in row 6 .*--length-unit"),
        (with_row(6, "6,1,22,2,101"), r"1 repeated ids, for instance 6; first repeated in rows 6 "),
        (with_row(6, "7,1,22,2,101,9"), r"1 rows do not have the 5 values .*the first has 6: line 8"),
        (with_row(6, "7,1"), r"1 rows do not have the 5 values .*the first has 2: line 8"),
        (with_row(6, "7,1,abc,2,101"), r"column x should hold numbers, but 1 values are .* 'abc'; first in rows 6 "),
        (with_row(6, '7,1,"2,5",2,101'), "'2,5' .decimal commas"),
        (with_row(6, "x7,1,22,2,101"), r"column cell_id should hold whole numbers, .* 'x7'; first in rows 6 "),
        (with_row(6, "7.0,1,22,2,101"), r"column cell_id holds float64 values, ids must be whole numbers"),
        (with_row(6, f"{2**64},1,22,2,101"), "column cell_id holds whole numbers beyond 64 bits"),
        (with_row(6, ",1,22,2,101"), "column cell_id has 1 empty values, first in rows 6 "),
        (with_row(6, "7,one,22,2,101"), "column layer should hold whole numbers, .* 'one'"),
        (with_row(6, "7,,22,2,101"), "column layer has 1 empty values, first in rows 6 "),
        (with_row(6, "7,1.5,22,2,101"), "column layer has 1 values that are not whole numbers"),
        (with_row(6, "7,70000,22,2,101"), r"column layer has 1 values that are not whole numbers in -32768..32767"),
        (with_row(6, "7,9,22,2,101"), r"1 layers hold a single cell: 9 \(cell 7\).*--allow-lone-cells"),
        (prism_csv().encode("utf-16"), "not a plain text file"),
        (b"PAR1" + bytes(60), "the content is Parquet; rename the file"),
        (b"root" + bytes(60), "the content is ROOT; rename the file"),
        (b"\x89HDF" + bytes(60), "this is a HDF5 file; export the table as .csv"),
        (b"1" * 100_000, "no line ends within"),
    ],
)
def test_wrong_csv(tmp_path, content, message):
    path = saved(tmp_path / "t.csv", content)
    with pytest.raises(InputError, match=message) as error:
        read_table(path)
    assert str(path) in str(error.value)


def test_counts_of_ragged_rows_far_down(tmp_path):
    """Arrow reads in blocks and stops at the first; the message counts all and names physical lines."""
    rows = prism_rows(side=150, layers=2)
    for number in (20_000, 20_001, 44_999):
        rows[number] = rows[number][:3]
    path = saved(tmp_path / "t.csv", as_csv(rows))
    with pytest.raises(InputError, match=r"3 rows do not have .*in lines 20002, 20003, 45001;"):
        read_table(path)


def test_float_below_a_long_column_of_integers(tmp_path):
    """The type of a column cannot be told from its first rows."""
    rows = [[*row, str(i)] for i, row in enumerate(prism_rows(side=150, layers=2))]
    rows[-1][-1] = "0.5"
    rows[-2][-1] = str(2**63 + 1)
    table = read_table(saved(tmp_path / "t.csv", as_csv(rows, f"{HEADER},gain")))
    assert table.extra["gain"][-1] == 0.5
    rows[-1][-1] = "7"
    table = read_table(saved(tmp_path / "t.csv", as_csv(rows, f"{HEADER},gain")))
    assert table.extra["gain"][-2] == 2**63 + 1  # not by way of floating point


@pytest.mark.parametrize(
    "text",
    [
        prism_csv().replace("\n", "\r\n"),
        prism_csv().rstrip("\n"),
        "\ufeff" + prism_csv(),
        "# exported today\n\n" + prism_csv(),
        "# exported today\n# " + prism_csv(),
        prism_csv().replace("cell_id,layer", '"cell_id", "layer"'),
        prism_csv().replace("\n", "\n\n"),
    ],
    ids=["windows", "no last newline", "byte order mark", "comments", "header as a comment", "quotes", "empty lines"],
)
def test_harmless_oddities_of_csv(tmp_path, text):
    table = read_table(saved(tmp_path / "t.csv", text))
    assert table.cell_id.tolist() == list(range(1, 76))
    assert table.z.tolist() == [100 + layer for layer in (1, 2, 3) for _ in range(25)]


def test_lone_cells_on_request(tmp_path):
    path = saved(tmp_path / "t.csv", with_row(6, "7,9,22,2,101"))
    assert read_table(path, allow_lone_cells=True).n_cells == 75


@pytest.mark.parametrize("damage", [lambda b: b[:-400], lambda b: b[:40], lambda b: b[:-8] + b"12345678"])
def test_damaged_gzip(tmp_path, damage):
    packed = gzip.compress(as_csv(prism_rows(40)).encode())
    with pytest.raises(InputError, match=r"damaged or cut off .*export it again"):
        read_table(saved(tmp_path / "t.csv.gz", damage(packed)))


def test_gzip_is_recognised_by_content(tmp_path):
    assert read_table(saved(tmp_path / "t.csv", gzip.compress(prism_csv().encode()))).n_cells == 75
    assert read_table(saved(tmp_path / "t.csv.gz", prism_csv())).n_cells == 75


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.99])
def test_truncated_parquet(tmp_path, keep):
    path = tmp_path / "t.parquet"
    write_table(read_table(saved(tmp_path / "t.csv", prism_csv())), path)
    content = path.read_bytes()
    with pytest.raises(InputError, match="the Parquet file is damaged or cut off"):
        read_table(saved(path, content[: int(keep * len(content))]))


def test_flipped_bit_in_parquet_is_noticed(tmp_path):
    """Page checksums: without them a flipped bit in a coordinate would pass."""
    path = tmp_path / "t.parquet"
    rng = np.random.default_rng(1)
    table = read_table(saved(tmp_path / "t.csv", prism_csv()))
    columns = table.columns() | {"noise": rng.random(75)}
    write_table(CellTable.from_columns(columns), path)
    content = bytearray(path.read_bytes())
    place = content.find(np.sort(rng.random(0)).tobytes(), len(content) // 3)
    content[place] ^= 1
    with pytest.raises(InputError, match="damaged or cut off"):
        read_table(saved(path, bytes(content)))


def test_empty_parquet(tmp_path):
    pa.parquet.write_table(pa.table({"cell_id": pa.array([], pa.uint64())}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"the table has columns \(cell_id\) but no rows"):
        read_table(tmp_path / "t.parquet")


def test_float_ids_in_parquet(tmp_path):
    columns = {"cell_id": [1.0, 2.0], "layer": [1, 1], "x": [0.0, 1.0], "y": [0.0, 0.0], "z": [1.0, 1.0]}
    pa.parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="column cell_id holds float64 values, ids must be whole numbers"):
        read_table(tmp_path / "t.parquet")


def test_newer_format_version_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(read_table(saved(tmp_path / "t.csv", prism_csv())), path)
    table = pa.parquet.read_table(path)
    pa.parquet.write_table(table.replace_schema_metadata({"hgcal_gnn": '{"format_version": 99}'}), path)
    with pytest.raises(InputError, match=r"version 99 of the table format, .*pip install --upgrade hgcal-gnn"):
        read_table(path)


@pytest.mark.parametrize("name", ["t.txt", "t.h5", "t", "t.gz"])
def test_unknown_suffix(tmp_path, name):
    with pytest.raises(InputError, match=r"suffix .csv, .csv.gz, .parquet, .pq or .root"):
        read_table(saved(tmp_path / name, prism_csv()))
    with pytest.raises(UsageError, match=r"is written as \.csv"):
        write_table(read_table(saved(tmp_path / "good.csv", prism_csv())), tmp_path / f"new_{name}")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(InputError, match="is a folder, a file is needed"):
        read_table(tmp_path / "t.csv")


def test_no_permission_to_read(tmp_path, monkeypatch):
    path = saved(tmp_path / "t.csv", prism_csv())
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read everything
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="no permission to read it"):
        read_table(path)


def test_unknown_length_unit(tmp_path):
    with pytest.raises(UsageError, match="unknown length unit inch; choose one of mm, cm, m"):
        read_table(saved(tmp_path / "t.csv", prism_csv()), length_unit="inch")
