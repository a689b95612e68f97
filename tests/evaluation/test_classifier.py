"""Classifier test: known separations, equal samples, calibration, cells and hits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.batching.voxels import VoxelTensors
from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.evaluation.auc import area_under_curve
from hgcal_gnn.evaluation.calibration_of_scores import (
    IsotonicCalibration,
    Reliability,
    WeightHistogram,
    class_weights,
    log_weights,
)
from hgcal_gnn.evaluation.classifier import classifier_test, classifier_test_on_cells, classifier_test_on_hits
from hgcal_gnn.evaluation.classifier_inputs import FeatureInputs
from hgcal_gnn.evaluation.classifier_training import ClassifierSettings, deal, score_out_of_fold
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import Showers

SMALL = ClassifierSettings(hidden=(32, 32), folds=3, epochs=6, batch_size=128)
SEPARATED = 0.7602  # normal distribution at d' / sqrt(2), d' = 1
TOY = "lcd25"


def normal(n, seed, shift=0.0):
    values = np.random.default_rng(seed).normal(size=(n, 2))
    values[:, 0] += shift
    return values


@pytest.mark.parametrize(("n", "m"), [(6000, 6000), (1500, 13500)])
def test_two_gaussians_give_the_area_of_the_formula_whatever_the_balance(n, m):
    found = classifier_test(normal(n, 1), normal(m, 2, 1.0), folds=3, epochs=6, settings=SMALL, floor=False)
    assert found.auc.value == pytest.approx(SEPARATED, abs=0.01)
    assert 0.003 < found.auc.error < 0.01
    assert found.auc.floor == 0.5
    assert found.calibration.mean_difference < 0.05
    # ln w = 1/2 - x: mean 1/2 in the reference, -1/2 in the generated sample; a calibration with few reference showers
    # is coarse at the ends
    weights = log_weights(found.probability)
    assert weights[:n].mean() == pytest.approx(0.5, abs=0.15 if n == m else 0.25)
    assert weights[n:].mean() == pytest.approx(-0.5, abs=0.15)


def test_equal_samples_give_one_half():
    found = classifier_test(normal(1500, 3), normal(900, 4), folds=3, epochs=3, settings=SMALL)
    assert abs(found.auc.significance) < 3
    assert abs(found.halves.significance) < 3
    assert found.auc.floor_error == pytest.approx(found.auc.error, rel=0.05)  # rank sum and DeLong agree


def test_a_sample_against_itself_gives_exactly_one_half():
    same = normal(600, 5)
    found = classifier_test(same, same, folds=3, epochs=2, settings=SMALL, floor=False)
    assert found.auc.value == 0.5  # else a network had seen the doubles of what it scores
    np.testing.assert_array_equal(found.probability[:600], found.probability[600:])


def test_the_same_seed_gives_the_same_scores_and_leaves_other_random_numbers_alone():
    samples = normal(200, 6), normal(200, 7, 0.5)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, two = (classifier_test(*samples, epochs=2, folds=3, settings=SMALL, floor=False) for _ in range(2))
    other = classifier_test(*samples, epochs=2, folds=3, settings=SMALL, floor=False, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(one.probability, two.probability)
    assert (one.probability != other.probability).any()


def test_missing_features_and_features_of_any_unit_are_taken():
    reference, generated = normal(900, 8), normal(900, 9, 1.0)
    reference, generated = (
        np.column_stack([1e6 * x[:, 0], x[:, 1] - 1e3, 0 * x[:, 0]]) for x in (reference, generated)
    )
    for values in (reference, generated):
        values[::10, 1] = np.nan
    found = classifier_test(reference, generated, folds=3, epochs=6, settings=SMALL, floor=False)
    assert found.auc.value == pytest.approx(SEPARATED, abs=0.04)


def test_learning_curve_rises_with_the_training_sample():
    samples = [np.random.default_rng(seed).normal(size=(1500, 20)) for seed in (10, 11)]
    samples[1][:, :4] += 0.4
    found = classifier_test(*samples, folds=3, epochs=5, settings=SMALL, floor=False, curve=(0.03, 1.0))
    curve = found.learning_curve
    np.testing.assert_array_equal(curve.sizes, [45, 1500])
    assert curve.auc[1] > curve.auc[0] + 2 * curve.error[0]
    assert curve.auc[1] == found.auc.value


def test_the_best_epoch_is_the_one_used():
    # labels say nothing: training longer only fits chance, so an early epoch is best and its scores say little
    inputs = FeatureInputs(*(np.random.default_rng(seed).normal(size=(100, 30)) for seed in (12, 13)))
    long = ClassifierSettings(hidden=(64,), folds=3, epochs=60, patience=60, batch_size=32, learning_rate=1e-2)
    scored = score_out_of_fold(inputs, long)
    assert (scored.best_epoch < 20).all()
    assert np.abs(scored.score).mean() < 2  # the last epoch is sure of itself


def test_every_shower_is_dealt_once_and_doubles_together():
    dealt = [deal(n, 5, np.random.default_rng(0)) for n in (103, 57)]
    np.testing.assert_array_equal(dealt[0][:57], dealt[1])
    assert np.ptp(np.bincount(dealt[0])) <= 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=30), st.lists(st.integers(-3, 3), min_size=2, max_size=30))
def test_area_is_the_share_of_pairs_in_order(high, low):
    scores = np.array(high + low, dtype=np.float64)
    positive = np.arange(len(scores)) < len(high)
    wins = np.subtract.outer(high, low)
    shares = (wins > 0) + 0.5 * (wins == 0)
    area, error = area_under_curve(scores, positive)
    assert area == pytest.approx(shares.mean())
    variance = shares.mean(axis=1).var(ddof=1) / len(high) + shares.mean(axis=0).var(ddof=1) / len(low)
    assert error == pytest.approx(np.sqrt(variance), abs=1e-12)


def test_calibration_gives_ascending_probabilities_that_are_shares():
    rng = np.random.default_rng(14)
    generated = rng.random(20_000) < 0.1  # calibrated for equal samples all the same
    scores = 3 * (rng.normal(size=len(generated)) + generated)  # three times too sure
    probability = IsotonicCalibration.fit(scores[::2], generated[::2])(scores[1::2])
    assert (np.diff(probability[np.argsort(scores[1::2])]) >= 0).all()
    assert 0 < probability.min() < probability.max() < 1
    assert Reliability.of(probability, generated[1::2]).mean_difference < 0.03
    sure = 1 / (1 + np.exp(-scores[1::2]))
    assert Reliability.of(sure, generated[1::2]).mean_difference > 0.1


def test_histograms_hold_every_shower_of_both_samples():
    probability = np.array([0.5, 0.5, 1e-6, 0.9, 0.9, 1 - 1e-6])
    generated = np.array([False, False, False, True, True, True])
    found = WeightHistogram.of(probability, generated, edges=np.array([-4.0, -1.0, 1.0, 4.0]))
    np.testing.assert_allclose(found.reference, [0, 2 / 3, 1 / 3])
    np.testing.assert_allclose(found.generated, [1, 0, 0])
    np.testing.assert_allclose(found.reference_error, [0, np.sqrt(2) / 3, 1 / 3])
    np.testing.assert_allclose(class_weights(generated[:4]), [2 / 3, 2 / 3, 2 / 3, 2])


@pytest.fixture(scope="module")
def toy():
    return build_graph(make_detector(TOY))[0], load_material(TOY)


def showers_in(graph, n, seed, spread):
    """Showers of 12 hits within `spread` voxels of the axis in the ECAL."""
    cells, rng = graph.cells, np.random.default_rng(seed)
    near = np.exp(-0.5 * (np.hypot(cells.y, cells.z) / spread) ** 2) * (cells.subdetector == 1)
    cell = np.concatenate([rng.choice(cells.n_cells, 12, replace=False, p=near / near.sum()) for _ in range(n)])
    columns = {
        "offsets": 12 * np.arange(n + 1),
        "cell": cell.astype(np.int32),
        "energy": rng.exponential(1e-3, len(cell)),
        "incident_energy": np.full(n, 10.0),
    }
    return Showers.from_columns(columns, metadata=ShowerMetadata(cells_sha256=cells.sha256))


@pytest.mark.parametrize("kind", ["cells", "hits"])
def test_cells_and_hits_tell_wider_showers_but_not_equal_ones(toy, kind):
    graph, material = toy
    quick = ClassifierSettings(hidden=(32,), folds=3, epochs=3, batch_size=50)

    def tested(*samples, **options):
        if kind == "cells":
            return classifier_test_on_cells(*samples, VoxelTensors(TOY), settings=quick, **options)
        return classifier_test_on_hits(*samples, graph, material, settings=quick, **options)

    reference = showers_in(graph, 300, 15, 1.0)
    wider = tested(reference, showers_in(graph, 150, 16, 3.0))
    assert wider.auc.value > 0.8
    assert abs(wider.halves.significance) < 3.5
    same = tested(reference, reference, floor=False)
    assert same.auc.value == pytest.approx(0.5, abs=1e-3)


def test_samples_that_cannot_be_tested_are_refused(toy):
    graph, material = toy
    showers = showers_in(graph, 120, 17, 1.0)
    with pytest.raises(InputError, match="99 showers are too few"):
        classifier_test(normal(200, 18), normal(99, 19))
    with pytest.raises(InputError, match="generated: 90 showers are too few"):
        classifier_test_on_hits(showers, showers[:90], graph, material)
    foreign = showers.replace(metadata=ShowerMetadata(cells_sha256="0" * 64))
    with pytest.raises(GeometryMismatchError, match="another geometry"):
        classifier_test_on_cells(showers, foreign, VoxelTensors(TOY))
    with pytest.raises(UsageError, match="at least 2 folds"):
        classifier_test(normal(200, 18), normal(200, 19), folds=1)
