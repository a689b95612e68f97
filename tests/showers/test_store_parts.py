from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from made_showers import METADATA, make_showers

from hgcal_gnn.errors import InputError, OutputError
from hgcal_gnn.showers.showers import CHUNK, Showers
from hgcal_gnn.showers.store import open_store, write_showers
from hgcal_gnn.showers.store.writer import ShowerWriter, file_key, open_part

SIZES = (700, CHUNK + 10, 0, 300)
KEYS = [f"input {number}" for number in range(len(SIZES))]


def input_of(number: int) -> Showers:
    return make_showers(SIZES[number], seed=number)


def write_parts(path: Path, numbers: list[int], *, overwrite: bool = False) -> ShowerWriter:
    writer = ShowerWriter(path, KEYS, METADATA, overwrite=overwrite)
    for number in numbers:
        with writer.part(number) as part:
            for showers in input_of(number).chunks(250):
                part.write(showers)
            part.report["unknown_ids"] = number
    return writer


@pytest.fixture
def whole(tmp_path) -> bytes:
    """The bytes of all inputs written in one go."""
    write_showers(Showers.concatenate([input_of(number) for number in range(len(SIZES))]), tmp_path / "whole.arrow")
    content = (tmp_path / "whole.arrow").read_bytes()
    (tmp_path / "whole.arrow").unlink()
    return content


def test_parts_are_merged_in_the_order_of_the_inputs(tmp_path, whole):
    writer = write_parts(tmp_path / "all.arrow", [3, 1, 0, 2])
    assert writer.report(1) == {"n_showers": SIZES[1], "n_hits": len(input_of(1).cell), "unknown_ids": 1}
    writer.finish()
    assert (tmp_path / "all.arrow").read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["all.arrow"]


def test_a_single_part_gives_the_same_file_as_writing_directly(tmp_path):
    writer = ShowerWriter(tmp_path / "one.arrow", ["input"], METADATA)
    with writer.part(0) as part:
        part.write(make_showers(CHUNK + 5))
    writer.finish()
    write_showers(make_showers(CHUNK + 5), tmp_path / "direct.arrow")
    assert (tmp_path / "one.arrow").read_bytes() == (tmp_path / "direct.arrow").read_bytes()
    assert not (tmp_path / "one.arrow.parts").exists()


def test_finished_parts_are_found_again(tmp_path, whole):
    write_parts(tmp_path / "all.arrow", [0, 2])
    again = ShowerWriter(tmp_path / "all.arrow", KEYS, METADATA)
    assert again.unfinished == [1, 3]
    write_parts(tmp_path / "all.arrow", again.unfinished).finish()
    assert (tmp_path / "all.arrow").read_bytes() == whole


WRITE_SLOWLY = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from made_showers import METADATA
from hgcal_gnn.showers.store.writer import ShowerWriter
from test_store_parts import KEYS, SIZES, input_of
writer = ShowerWriter(sys.argv[2], KEYS, METADATA)
for number in range(len(SIZES)):
    with writer.part(number) as part:
        part.write(input_of(number))
        if number == 2:
            Path(sys.argv[3]).touch()
            time.sleep(60)
