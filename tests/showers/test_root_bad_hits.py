"""Hits and files that cannot be used: counted and named, refused or dropped as asked, never lost in silence."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hgcal_gnn.errors import GeometryMismatchError, InputError
from hgcal_gnn.showers.file_report import FileReport
from hgcal_gnn.showers.input_rules import InputRules
from hgcal_gnn.showers.root import RootOptions, iterate_root
from hgcal_gnn.showers.root.write import write_root
from hgcal_gnn.showers.showers import Showers
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree

CELLS = toy_cells()


def read(path, report=None, cells=CELLS, **options) -> Showers:
    return Showers.concatenate(list(iterate_root(path, cells, RootOptions(**options), report)))


def with_energies(tmp_path, energies):
    branches = hgcal_branches(CELLS, rows=[[0, 1], [2], [3, 4]])
    branches["simHit_E"] = ak.Array(energies)
    return write_tree(tmp_path / "a.root", branches)


@pytest.mark.parametrize(
    ("bad", "reason", "rule"),
    [
        (np.nan, "NaN or infinite", "not_finite"),
        (np.inf, "NaN or infinite", "not_finite"),
        (-2.0, "negative", "negative"),
    ],
)
def test_impossible_energies(tmp_path, bad, reason, rule):
    path = with_energies(tmp_path, [[1.0, 2.0], [bad], [4.0, bad]])
    with pytest.raises(
        InputError, match=rf"a\.root: 2 of 5 hits in 2 of 3 events.*{reason}.*first in events 1, 2.*{rule}"
    ):
        read(path)
    report = FileReport("")
    dropped = read(path, report, rules=InputRules(**{rule: "drop"}))
    assert dropped.energy.tolist() == [1, 2, 4]
    assert dropped.n_hits.tolist() == [2, 0, 1]
    finding = report.findings[f"energy {reason}"]
    assert (finding.count, finding.action) == (2, "dropped")
    assert report.energy == 7
    kept = read(path, rules=InputRules(**{rule: "keep"}))
    assert kept.n_hits.tolist() == [2, 1, 2]


def test_events_without_hits(tmp_path):
    path = write_tree(tmp_path / "a.root", hgcal_branches(CELLS))
    assert read(path).n_hits.tolist() == [3, 1, 0, 2]
    report = FileReport("")
    assert read(path, report, rules=InputRules(empty="drop")).incident_energy.tolist() == [10, 20, 40]
    assert report.findings["event without hits"].action == "dropped"
    with pytest.raises(InputError, match=r"event without hits: 1 of 4 .*first 2 .*empty"):
        read(path, rules=InputRules(empty="refuse"))


def test_no_events_at_all(tmp_path):
    branches = {name: values[:0] for name, values in hgcal_branches(CELLS).items()}
    report = FileReport("")
    assert list(iterate_root(write_tree(tmp_path / "a.root", branches), CELLS, report=report)) == []
    assert report.events == 0


def test_ids_outside_the_geometry_are_counted_by_subdetector_and_layer(tmp_path):
    path = write_tree(tmp_path / "a.root", hgcal_branches(CELLS))
    fewer = CELLS.select(~np.isin(np.arange(40), [5, 7, 39]))
    # rows 5 and 7 are CE-E layers 2 and 3 of the side -1, row 39 the last tile of layer 5
    where = "CE-E layer 2: 1, CE-E layer 3: 1, CE-H scintillator layer 5: 1"
    with pytest.raises(InputError, match=rf"3 of 6 hits in 2 of 4 events.*{where}.*unknown='drop'"):
        read(path, cells=fewer)
    report = FileReport("")
    showers = read(path, report, cells=fewer, rules=InputRules(unknown="drop"))
    assert showers.n_hits.tolist() == [1, 1, 0, 1]
    assert [(item.subdetector, item.layer, item.hits) for item in report.unknown_cells] == [
        ("CE-E", 2, 1),
        ("CE-E", 3, 1),
        ("CE-H scintillator", 5, 1),
    ]
    finding = report.findings["cell id not in the geometry"]
    assert (finding.count, finding.energy) == (3, (2 + 3 + 6) / 1024)


def test_a_file_of_which_no_cell_is_known_is_refused_even_if_hits_may_be_dropped(tmp_path):
    path = write_tree(tmp_path / "a.root", hgcal_branches(CELLS, rows=[[39], [38]]))
    with pytest.raises(InputError, match="all 2 hits lie in cells the geometry does not hold"):
        read(path, cells=CELLS.select(slice(0, 20)), rules=InputRules(unknown="drop"))


def test_a_file_written_with_another_geometry_is_refused_unless_forced(tmp_path):
    path = tmp_path / "a.root"
    showers = read(write_tree(tmp_path / "b.root", hgcal_branches(CELLS, rows=[[1, 2]])))
    write_root(showers, path, CELLS)
    other = CELLS.select(slice(0, 30))
    with pytest.raises(GeometryMismatchError, match=r"a\.root: made with another geometry"):
        read(path, cells=other)
    assert read(path, cells=other, force_geometry=True).cell.tolist() == [1, 2]


@pytest.fixture
def whole_file(tmp_path):
    random = np.random.default_rng(3)
    rows = [random.integers(0, 40, 30).tolist() for _ in range(200)]
    return write_tree(tmp_path / "whole.root", hgcal_branches(CELLS, rows=rows))


def test_a_truncated_file_says_how_much_is_there(tmp_path, whole_file):
    content = whole_file.read_bytes()
    path = tmp_path / "cut.root"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=rf"cut\.root: truncated, {len(content) // 2} of {len(content)} bytes"):
        read(path)


def test_damaged_bytes_in_the_middle_are_an_error_that_names_file_and_event(tmp_path, whole_file):
    content = bytearray(whole_file.read_bytes())
    start = content.index(b"simHit_E", 300)  # in front of the compressed values of that branch
    content[start + 40 : start + 400] = bytes(360)
    path = tmp_path / "hurt.root"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"hurt\.root: the tree from event 0 on cannot be read .*truncated or damaged"):
        read(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "empty"), (b"PK\x03\x04 no root file at all", "not a ROOT file"), (b"root", "not a ROOT file")],
)
def test_other_files_are_told_apart(tmp_path, content, problem):
    path = tmp_path / "other.root"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"other\.root: .*{problem}"):
        read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.root: no such file"):
        read(tmp_path / "gone.root")


def test_whatever_is_damaged_the_error_is_ours(tmp_path, whole_file):
    random = np.random.default_rng(11)
    content = whole_file.read_bytes()
    messages = []
    for _ in range(60):
        hurt = bytearray(content)
        start, length = random.integers(0, len(content) - 64), random.integers(1, 64)
        hurt[start : start + length] = random.bytes(length)
        path = tmp_path / "hurt.root"
        path.write_bytes(hurt)
        try:
            read(path)  # bytes that are not read, or values that look right
        except InputError as error:
            messages.append(str(error))
    assert 10 < len(messages) < 60
    assert all("hurt.root" in message for message in messages)
