from __future__ import annotations

import copy
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_showers import METADATA, N_CELLS, make_showers, showers

from hgcal_gnn.errors import GeometryMismatchError, InputError, OutputError
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import CHUNK, Showers
from hgcal_gnn.showers.store import open_store, write_showers
from hgcal_gnn.showers.store.arrow_file import BatchWriter

SEVERAL_CHUNKS = 2 * CHUNK + 100


@pytest.fixture(scope="module")
def made() -> Showers:
    """Showers of two and a bit record batches."""
    return make_showers(SEVERAL_CHUNKS)


@pytest.fixture(scope="module")
def path(made, tmp_path_factory) -> Path:
    """A store of them."""
    path = tmp_path_factory.mktemp("store") / "showers.arrow"
    write_showers(made, path)
    return path


def test_chunks_of_the_store_give_the_showers_back(made, path):
    store = open_store(path)
    assert len(store) == SEVERAL_CHUNKS
    assert store.starts.tolist() == [0, CHUNK, 2 * CHUNK, SEVERAL_CHUNKS]
    assert Showers.concatenate(list(store.chunks())).equals(made)
    assert store.metadata == METADATA


def test_chunks_are_views_of_the_file(path):
    showers = open_store(path).chunk(1)
    for values in (showers.cell, showers.energy, showers.incident_energy, showers.event_id):
        assert not values.flags.owndata
        assert not values.flags.writeable


def test_random_showers_across_chunks(made, path):
    rows = np.random.default_rng(3).permutation(SEVERAL_CHUNKS)[:500]
    store = open_store(path)
    assert store.read(rows).equals(made[rows])
    assert store[CHUNK - 3 : CHUNK + 3].equals(made[CHUNK - 3 : CHUNK + 3])
    assert store[-1].equals(made[-1])
    assert store.read(made.incident_energy > 90).equals(made[made.incident_energy > 90])
    assert len(store.read([])) == 0


def test_columns_without_the_hits(made, path):
    store = open_store(path)
    assert np.array_equal(store.column("incident_energy"), made.incident_energy)
    assert np.array_equal(store.n_hits, made.n_hits)
    with pytest.raises(InputError, match=r"no column cell; there are incident_energy, pdg_id"):
        store.column("cell")


@given(made=showers())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path, made):
    path = tmp_path / "any.arrow"
    write_showers(made, path, overwrite=True)
    store = open_store(path)
    assert store.read(slice(None)).equals(made.with_columns(store.names))
    assert Showers.concatenate([store.read([]), *store.chunks()]).equals(made.with_columns(store.names))


@given(cuts=st.lists(st.integers(0, SEVERAL_CHUNKS), max_size=4))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_bytes_do_not_depend_on_the_pieces_written(tmp_path, made, path, cuts):
    edges = [0, *sorted(cuts), SEVERAL_CHUNKS]
    pieces = (made[start:stop] for start, stop in pairwise(edges))
    write_showers(pieces, tmp_path / "pieces.arrow", overwrite=True)
    assert (tmp_path / "pieces.arrow").read_bytes() == path.read_bytes()


def test_bytes_do_not_depend_on_the_process(tmp_path, path):
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); from made_showers import make_showers; "
        "from hgcal_gnn.showers.store import write_showers; write_showers(make_showers(int(sys.argv[2])), sys.argv[3])"
    )
    target = tmp_path / "again.arrow"
    environment = {**os.environ, "PYTHONHASHSEED": "5"}
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent), str(SEVERAL_CHUNKS), str(target)]
    subprocess.run(arguments, check=True, env=environment)
    assert target.read_bytes() == path.read_bytes()


def test_pandas_polars_and_awkward_open_the_file(made, path):
    awkward = pytest.importorskip("awkward")
    array = awkward.from_feather(path)
    assert array["energy"][5].tolist() == made[5].energy.tolist()
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_feather(path)
    assert frame["energy"][5].tolist() == made[5].energy.tolist()
    polars = pytest.importorskip("polars")
    table = polars.read_ipc(path)
    assert table["cell"][CHUNK].to_list() == made[CHUNK].cell.tolist()
    assert table.schema["cell"] == polars.List(polars.Int32)


def test_a_store_travels_to_other_processes(made, path):
    again = copy.deepcopy(open_store(path))  # by way of __reduce__, as pickle does
    assert again.read([3, CHUNK]).equals(made[[3, CHUNK]])


def test_metadata_are_readable_without_this_package(path):
    schema = pa.ipc.open_file(path).schema
    assert schema.metadata[b"cells_sha256"] == b"ab" * 32
    assert schema.metadata[b"seed"] == b"7"
    assert schema.metadata[b"version"] == b"1"
    assert b'"energy": "GeV"' in schema.metadata[b"units"]