"""


def test_kill_in_the_middle_of_a_part_then_resume(tmp_path, whole):
    path, reached = tmp_path / "all.arrow", tmp_path / "reached"
    arguments = [sys.executable, "-c", WRITE_SLOWLY, str(Path(__file__).parent), str(path), str(reached)]
    process = subprocess.Popen(arguments)
    while not reached.exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not path.exists()
    folder = tmp_path / "all.arrow.parts"
    assert any(entry.name.startswith(".part-00002") for entry in folder.iterdir())

    writer = ShowerWriter(path, KEYS, METADATA)
    assert writer.unfinished == [2, 3]
    assert not any(entry.name.startswith(".part") for entry in folder.iterdir())
    write_parts(path, writer.unfinished).finish()
    assert path.read_bytes() == whole
    assert not folder.exists()


def test_an_error_inside_a_part_leaves_the_others(tmp_path):
    writer = write_parts(tmp_path / "all.arrow", [0])

    def interrupted() -> None:
        with writer.part(1) as part:
            part.write(input_of(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert writer.unfinished == [1, 2, 3]
    with pytest.raises(OutputError, match="3 of 4 parts are not finished: input 1, input 2, input 3"):
        writer.finish()
    writer.finish(without_unfinished=True)
    assert open_store(tmp_path / "all.arrow").read(slice(None)).equals(input_of(0))


def test_a_changed_input_is_written_again(tmp_path):
    source = tmp_path / "input.root"
    source.write_bytes(b"one")
    before = file_key(source)
    source.write_bytes(b"other")
    assert file_key(source) != before
    write_parts(tmp_path / "all.arrow", [0, 1])
    with pytest.raises(OutputError, match=r"all\.arrow\.parts: holds finished parts of another conversion"):
        ShowerWriter(tmp_path / "all.arrow", [file_key(source), *KEYS[1:]], METADATA)
    with pytest.raises(OutputError, match="another conversion"):
        ShowerWriter(tmp_path / "all.arrow", KEYS, replace(METADATA, seed=8))
    anew = ShowerWriter(tmp_path / "all.arrow", KEYS, replace(METADATA, seed=8), overwrite=True)
    assert anew.unfinished == [0, 1, 2, 3]


def test_a_part_cut_short_counts_as_unfinished(tmp_path):
    write_parts(tmp_path / "all.arrow", [0, 1])
    data = tmp_path / "all.arrow.parts" / "part-00000.arrow"
    data.write_bytes(data.read_bytes()[:-1])
    record = tmp_path / "all.arrow.parts" / "part-00001.json"
    record.write_text(record.read_text()[:20])
    assert ShowerWriter(tmp_path / "all.arrow", KEYS, METADATA).unfinished == [0, 1, 2, 3]


def test_parts_written_by_other_processes(tmp_path, whole):
    writer = write_parts(tmp_path / "all.arrow", [0, 1, 3])
    with open_part(writer.folder, 2, KEYS[2], METADATA) as part:
        part.write(input_of(2))
    writer.finish()
    assert (tmp_path / "all.arrow").read_bytes() == whole


def test_an_existing_store_is_refused_before_any_work(tmp_path):
    write_showers(make_showers(2), tmp_path / "all.arrow")
    with pytest.raises(OutputError, match="exists already"):
        ShowerWriter(tmp_path / "all.arrow", KEYS, METADATA)
    assert not (tmp_path / "all.arrow.parts").exists()
    write_parts(tmp_path / "all.arrow", [0, 1, 2, 3], overwrite=True).finish()
    assert len(open_store(tmp_path / "all.arrow")) == sum(SIZES)


def test_files_of_others_in_the_folder_are_kept(tmp_path):
    folder = tmp_path / "all.arrow.parts"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    write_parts(tmp_path / "all.arrow", [0, 1, 2, 3]).finish()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_the_manifest_says_what_the_parts_are(tmp_path):
    write_parts(tmp_path / "all.arrow", [0])
    manifest = json.loads((tmp_path / "all.arrow.parts" / "manifest.json").read_text())
    assert manifest["parts"] == KEYS
    assert manifest["metadata"]["cells_sha256"] == METADATA.cells_sha256


def test_a_part_that_turned_unreadable_is_named_and_nothing_is_lost(tmp_path):
    writer = write_parts(tmp_path / "all.arrow", [0, 1, 2, 3])
    data = writer.folder / "part-00001.arrow"
    data.write_bytes(bytes(data.stat().st_size))
    with pytest.raises(InputError, match=r"part-00001\.arrow: no readable Arrow file"):
        writer.finish()
    assert not (tmp_path / "all.arrow").exists()
    assert writer.report(0) is not None
