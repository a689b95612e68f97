"""compare, as a user types it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from tests.evaluation.run_folders import make_run

BEAMS = np.repeat([20.0, 50.0, 100.0, 300.0], 300)
FILES = {"comparison.json", "comparison.csv", "comparison.md", "resolution.png", "linearity.png"}


def prediction(width, seed):
    return BEAMS * (1 + width / np.sqrt(BEAMS / 50) * np.random.default_rng(seed).normal(size=len(BEAMS)))


@pytest.fixture
def runs(tmp_path):
    make_run(tmp_path / "sum", "sum", BEAMS, prediction(0.2, 0))
    for seed in range(3):
        make_run(tmp_path / f"gcn-{seed}", "gcn", BEAMS, prediction(0.15, 1 + seed), seed=seed, hidden=64)
    return ("sum", "gcn-0", "gcn-1", "gcn-2")


def test_tables_and_pictures(run, runs, tmp_path):
    shown = run("compare", *runs, "-o", "comparison")
    assert shown.code == 0, shown.err
    folder = tmp_path / "comparison"
    assert {path.name for path in folder.iterdir()} == FILES
    table = (folder / "comparison.md").read_text()
    assert table in shown.out
    assert "| gcn    |     3 |     12,345 |  1.5 min | 2 CPU cores |" in table
    assert "beam test, MIP in CE-E" in table  # the showers are simulated pions
    assert "| 50 GeV      |     300 |" in table
    assert "one seed only of sum" in table
    for name in ("resolution.png", "linearity.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_many_methods_stand_below_each_other(run, tmp_path):
    kinds = ("sum", "dnn", "gcn", "gat", "bdt")
    for seed, kind in enumerate(kinds):
        make_run(tmp_path / kind, kind, BEAMS, prediction(0.2, seed), particle="photon")
    shown = run("compare", *kinds, "-o", "comparison")
    assert shown.code == 0, shown.err
    lines = ["".join(line.split()) for line in shown.out.splitlines()]
    assert "|trueenergy|20GeV|50GeV|100GeV|300GeV|" in lines
    assert "|showers|300|300|300|300|" in lines
    assert "HGCal challenge, energy sum (published)" in shown.out


def test_tables_for_machines(run, runs, tmp_path):
    shown = run("compare", *runs, "-o", "comparison", "--json", "--bins", "10,70,500", "--particle", "none")
    assert shown.code == 0, shown.err
    content = json.loads(shown.out)
    assert content == json.loads((tmp_path / "comparison" / "comparison.json").read_text())
    assert set(content) == {"showers", "baseline", "methods", "published"}
    assert content["baseline"] == "sum"
    assert content["published"] == []
    gcn = content["methods"]["gcn"]
    assert gcn["seeds"] == 3
    assert [entry["seed"] for entry in gcn["runs"]] == [0, 1, 2]
    assert gcn["overall"]["ratio"] == pytest.approx(0.75, abs=5 * gcn["overall"]["error"])
    assert gcn["overall"]["significance"] > 2
    assert gcn["fit"]["note"] == "2 points: no noise term b fitted"
    rows = list(csv.DictReader((tmp_path / "comparison" / "comparison.csv").read_text().splitlines()))
    assert [(row["method"], float(row["low"])) for row in rows] == [("sum", 10), ("sum", 70), ("gcn", 10), ("gcn", 70)]
    assert float(rows[2]["resolution"]) == gcn["bins"][0]["resolution"]


def test_predictions_that_hardly_follow_the_energy_are_told(run, tmp_path):
    make_run(tmp_path / "sum", "sum", BEAMS, prediction(0.2, 0))
    make_run(tmp_path / "flat", "gcn", BEAMS, 100 + 0.1 * prediction(0.2, 1))
    shown = run("compare", "sum", "flat", "-o", "comparison")
    assert "gcn: bias of up to 410 %" in shown.out  # 102 GeV for 20 GeV
    assert "sum: bias" not in shown.out


def test_another_baseline(run, runs):
    shown = run("compare", *runs, "-o", "comparison", "--baseline", "gcn")
    assert shown.code == 0, shown.err
    assert "Resolution over that of gcn" in shown.out
    assert "| true energy | showers |          gcn |" in shown.out  # first, as in the pictures


def test_one_run_alone(run, runs):
    shown = run("compare", runs[0], "-o", "alone", "--bins", "10,500")
    assert shown.code == 0, shown.err
    assert "Resolution over that of" not in shown.out


def test_nothing_is_overwritten_unasked(run, runs):
    assert run("compare", *runs, "-o", "comparison").code == 0
    again = run("compare", *runs, "-o", "comparison")
    assert again.code == 1
    assert "exists already" in again.err
    assert run("compare", *runs, "-o", "comparison", "--overwrite").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("sum", "gcn-0", "--bins", "20"), 2, "two or more ascending energies in GeV as --bins 10,20,50"),
        (("sum", "gcn-0", "--bins", "20,ten"), 2, "two or more ascending energies in GeV as --bins 10,20,50"),
        (("sum", "gcn-0", "--particle", "tau"), 2, "--particle tau: there are none, photon"),
        (("sum", "sum"), 2, "the same settings and seed 0"),
        (("sum", "gcn-0", "--baseline", "gat"), 2, "unknown baseline 'gat': the methods are sum, gcn"),
        (("sum", "nothing"), 1, "nothing: no such folder"),
        (("sum", "other"), 1, "not tested on the same showers (1200 and 100 showers)"),
        (("sum", "gcn-0", "--bins", "1000,2000"), 1, "none of 1200 showers can be judged"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_mistakes_are_named_and_nothing_is_written(run, tmp_path, arguments, code, message):
    make_run(tmp_path / "other", "gcn", BEAMS[:100], BEAMS[:100], test_sha256="xyz")
    failed = run("compare", *arguments, "-o", "comparison")
    assert failed.code == code
    assert message in failed.err
    assert not (tmp_path / "comparison").exists()


def test_output_that_cannot_be(run, runs, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file; give a folder" in run("compare", *runs, "-o", "file").err
    assert "does not exist; create it first" in run("compare", *runs, "-o", "a/b").err
