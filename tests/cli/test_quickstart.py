"""quickstart: the whole story in little, interrupted, repeated, and without the packages of networks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from hgcal_gnn.cli import quickstart
from hgcal_gnn.cli.quickstart import data
from hgcal_gnn.cli.quickstart.diary import Diary
from hgcal_gnn.cli.quickstart.plan import FULL, GENERATORS, REGRESSORS, TINY, Files, settings_text
from hgcal_gnn.config.any_run import check_run
from hgcal_gnn.errors import OutputError, UsageError
from hgcal_gnn.showers.store import open_store


def test_the_whole_story_interrupted_and_gone_on_with(run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    simulate = data._simulate
    monkeypatch.setattr(data, "_simulate", interrupted)
    outcome = run("quickstart", "--tiny", "-o", "first")
    assert outcome.code == 130
    assert "The same command goes on" in outcome.err
    files = Files(Path("first"))
    built = files.graph.stat().st_mtime_ns
    files.table.unlink()

    monkeypatch.setattr(data, "_simulate", simulate)
    outcome = run("quickstart", "--tiny", "-o", "first")
    assert outcome.code == 0, outcome.err
    assert files.graph.stat().st_mtime_ns == built
    assert outcome.out.count("done already") == 1  # the graph; what is missing is made again
    told = {path.name for paths in files.contents().values() for path in paths}
    assert {path.name for path in files.folder.iterdir()} == told
    assert set(json.loads(files.diary.read_text())["steps"]) == {step.name for step in quickstart.STEPS}
    for name in GENERATORS:  # one shower for each photon of the test
        ours, theirs = (open_store(files.showers(key)).column("incident_energy")[:] for key in (name, "photons_test"))
        np.testing.assert_array_equal(ours, theirs)
    assert set(json.loads(files.metrics.read_text())["samples"]) >= set(GENERATORS)
    _check_page(files.report.read_text(encoding="utf-8"))
    for command in re.findall(r"^ +hgcal-gnn ([a-z-]+)", outcome.out, re.MULTILINE):
        assert run(command, "--help").code == 0

    written = files.report.stat().st_mtime_ns
    outcome = run("quickstart", "--tiny", "-o", "first")
    assert outcome.out.count("done already") == len(quickstart.STEPS)
    assert files.report.stat().st_mtime_ns == written


def _check_page(page: str) -> None:
    """A page that needs no other file, with a section for each part of the story."""
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert re.findall(r'<section id="([a-z]+)">', page) == ["detector", "showers", "energy", "generators", "next"]
    assert page.count("<svg ") >= 10
    for name in (*REGRESSORS, *GENERATORS):
        assert name in page


def test_networks_are_left_out_and_said_so_where_packages_are_missing(run, monkeypatch):
    monkeypatch.setattr(quickstart, "can_train", lambda: False)
    outcome = run("quickstart", "--tiny")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("hgcal-gnn[torch]") == 3
    page = Path("quickstart/report.html").read_text(encoding="utf-8")
    assert re.findall(r'<section id="([a-z]+)">', page) == ["detector", "showers", "next"]
    assert "hgcal-gnn train" not in outcome.out  # there are no settings to train


@pytest.mark.parametrize("size", [FULL, TINY], ids=lambda size: size.name)
@pytest.mark.parametrize("name", [*REGRESSORS, *GENERATORS])
def test_settings_are_valid(name, size):
    check_run(yaml.safe_load(settings_text(name, Path("folder"), size)), name)


def test_a_folder_of_something_else_is_refused(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for arguments in ((), ("--overwrite",)):
        outcome = run("quickstart", "--tiny", "-o", "mine", *arguments)
        assert outcome.code == 1
        assert "not empty" in outcome.err
    assert (tmp_path / "mine" / "notes.txt").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file: cannot be made a folder"):
        Diary.open(Files(tmp_path / "file"), "tiny", overwrite=False)


def test_overwriting_removes_what_quickstart_wrote_and_nothing_else(tmp_path):
    files = Files(tmp_path / "folder")
    diary = Diary.open(files, "tiny", overwrite=False)
    with diary.step("geometry"):
        files.table.write_text("cells")
    (files.folder / "notes.txt").write_text("mine")
    assert Diary.open(files, "tiny", overwrite=False).is_done("geometry")
    with pytest.raises(UsageError, match=r"another size \(tiny, now full\).*--overwrite"):
        Diary.open(files, "full", overwrite=False)
    assert not Diary.open(files, "full", overwrite=True).is_done("geometry")
    assert {path.name for path in files.folder.iterdir()} == {"notes.txt", "quickstart.json"}


def test_a_step_that_fails_is_not_done_and_its_time_adds_up(tmp_path):
    files = Files(tmp_path)
    diary = Diary.open(files, "tiny", overwrite=False)
    diary.content["steps"]["graph"] = {"done": False, "seconds": 5.0, "cpu_seconds": 4.0}
    with pytest.raises(ValueError, match="broken"), diary.step("graph"):
        raise ValueError("broken")  # noqa: EM101
    again = Diary.open(files, "tiny", overwrite=False)
    assert not again.is_done("graph")
    assert again.times["graph"].seconds >= 5.0