def test_another_geometry_is_refused(path):
    assert open_store(path, cells_sha256="ab" * 32).metadata == METADATA
    with pytest.raises(GeometryMismatchError, match=r"cdcdcd.*convert them again"):
        open_store(path, cells_sha256="cd" * 32)


def test_a_newer_version_is_refused_with_the_way_to_upgrade(tmp_path):
    newer = make_showers(1).replace(metadata=replace(METADATA, version=2))
    write_showers(newer, tmp_path / "newer.arrow")
    with pytest.raises(InputError, match=r"format version 2.*pip install --upgrade hgcal-gnn"):
        open_store(tmp_path / "newer.arrow")


def test_existing_files_are_kept(made, path):
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write_showers(made, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_truncated_files(tmp_path, path, share):
    content = path.read_bytes()
    cut = tmp_path / "cut.arrow"
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"cut\.arrow: (no readable Arrow file|the file is empty)"):
        open_store(cut)


@given(position=st.integers(-1500, 1500), value=st.integers(0, 255))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_damaged_bytes_never_crash(tmp_path, position, value):
    """Head, footer and body of a small file: an error that names the file, or readable showers."""
    path = tmp_path / "damaged.arrow"
    write_showers(make_showers(30), path, overwrite=True)
    content = bytearray(path.read_bytes())
    content[position] = value
    path.write_bytes(content)
    complaint = "damaged.arrow"
    try:
        store = open_store(path)
        store.read(slice(None))
        store.verify(N_CELLS)
    except InputError as error:
        complaint = str(error)
    assert "damaged.arrow" in complaint


def test_damaged_offsets_are_found(tmp_path, made):
    path = tmp_path / "offsets.arrow"
    write_showers(made[:50], path)
    offsets = made[:50].offsets.astype(np.int32).tobytes()
    content = path.read_bytes()
    assert content.count(offsets) == 3  # cell, energy and time have their own
    path.write_bytes(content.replace(offsets, offsets[:40] + b"\xff\xff\xff\x7f" + offsets[44:]))
    store = open_store(path)
    with pytest.raises(InputError, match="hit offsets of showers 0 to 49 are damaged"):
        store.chunk(0)
    with pytest.raises(InputError, match="hit offsets of showers 0 to 49 are damaged"):
        store.read([10])


def test_verify_finds_cells_outside_the_geometry(path):
    store = open_store(path)
    store.verify(N_CELLS)
    with pytest.raises(InputError, match=r"showers from 0.*cells outside 0\.\.38, for instance 39"):
        store.verify(N_CELLS - 1)


def test_other_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_store(tmp_path / "none.arrow")
    with pytest.raises(InputError, match="is a folder"):
        open_store(tmp_path)
    (tmp_path / "text.arrow").write_text("cell,energy\n1,2\n")
    with pytest.raises(InputError, match="no readable Arrow file"):
        open_store(tmp_path / "text.arrow")
    table = pa.table({"a": [1]})
    with pa.OSFile(str(tmp_path / "foreign.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(InputError, match=r"is an Arrow file but no shower store; it holds the columns a"):
        open_store(tmp_path / "foreign.arrow")


def test_files_rewritten_by_others_are_refused_where_they_do_not_fit(tmp_path, path):
    table = pa.ipc.open_file(path).read_all()
    packed = tmp_path / "packed.arrow"
    with pa.ipc.new_file(packed, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    with pytest.raises(InputError, match="compressed"):
        open_store(packed)
    polars = pytest.importorskip("polars")
    polars.read_ipc(path).write_ipc(tmp_path / "large.arrow", compression="uncompressed")
    with pytest.raises(InputError, match="large"):
        open_store(tmp_path / "large.arrow")


def test_a_column_that_appears_late_is_refused(tmp_path):
    pieces = [make_showers(2, optional=False), make_showers(2)]
    with pytest.raises(InputError, match="f_em, first_layer, leaked_energy, time, weight is missing in the first"):
        write_showers(pieces, tmp_path / "late.arrow")
    assert list(tmp_path.iterdir()) == []


def test_showers_of_another_geometry_are_not_mixed_in(tmp_path):
    other = ShowerMetadata(cells_sha256="cd" * 32)
    with BatchWriter(tmp_path / "a.arrow", other) as writer, pytest.raises(GeometryMismatchError):
        writer.write(make_showers(1))


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    code = (
        "import resource, signal, sys; sys.path.insert(0, sys.argv[1]); from made_showers import make_showers; "
        "from hgcal_gnn.showers.store import write_showers; from hgcal_gnn.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))\n"
        "try: write_showers(make_showers(9000), sys.argv[2])\n"
        "except OutputError as error: print(error)"
    )
    target = tmp_path / "full.arrow"
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent), str(target)]
    result = subprocess.run(arguments, check=True, capture_output=True, text=True)
    assert "full.arrow: could not be written" in result.stdout
    assert list(tmp_path.iterdir()) == []
