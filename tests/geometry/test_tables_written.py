"""Tables written and read back: nothing is lost, nothing is left behind when writing fails."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hgcal_gnn.errors import InputError, OutputError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.tables import read_table, write_table

from .table_files import prism_csv, saved

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".root")
EXTRA_TYPES = (np.uint64, np.int64, np.int8, np.uint16, np.float32, np.float64, np.bool_)


@st.composite
def tables(draw: st.DrawFn) -> CellTable:
    """Any few cells: ids of 64 bits, positions and further columns of any type and value."""
    n = draw(st.integers(1, 9))
    position = draw(st.sampled_from([np.float32, np.float64]))
    lengths = st.floats(-1e5, 1e5, width=32 if position is np.float32 else 64)
    columns = {
        "cell_id": np.array(draw(st.lists(st.integers(0, 2**64 - 1), min_size=n, max_size=n, unique=True)), np.uint64),
        "layer": draw(hnp.arrays(np.int16, n)),
        "subdetector": draw(hnp.arrays(np.uint8, n)),
        "cell_type": draw(hnp.arrays(np.int16, n)),
        **{axis: draw(hnp.arrays(position, n, elements=lengths)) for axis in "xyz"},
    }
    for number, kind in enumerate(draw(st.lists(st.sampled_from(EXTRA_TYPES), max_size=3))):
        columns[f"extra {number}"] = draw(hnp.arrays(kind, n))
    name = draw(st.sampled_from(["unknown", "ECAL é"]))
    return CellTable.from_columns(columns, detector=name, subdetector_names={3: "front, upper"})


def assert_same_values(found: CellTable, table: CellTable) -> None:
    assert list(found.columns()) == list(table.columns())
    for name, values in table.columns().items():
        back = found.columns()[name]
        np.testing.assert_array_equal(back.astype(values.dtype), values, err_msg=name)
        assert back.flags.writeable
    assert found.sha256 == table.sha256


@settings(deadline=None, max_examples=30)
@given(table=tables())
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip(suffix, table):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{suffix}"
        write_table(table, path)
        found = read_table(path, allow_lone_cells=True)
    assert_same_values(found, table)
    if suffix in {".parquet", ".root"}:
        assert {k: v.dtype for k, v in found.columns().items()} == {k: v.dtype for k, v in table.columns().items()}
        assert found.subdetector_names == table.subdetector_names
        assert found.detector == table.detector


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_real_table_survives(shared_data, tmp_path, suffix):
    table = read_table(shared_data / "cms_hgcal_cee_window.csv.gz")
    assert table.n_cells == 48_533
    assert table.subdetector_names == {8: "CE-E"}
    assert sorted(set(table.layer.tolist())) == list(range(1, 27))
    assert {"detector", "subdetid"} == set(table.extra)
    write_table(table, tmp_path / f"t{suffix}")
    found = read_table(tmp_path / f"t{suffix}")
    assert_same_values(found, table)
    assert found.subdetector_names == table.subdetector_names


def test_csv_keeps_the_digits(shared_data, tmp_path):
    """What was typed in the file stands in the written one, cell by cell."""
    source = shared_data / "cms_hgcal_cee_window.csv.gz"
    write_table(read_table(source), tmp_path / "t.csv")
    with gzip.open(source, "rt") as file:
        header, *lines = file.read().split()
    columns = header.split(",")
    stated = {row[0]: [float(v) for v in row[4:7]] for row in (line.split(",") for line in lines)}
    assert columns[4:7] == ["x", "y", "z"]
    header, *lines = (tmp_path / "t.csv").read_text().split()
    assert header.startswith("cell_id,layer,x,y,z,")
    written = {row[0]: [float(v) for v in row[2:5]] for row in (line.split(",") for line in lines)}
    assert written == stated


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_table_gives_the_same_file(tmp_path, suffix):
    table = read_table(saved(tmp_path / "source.csv", prism_csv()))
    write_table(table, tmp_path / f"a{suffix}")
    write_table(table, tmp_path / f"b{suffix}")
    if suffix != ".root":  # ROOT files hold the time of writing and a random id
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_stated_detector_name_wins_over_the_files(tmp_path):
    table = read_table(saved(tmp_path / "t.csv", prism_csv()), detector="prism")
    write_table(table, tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").detector == "prism"
    assert read_table(tmp_path / "t.parquet", detector="other").detector == "other"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_existing_file_is_kept(tmp_path, suffix):
    table = read_table(saved(tmp_path / "source.csv", prism_csv()))
    path = saved(tmp_path / f"t{suffix}", "precious")
    with pytest.raises(OutputError, match="exists already"):
        write_table(table, path)
    assert path.read_text() == "precious"
    write_table(table, path, overwrite=True)
    assert read_table(path).n_cells == 75


def test_folder_that_is_not_there(tmp_path):
    table = read_table(saved(tmp_path / "source.csv", prism_csv()))
    with pytest.raises(OutputError, match="does not exist; create it first"):
        write_table(table, tmp_path / "none" / "t.csv")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from hgcal_gnn.errors import OutputError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.tables import write_table

n = 20_000
rng = np.random.default_rng(0)
columns = {"cell_id": np.arange(n), "layer": np.ones(n, int), **{axis: rng.random(n) for axis in "xyz"}}
table = CellTable.from_columns(columns)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
for path in map(Path, sys.argv[1:]):
    try:
        write_table(table, path, overwrite=True)
    except OutputError as error:
        assert "could not be written: File too large; nothing was left behind" in str(error), error
    else:
        raise SystemExit(f"{path} was written")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs file size limits")
def test_full_disk_leaves_what_was_there(tmp_path):
    """A limit on the size of files fails as a full disk does: in the middle of writing."""
    paths = [saved(tmp_path / f"t{suffix}", "precious") for suffix in SUFFIXES]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_DISK, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    assert {path.read_text() for path in paths} == {"precious"}


def test_error_without_a_number_becomes_an_output_error(tmp_path, monkeypatch):
    """Arrow raises OSError without errno for failures of its own."""

    def fail(*_: object) -> None:
        msg = "disk on fire"
        raise OSError(msg)

    monkeypatch.setattr("hgcal_gnn.geometry.tables.read_write.write_parquet", fail)
    table = read_table(saved(tmp_path / "source.csv", prism_csv()))
    with pytest.raises(OutputError, match=r"t.parquet: could not be written: disk on fire; nothing was left behind"):
        write_table(table, tmp_path / "t.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["source.csv"]


def test_refusal_writes_nothing(tmp_path):
    path = saved(tmp_path / "t.csv", prism_csv(header="cell_id,layer,x,y,w"))
    with pytest.raises(InputError):
        read_table(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]
