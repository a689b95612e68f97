"""Converting many files: order, resuming, bad files, several processes, full disks, Ctrl-C and kill."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

from hgcal_gnn.errors import InputError, OutputError, UsageError
from hgcal_gnn.showers.convert import ConversionError, convert
from hgcal_gnn.showers.convert import jobs as convert_jobs
from hgcal_gnn.showers.convert.files import expand_inputs, kind_of
from hgcal_gnn.showers.file_report import FileReport
from hgcal_gnn.showers.input_rules import InputRules
from hgcal_gnn.showers.root import RootOptions, iterate_root
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.showers.store.arrow_file import BatchWriter
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree

CELLS = toy_cells()


@pytest.fixture
def files(tmp_path):
    """Four files of 40 to 70 events."""
    random = np.random.default_rng(5)
    paths = []
    for number in range(4):
        rows = [random.integers(0, 40, size).tolist() for size in random.poisson(6, 40 + 10 * number)]
        paths.append(write_tree(tmp_path / f"in{number}.root", hgcal_branches(CELLS, rows=rows)))
    return paths


def directly(paths) -> Showers:
    return Showers.concatenate([showers for path in paths for showers in iterate_root(path, CELLS)])


def test_the_store_holds_all_files_in_order(tmp_path, files):
    report = convert([tmp_path / "in*.root"], tmp_path / "all.arrow", CELLS)
    store = open_store(tmp_path / "all.arrow", cells_sha256=CELLS.sha256)
    assert store[:].equals(directly(files))
    assert [file.status for file in report.files] == ["converted"] * 4
    assert report.complete
    assert (report.total.events, report.total.showers) == (220, 220)
    np.testing.assert_allclose(report.total.energy, store[:].energy.sum(dtype=np.float64))
    assert store.metadata.source == "in0.root ... in3.root (4 files)"
    assert json.loads(store.metadata.extra["conversion"])["particles"] == "one"
    assert not (tmp_path / "all.arrow.parts").exists()


def test_the_report_survives_json(tmp_path, files):
    options = RootOptions(rules=InputRules(unknown="drop"))
    report = convert(files, tmp_path / "all.arrow", CELLS.select(slice(0, 30)), options=options)
    content = json.loads(json.dumps(report.to_json()))
    assert content["total"]["hits"] == report.total.hits
    assert sum(item["hits"] for item in content["total"]["unknown_cells"]) > 0
    assert FileReport.from_json(asdict(report.files[0])) == report.files[0]
    assert any("CE-H scintillator layer 5" in line for line in report.summary())


def test_a_bad_file_in_the_middle_is_named_and_the_others_survive(tmp_path, files):
    content = files[1].read_bytes()
    files[1].write_bytes(content[:1000])
    output = tmp_path / "all.arrow"
    problem = r"1 of 4 files .*in1\.root: truncated.*\(3\) is kept in .*all\.arrow\.parts"
    with pytest.raises(ConversionError, match=problem) as caught:
        convert(files, output, CELLS)
    report = caught.value.report
    assert [file.status for file in report.files] == ["converted", "failed", "converted", "converted"]
    assert not output.exists()
    # once it is repaired, only that file is converted
    files[1].write_bytes(content)
    again = convert(files, output, CELLS)
    assert [file.status for file in again.files] == ["resumed", "converted", "resumed", "resumed"]
    assert again.total.events == 220
    assert open_store(output)[:].equals(directly(files))


def test_bad_files_are_skipped_on_request(tmp_path, files):
    files[2].write_bytes(b"root" + bytes(50))
    report = convert(files, tmp_path / "all.arrow", CELLS, skip_bad_files=True)
    assert [file.path for file in report.failed] == [str(files[2])]
    assert report.complete
    assert open_store(tmp_path / "all.arrow")[:].equals(directly([files[0], files[1], files[3]]))


def test_nothing_is_left_if_no_file_is_good(tmp_path, files):
    for path in files[:2]:
        path.write_bytes(b"PK")
    with pytest.raises(ConversionError, match=r"2 of 2 files .*nothing was written"):
        convert(files[:2], tmp_path / "all.arrow", CELLS, skip_bad_files=True)
    with pytest.raises(ConversionError, match=r"^.*in0\.root: not a ROOT file[^;]*$"):
        convert(files[:1], tmp_path / "all.arrow", CELLS)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("all")]


def test_a_file_that_changed_is_converted_again(tmp_path, files):
    content = files[3].read_bytes()
    files[3].write_bytes(content[:500])
    with pytest.raises(ConversionError):
        convert(files, tmp_path / "all.arrow", CELLS)
    files[3].write_bytes(content)
    write_tree(files[0], hgcal_branches(CELLS, rows=[[1, 2]]))
    report = convert(files, tmp_path / "all.arrow", CELLS)
    assert [file.status for file in report.files] == ["converted", "resumed", "resumed", "converted"]
    assert open_store(tmp_path / "all.arrow")[:].equals(directly(files))


def test_parts_made_with_other_options_are_not_mixed_in(tmp_path, files):
    content = files[3].read_bytes()
    files[3].write_bytes(content[:500])
    with pytest.raises(ConversionError):
        convert(files, tmp_path / "all.arrow", CELLS)
    files[3].write_bytes(content)
    with pytest.raises(OutputError, match="other inputs or settings"):
        convert(files, tmp_path / "all.arrow", CELLS, options=RootOptions(rules=InputRules(merge=True)))
    # step and threads change nothing but speed
    report = convert(files, tmp_path / "all.arrow", CELLS, options=RootOptions(step="1 kB", threads=1))
    assert [file.status for file in report.files] == ["resumed", "resumed", "resumed", "converted"]


def test_an_existing_store_is_not_overwritten(tmp_path, files):
    output = tmp_path / "all.arrow"
    output.write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        convert(files, output, CELLS)
    assert output.read_text() == "mine"
    convert(files, output, CELLS, overwrite=True)
    assert len(open_store(output)) == 220


def test_processes_give_the_same_bytes_and_name_bad_files(tmp_path, files):
    convert(files, tmp_path / "one.arrow", CELLS)
    report = convert(files, tmp_path / "two.arrow", CELLS, jobs=2)
    assert (tmp_path / "one.arrow").read_bytes() == (tmp_path / "two.arrow").read_bytes()
    assert [file.path for file in report.files] == [str(path) for path in files]
    files[0].write_bytes(b"root" + bytes(50))
    with pytest.raises(ConversionError, match=r"in0\.root"):
        convert(files, tmp_path / "three.arrow", CELLS, jobs=2)


def test_a_dask_cluster_gives_the_same_bytes(tmp_path, files):
    distributed = pytest.importorskip("distributed")
    convert(files, tmp_path / "one.arrow", CELLS)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        convert(files, tmp_path / "dask.arrow", CELLS, cluster=client)
        files[0].write_bytes(b"root" + bytes(50))
        with pytest.raises(ConversionError, match=r"in0\.root"):
            convert(files, tmp_path / "other.arrow", CELLS, cluster=cluster.scheduler_address)
    assert (tmp_path / "one.arrow").read_bytes() == (tmp_path / "dask.arrow").read_bytes()


def test_without_dask_the_extra_is_named(tmp_path, files, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"hgcal-gnn\[dask\]"):
        convert(files, tmp_path / "a.arrow", CELLS, cluster="tcp://nowhere:1")


def test_a_full_disk_ends_the_conversion_and_keeps_finished_parts(tmp_path, files, monkeypatch):
    write = BatchWriter.write
    written = []

    def fill_up(self, showers):
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(len(showers))
        write(self, showers)

    monkeypatch.setattr(BatchWriter, "write", fill_up)
    with pytest.raises(OutputError, match="no space left on the disk"):
        convert(files, tmp_path / "all.arrow", CELLS)
    parts = sorted(path.name for path in (tmp_path / "all.arrow.parts").glob("*"))
    assert parts == ["manifest.json", "part-00000.arrow", "part-00000.json", "part-00001.arrow", "part-00001.json"]
    monkeypatch.undo()
    report = convert(files, tmp_path / "all.arrow", CELLS)
    assert [file.status for file in report.files] == ["resumed", "resumed", "converted", "converted"]


def test_ctrl_c_leaves_a_conversion_that_goes_on(tmp_path, files, monkeypatch):
    convert_part = convert_jobs.convert_part

    def interrupted(work, number, *rest):
        if number == 2:
            raise KeyboardInterrupt
        return convert_part(work, number, *rest)

    monkeypatch.setattr(convert_jobs, "convert_part", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(files, tmp_path / "all.arrow", CELLS)
    monkeypatch.undo()
    report = convert(files, tmp_path / "all.arrow", CELLS)
    assert [file.status for file in report.files] == ["resumed", "resumed", "converted", "converted"]
    assert open_store(tmp_path / "all.arrow")[:].equals(directly(files))


SLOW_RUN = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from hgcal_gnn.showers.convert import jobs as convert_jobs
from hgcal_gnn.showers.convert import convert
from tests.showers.made_root import toy_cells
iterate = convert_jobs.iterate_showers
def slowly(path, *rest):
    if "in0" not in path and "in1" not in path:
        Path({ready!r}).touch()
        time.sleep(60)
    yield from iterate(path, *rest)
convert_jobs.iterate_showers = slowly
convert([{pattern!r}], {output!r}, toy_cells())
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_conversion_goes_on_where_it_stopped(tmp_path, files, how):
    ready, output = tmp_path / "ready", tmp_path / "all.arrow"
    root = os.fspath(__import__("pathlib").Path(__file__).parents[2])
    script = SLOW_RUN.format(root=root, ready=str(ready), pattern=str(tmp_path / "in*.root"), output=str(output))
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    assert ready.exists(), errors.decode()
    assert process.returncode != 0
    report = convert([tmp_path / "in*.root"], output, CELLS)
    assert [file.status for file in report.files] == ["resumed", "resumed", "converted", "converted"]
    assert open_store(output)[:].equals(directly(files))


def test_stores_become_root_files_and_stores_again(tmp_path, files):
    convert(files, tmp_path / "a.arrow", CELLS)
    convert([tmp_path / "a.arrow"], tmp_path / "b.root", CELLS)
    convert([tmp_path / "b.root"], tmp_path / "c.arrow", CELLS)
    before, after = open_store(tmp_path / "a.arrow")[:], open_store(tmp_path / "c.arrow")[:]
    assert after.equals(before)
    with pytest.raises(InputError, match="another geometry"):
        convert([tmp_path / "a.arrow"], tmp_path / "d.root", CELLS.select(slice(0, 30)))
    assert not (tmp_path / "d.root").exists()


def test_inputs_are_files_patterns_or_addresses(tmp_path, files):
    assert expand_inputs([files[2], tmp_path / "in*.root"]) == [str(files[i]) for i in (2, 0, 1, 3)]
    assert expand_inputs(["root://eos//a/b.root"]) == ["root://eos//a/b.root"]
    with pytest.raises(InputError, match=r"none\*\.root: no file matches"):
        expand_inputs([tmp_path / "none*.root"])
    with pytest.raises(InputError, match=r"none\.root: no such file"):
        expand_inputs([tmp_path / "none.root"])
    with pytest.raises(UsageError, match="no input files"):
        expand_inputs([])
    with pytest.raises(UsageError, match=r"a\.csv: no kind of shower file is called \.csv; known are \.root"):
        kind_of("a.csv")
