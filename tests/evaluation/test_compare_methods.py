"""Methods on the same showers: ratios, their errors, and which runs may be compared at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation.compare_methods import compare_methods
from hgcal_gnn.evaluation.run_folders import check_same_showers, group_runs, read_run
from hgcal_gnn.evaluation.text import duration, markdown_table, with_error
from tests.evaluation.run_folders import make_run

BEAMS = np.repeat([20.0, 100.0], 800)
COMMON = np.random.default_rng(0).normal(size=len(BEAMS))


def prediction(width, own=0.0, seed=1):
    """Fluctuations common to all methods, and their own."""
    return BEAMS * (1 + width * COMMON + own * np.random.default_rng(seed).normal(size=len(BEAMS)))


def test_what_two_methods_share_cancels_in_the_ratio():
    comparison = compare_methods(BEAMS, {"sum": [prediction(0.1)], "half": [prediction(0.05)]})
    half = comparison.ratios["half"]
    assert comparison.baseline == "sum"
    assert half.value == pytest.approx([0.5, 0.5], rel=0.01)  # exact but for the median they are divided by
    assert (half.error < 0.1 * comparison.tables["half"].resolution.error / 0.1).all()
    assert (half.significance > 50).all()
    assert half.overall == pytest.approx(np.sqrt(half.value.prod()))
    alone = comparison.ratios["sum"]
    assert alone.value.tolist() == [1, 1]
    assert alone.error.tolist() == [0, 0]
    assert np.isnan(alone.significance).all()


def test_the_significance_of_nothing_is_that_of_chance():
    found = []
    for seed in range(80):
        common, *own = np.random.default_rng(seed).normal(size=(3, len(BEAMS)))
        pair = {str(k): [BEAMS * (1 + 0.08 * common + 0.06 * noise)] for k, noise in enumerate(own)}
        found.append(compare_methods(BEAMS, pair, replicas=100).ratios["1"].overall_significance)
    assert np.std(found) == pytest.approx(1, abs=0.3)


def test_seeds_that_differ_make_the_error_larger():
    steady = [prediction(0.05)] * 3
    unsteady = [prediction(width) for width in (0.04, 0.05, 0.06)]
    comparison = compare_methods(BEAMS, {"sum": [prediction(0.1)], "steady": steady, "unsteady": unsteady})
    assert comparison.tables["unsteady"].n_seeds == 3
    assert comparison.ratios["steady"].overall_error < 0.01
    # standard error of three values 20 % apart
    assert comparison.ratios["unsteady"].overall_error == pytest.approx(0.5 * 0.2 / np.sqrt(3), rel=0.1)


def test_a_shower_one_method_fails_on_is_left_out_for_all():
    broken = prediction(0.05)
    broken[:10] = np.nan
    comparison = compare_methods(BEAMS, {"sum": [prediction(0.1)], "broken": [broken]})
    assert comparison.tables["sum"].n[0] == 790
    assert comparison.tables["broken"].dropped.not_finite == 10
    assert comparison.tables["sum"].dropped.not_finite == 0


def test_a_perfect_method_has_no_ratio():
    comparison = compare_methods(BEAMS, {"sum": [prediction(0.1)], "perfect": [BEAMS]})
    assert np.isnan(comparison.ratios["perfect"].overall)
    content = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert content["methods"]["perfect"]["overall"] == {"ratio": None, "error": None, "significance": None}
    assert content["methods"]["perfect"]["bins"][0]["ratio"] is None


def test_comparisons_that_make_no_sense():
    with pytest.raises(UsageError, match="no predictions of any method"):
        compare_methods(BEAMS, {})
    with pytest.raises(UsageError, match="no predictions of gcn"):
        compare_methods(BEAMS, {"sum": [BEAMS], "gcn": []})
    with pytest.raises(UsageError, match="unknown baseline 'gat': the methods are sum"):
        compare_methods(BEAMS, {"sum": [BEAMS]}, baseline="gat")


def test_runs_are_grouped_by_their_settings(tmp_path):
    settings = [
        ("sum", 0, {}), ("gcn", 0, {"edges": "cells"}), ("gcn", 1, {"edges": "knn"}), ("gcn", 1, {"edges": "cells"})
    ]  # fmt: skip
    runs = [
        read_run(make_run(tmp_path / str(k), kind, BEAMS, BEAMS, seed=seed, device=("cpu", "cuda")[k % 2], **model))
        for k, (kind, seed, model) in enumerate(settings)
    ]
    groups = group_runs(runs)
    assert {name: [run.folder.name for run in members] for name, members in groups.items()} == {
        "sum": ["0"], "gcn edges=cells": ["1", "3"], "gcn edges=knn": ["2"]
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"1 and .*1: the same settings and seed 0"):
        group_runs([*runs, runs[1]])


def test_folders_named_as_training_does_give_their_names(tmp_path):
    settings = [("sums", 0, {}), ("fine", 0, {"hidden": 64}), ("fine", 1, {"hidden": 64}), ("coarse", 1, {"hidden": 8})]
    runs = [
        read_run(make_run(tmp_path / f"{name}-{seed}", "gcn", BEAMS, BEAMS, seed=seed, **model))
        for name, seed, model in settings
    ]
    assert {name: len(members) for name, members in group_runs(runs).items()} == {"sums": 1, "fine": 2, "coarse": 1}
    twin = read_run(make_run(tmp_path / "again" / "fine-0", "gcn", BEAMS, BEAMS, hidden=32))
    assert list(group_runs([*runs[1:3], twin])) == ["gcn hidden=64", "gcn hidden=32"]


def test_many_differences_are_named_by_the_folder(tmp_path):
    models = ({"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 2, "b": 2, "c": 2, "d": 2})
    runs = [
        read_run(make_run(tmp_path / name, "gcn", BEAMS, BEAMS, **model))
        for name, model in zip("xy", models, strict=True)
    ]
    assert list(group_runs(runs)) == ["x", "y"]


def test_showers_in_another_order_are_the_same(tmp_path):
    order = np.random.default_rng(2).permutation(len(BEAMS))
    energy = np.linspace(10, 20, len(BEAMS))
    first = read_run(make_run(tmp_path / "a", "sum", energy, energy))
    mixed = read_run(make_run(tmp_path / "b", "gcn", energy[order], 2 * energy[order], row=order, test_sha256=None))
    check_same_showers([first, mixed])
    assert mixed.prediction == pytest.approx(2 * first.prediction)


def test_runs_tested_on_other_showers_are_refused(tmp_path):
    first = read_run(make_run(tmp_path / "first", "sum", BEAMS, BEAMS))
    others = {
        "800 and": make_run(tmp_path / "few", "gcn", BEAMS[:800], BEAMS[:800], test_sha256="other"),
        "1600 of 1600 true energies differ, the first: row 0 of 20 GeV and row 0 of 21 GeV": make_run(
            tmp_path / "energies", "gcn", BEAMS + 1, BEAMS, test_sha256=None
        ),
        "the hashes of the samples differ": make_run(tmp_path / "hash", "gcn", BEAMS, BEAMS, test_sha256="other"),
    }
    for message, folder in others.items():
        reason = message if "800" not in message else "1600 and 800 showers"
        with pytest.raises(InputError, match=f"not tested on the same showers .*{reason}"):
            check_same_showers([first, read_run(folder)])


def test_folders_that_are_no_finished_runs(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_run(tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"no run folder: it has no config\.yaml"):
        read_run(tmp_path / "other")
    run = make_run(tmp_path / "run", "gcn", BEAMS, BEAMS)
    (run / "metrics.json").write_text("{")
    with pytest.raises(InputError, match=r"metrics\.json: cannot be read"):
        read_run(run)
    (run / "metrics.json").unlink()
    with pytest.raises(InputError, match=r"has no metrics\.json: its training has not finished"):
        read_run(run)
    (run / "metrics.json").write_text("{}")
    (run / "test_predictions.parquet").write_text("energy")
    with pytest.raises(InputError, match="is no Parquet file"):
        read_run(run)
    (run / "config.yaml").write_text("seed: 3")
    with pytest.raises(InputError, match=r"has no model\.kind"):
        read_run(run)


def test_numbers_as_text():
    assert with_error(12.345, 0.0678) == "12.345 ± 0.068"
    assert with_error(1234.5, 12.3) == "1234 ± 12"
    assert with_error(0.5, float("nan")) == "0.5"
    assert with_error(float("nan"), 1.0) == "-"
    assert [duration(seconds) for seconds in (42, 600, 9000)] == ["42 s", "10.0 min", "2.5 h"]
    table = markdown_table(["a|b", "n"], [["x", "1"], ["longer", "23"]]).splitlines()
    assert table == ["| a\\|b   |   n |", "| ------ | --: |", "| x      |   1 |", "| longer |  23 |"]
