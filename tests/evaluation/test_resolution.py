"""Tables of bias and resolution: values, errors, seeds, and showers that cannot be judged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.draws import draw_statistics
from hgcal_gnn.evaluation.energy_bins import EnergyBins
from hgcal_gnn.evaluation.resolution import measure_resolution, resolution_table

BEAMS = np.repeat([20.0, 100.0], 1500)
KEYS = {
    "low", "high", "showers", "energy", "bias", "bias_error", "resolution", "resolution_error", "core_mean",
    "core_mean_error", "core_sigma", "core_sigma_error", "rms", "rms_error", "tail_low", "tail_low_error", "tail_high",
    "tail_high_error", "core_chi2", "core_ndf", "tail_low_over_gaussian", "tail_high_over_gaussian",
}  # fmt: skip


def smeared(truth, width, seed=0, scale=1.0):
    return truth * scale * (1 + width * np.random.default_rng(seed).normal(size=len(truth)))


def test_bias_and_resolution_in_each_bin():
    width = np.where(BEAMS == 20, 0.2, 0.1)
    table = measure_resolution(BEAMS, smeared(BEAMS, width, scale=1.05))
    assert table.energy.tolist() == [20, 100]
    assert table.n.tolist() == [1500, 1500]
    for found, expected in ((table.bias, [0.05, 0.05]), (table.resolution, [0.2, 0.1])):
        assert (np.abs(found.value - expected) < 4 * found.error).all()
        assert (found.error < 0.01).all()
    response = smeared(BEAMS, width, scale=1.05)[:1500] / 20
    assert table.bias.value[0] == np.median(response) - 1
    low, median, high = np.quantile(response, [0.15865525, 0.5, 0.84134475])
    assert table.resolution.value[0] == pytest.approx((high - low) / 2 / median)
    assert table.linearity.value == pytest.approx(table.energy * (1 + table.bias.value))


def test_the_error_of_the_resolution_covers_the_truth():
    truth = np.full(500, 50.0)
    pulls = []
    for seed in range(100):
        resolution = measure_resolution(truth, smeared(truth, 0.1, seed), seed=seed).resolution
        pulls.append((resolution.value[0] - 0.1) / resolution.error[0])
    assert np.std(pulls) == pytest.approx(1, abs=0.25)


def test_same_seed_same_errors():
    first, again, other = (
        measure_resolution(BEAMS, smeared(BEAMS, 0.1), seed=seed).resolution.error.tolist() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_the_order_of_showers_does_not_matter():
    prediction = smeared(BEAMS, 0.1)
    order = np.random.default_rng(1).permutation(len(BEAMS))
    straight, mixed = measure_resolution(BEAMS, prediction), measure_resolution(BEAMS[order], prediction[order])
    assert straight.resolution.value == pytest.approx(mixed.resolution.value, rel=1e-12)
    assert straight.core_sigma.value == pytest.approx(mixed.core_sigma.value, rel=1e-9)


def test_unusable_showers_are_counted():
    prediction = smeared(BEAMS, 0.05)
    truth = BEAMS.copy()
    truth[:4] = [np.nan, 0.0, -5.0, np.inf]
    truth[4] = 1000.0
    prediction[5:7] = [np.nan, np.inf]
    prediction[7:10] = [0.0, -3.0, -1e9]
    table = measure_resolution(truth, prediction, EnergyBins(np.array([10.0, 50.0, 200.0])))
    assert vars(table.dropped) == {"truth": 4, "outside": 1, "not_finite": 2, "not_positive": 3}
    assert table.n.tolist() == [1500 - 7, 1500]
    assert table.tail_low.value[0] >= 3 / 1493
    assert np.isfinite(table.resolution.value).all()
    assert len(table.dropped.warnings()) == 4


def test_nothing_to_judge():
    with pytest.raises(InputError, match="none of 2 showers can be judged: 1 showers with a true energy"):
        measure_resolution([50.0, -1.0], [np.nan, 3.0])
    with pytest.raises(InputError, match=r"one energy per shower, got shapes \(2,\) and \(3,\)"):
        measure_resolution([50.0, 1.0], [1.0, 2.0, 3.0])


def test_thin_and_empty_bins_are_not_measured():
    table = measure_resolution(BEAMS, smeared(BEAMS, 0.1), EnergyBins(np.array([1.0, 2.0, 50.0, 200.0])))
    assert table.n.tolist() == [0, 1500, 1500]
    assert np.isnan(table.resolution.value[0])
    content = table.to_json()
    assert content["bins"][0]["energy"] is None
    assert content["bins"][0]["resolution"] is None


def test_json_has_the_documented_keys():
    content = json.loads(json.dumps(measure_resolution(BEAMS, smeared(BEAMS, 0.1)).to_json(), allow_nan=False))
    assert set(content) == {"seeds", "replicas", "dropped", "bins"}
    assert all(set(row) == KEYS for row in content["bins"])
    assert content["replicas"] == 200


def test_seeds_are_averaged_and_their_spread_is_an_error():
    predictions = [smeared(BEAMS, 0.1) * scale for scale in (0.98, 1.0, 1.02)]  # the same but for a factor
    table = resolution_table(draw_statistics(BEAMS, [predictions]), 0)
    single = measure_resolution(BEAMS, predictions[1])
    assert table.n_seeds == 3
    assert table.bias.value == pytest.approx(single.bias.value)
    of_seeds = 0.02 * (1 + single.bias.value) / np.sqrt(3)
    assert table.bias.error == pytest.approx(np.hypot(single.bias.error, of_seeds), rel=1e-6)
    assert table.resolution.error == pytest.approx(single.resolution.error)  # a factor does not change it
