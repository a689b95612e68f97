from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError
from hgcal_gnn.regression.calibration import ResponseCalibration


def energies(n=4000, low=5.0, high=500.0, seed=0):
    return np.exp(np.random.default_rng(seed).uniform(np.log(low), np.log(high), n))


def resolution(values, truth):
    """sigma_68 / median."""
    low, median, high = np.quantile(values / truth, [0.16, 0.5, 0.84])
    return (high - low) / 2 / median


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(0.2, 5), power=st.floats(0.5, 1.5))
def test_a_power_law_is_undone(scale, power):
    truth = energies()
    calibration = ResponseCalibration.fit(scale * truth**power, truth)
    inside = np.array([10.0, 77.0, 300.0])
    assert calibration(scale * inside**power) == pytest.approx(inside, rel=0.02)


def test_median_response_of_a_smeared_sample():
    random = np.random.default_rng(1)
    truth = energies(40_000)
    response = 0.8 + 0.02 * np.log(truth)  # rises with the energy as that of a calorimeter to hadrons
    noise = 1 + (0.5 / np.sqrt(truth) + 0.03) * random.normal(size=len(truth))
    calibration = ResponseCalibration.fit(truth * response * noise, truth)
    again = energies(40_000, seed=2)
    noise = 1 + (0.5 / np.sqrt(again) + 0.03) * random.normal(size=len(again))
    corrected = calibration(again * (0.8 + 0.02 * np.log(again)) * noise)
    for low, high in ((10, 20), (20, 50), (50, 100), (100, 300)):
        inside = (again > low) & (again < high)
        assert np.median(corrected[inside] / again[inside]) == pytest.approx(1, abs=0.015)


def test_shrinking_to_the_mean_does_not_pay():
    """The square root halves every logarithm, the spread included; stretched back it is as wide as before."""
    random = np.random.default_rng(3)
    truth = energies(20_000)
    honest = truth * np.exp(0.1 * random.normal(size=len(truth)))
    shrunk = np.sqrt(honest * 50)
    calibration = ResponseCalibration.fit(shrunk, truth)
    inside = (truth > 40) & (truth < 60)
    assert resolution(shrunk[inside], np.sqrt(truth[inside])) < 0.06
    assert resolution(calibration(shrunk)[inside], truth[inside]) == pytest.approx(0.1, rel=0.1)


def test_beyond_the_ends_the_factor_stays():
    truth = energies()
    calibration = ResponseCalibration.fit(0.5 * truth, truth)
    assert calibration(np.array([1e-3, 1e5, 0.0])) == pytest.approx([2e-3, 2e5, 0])
    curved = ResponseCalibration.fit(truth**1.2, truth)
    low, high = curved.predicted[0], curved.predicted[-1]
    factors = curved(np.array([low, low / 9, high, 9 * high])) / [low, low / 9, high, 9 * high]
    assert factors[0] == pytest.approx(factors[1])
    assert factors[2] == pytest.approx(factors[3])


def test_order_of_predictions_is_kept():
    random = np.random.default_rng(5)
    truth = energies(1000)
    calibration = ResponseCalibration.fit(truth ** random.uniform(0.2, 1.2, 1000), truth)
    assert (np.diff(calibration.predicted) > 0).all()
    assert (np.diff(calibration.truth) > 0).all()
    assert (np.diff(calibration(np.geomspace(0.1, 1e4, 500))) > 0).all()


@pytest.mark.parametrize("energy", [[50.0], [10.0, 50.0, 200.0]])
def test_few_sharp_energies(energy):
    truth = np.repeat(energy, 300)
    calibration = ResponseCalibration.fit(0.7 * truth * np.tile([0.9, 1, 1.1], len(truth) // 3), truth)
    assert calibration(0.7 * np.array(energy)) == pytest.approx(energy)


def test_a_model_that_has_learned_nothing():
    """Its medians do not ascend, apart from noise: nothing may be divided by 0."""
    truth = energies(1000)
    for predicted in (np.full(1000, 40.0), 1e4 / truth):
        corrected = ResponseCalibration.fit(predicted, truth)(np.array([1.0, 40.0, 1000.0]))
        assert np.isfinite(corrected).all()
        assert (corrected > 0).all()


def test_too_little_to_calibrate_with():
    truth = energies(199)
    with pytest.raises(InputError, match="199 showers are too few to measure"):
        ResponseCalibration.fit(truth, truth)
    truth = energies(300)
    for wrong in ((truth, np.where(truth < 10, 0, truth)), (np.where(truth < 10, np.nan, truth), truth)):
        with pytest.raises(InputError, match=f"{(truth < 10).sum()} of 300 showers have"):
            ResponseCalibration.fit(*wrong)
    with pytest.raises(InputError, match="the median prediction is 0"):
        ResponseCalibration.fit(np.zeros(300), truth)


def test_state():
    truth = energies()
    calibration = ResponseCalibration.fit(1.1 * truth, truth)
    values = np.array([3.0, 30.0, 3000.0])
    assert (ResponseCalibration.of_state(calibration.state())(values) == calibration(values)).all()


def test_the_noise_of_the_medians_does_not_become_a_bias():
    """2,200 showers of 7 %: the median of 200 of them is known to 0.6 %, without smoothing biases of 1 % are common."""
    random = np.random.default_rng(8)
    worst = []
    for _ in range(20):
        truth = energies(2200, 5, 800, seed=int(random.integers(1 << 30)))
        calibration = ResponseCalibration.fit(truth * (1 + 0.07 * random.normal(size=2200)), truth)
        at = np.array([10.0, 50.0, 200.0, 500.0])
        worst.append(np.abs(calibration(at) / at - 1).max())
    assert np.median(worst) < 0.006
