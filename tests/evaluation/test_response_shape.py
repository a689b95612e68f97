"""Shape of the response: against NumPy on written-out replicas, and against distributions known on paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2 as chi2_distribution
from scipy.stats import norm

from hgcal_gnn.evaluation import bootstrap
from hgcal_gnn.evaluation.bootstrap import Replicas, count_blocks
from hgcal_gnn.evaluation.response_shape import core_chi2, response_shape


def replicas(n: int, number: int, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(count_blocks(n, number, np.random.default_rng(seed))))


def grid(n: int) -> np.ndarray:
    """A unit Gaussian without fluctuations."""
    return norm.ppf((np.arange(n) + 0.5) / n)


def test_replicas_are_draws_with_replacement(monkeypatch):
    monkeypatch.setattr(bootstrap, "BLOCK", 30 * 7)  # several blocks, the last one smaller
    counts = replicas(30, 400)
    assert counts.shape == (401, 30)
    assert (counts[0] == 1).all()
    assert (counts.sum(axis=1) == 30).all()
    drawn = counts[1:]
    assert drawn.mean(axis=0) == pytest.approx(np.ones(30), abs=5 / np.sqrt(400))
    assert drawn.var() == pytest.approx(1 - 1 / 30, abs=0.1)  # binomial(30, 1/30)


@settings(deadline=None)
@given(
    values=arrays(np.float64, st.integers(2, 40), elements=st.floats(-3, 3, width=16)),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_statistics_are_those_of_the_replicas_written_out(values, share, seed):
    counts = replicas(len(values), 6, seed)
    sample = Replicas(values, counts)
    written = [np.repeat(values, row) for row in counts]
    assert sample.quantile(share) == pytest.approx(np.array([np.quantile(one, share) for one in written]), abs=1e-12)
    low, high = np.full(7, -0.5), np.full(7, 1.0)
    assert sample.below(low) == pytest.approx(np.array([(one < -0.5).mean() for one in written]))
    assert sample.above(high) == pytest.approx(np.array([(one > 1.0).mean() for one in written]))
    number, mean, deviation = sample.moments(low, high)
    for k, one in enumerate(written):
        inside = one[(one >= -0.5) & (one <= 1.0)]
        assert number[k] == len(inside)
        if len(inside):
            assert mean[k] == pytest.approx(inside.mean(), abs=1e-9)
            assert deviation[k] == pytest.approx(inside.std(), abs=1e-6)


def test_a_gaussian_has_the_same_width_by_every_measure():
    shape = response_shape(0.97 * (1 + 0.08 * grid(200_001)), replicas(200_001, 0))
    assert shape.bias == pytest.approx([-0.03])
    assert shape.core_mean == pytest.approx([0.97])
    for width in (shape.resolution, shape.core_sigma, shape.rms):
        assert width == pytest.approx([0.08], rel=1e-3)
    assert shape.tail_low == pytest.approx([0.00135], abs=1e-5)
    assert shape.tail_high == pytest.approx([0.00135], abs=1e-5)


def test_tails_move_the_rms_and_not_the_core():
    tail = np.linspace(0.0, 0.5, 2000)  # 2 % of the showers, all below median - 3 sigma
    response = np.concatenate([1 + 0.1 * grid(98_000), tail])
    shape = response_shape(response, replicas(len(response), 0))
    assert shape.core_sigma == pytest.approx([0.1], rel=0.01)
    assert shape.resolution == pytest.approx([0.103], rel=0.01)  # 2 % fewer showers on one side of the median
    assert shape.rms == pytest.approx([np.std(response) / np.mean(response)])
    assert shape.rms > 1.3 * shape.resolution
    assert shape.tail_low > 10 * shape.tail_high


def test_errors_of_a_gaussian_are_those_on_paper():
    n, sigma = 4000, 0.1
    response = 1 + sigma * np.random.default_rng(3).normal(size=n)
    shape = response_shape(response, replicas(n, 1000))
    spread = {name: float(np.std(values[1:])) for name, values in shape._asdict().items()}
    density = norm.pdf(0) / sigma
    assert spread["bias"] == pytest.approx(0.5 / density / np.sqrt(n), rel=0.12)  # of a median
    # of half the distance of two quantiles p, 1 - p: variance p (1 - 2 p) / (2 n f^2)
    p = norm.cdf(-1)
    assert spread["resolution"] == pytest.approx(np.sqrt(p * (1 - 2 * p) / (2 * n)) / (norm.pdf(1) / sigma), rel=0.12)
    assert spread["rms"] == pytest.approx(sigma / np.sqrt(2 * n), rel=0.12)
    assert spread["tail_low"] == pytest.approx(np.sqrt(0.00135 / n), rel=0.5)


def test_predictions_that_make_no_sense():
    alike = response_shape(np.full(50, 1.1), replicas(50, 3))
    assert alike.bias == pytest.approx(np.full(4, 0.1))
    assert alike.resolution.tolist() == [0, 0, 0, 0]
    negative = response_shape(np.linspace(-2, -1, 50), replicas(50, 3))
    assert np.isnan(negative.resolution).all()
    assert np.isnan(negative.rms).all()
    assert core_chi2(np.full(500, 1.1), 1.1, 0.0)[1] == 0


def test_chi2_of_the_core_fits_gaussians_and_nothing_else():
    rng = np.random.default_rng(5)
    probability = []
    for _ in range(60):
        response = rng.normal(1, 0.1, 1500)
        shape = response_shape(response, replicas(1500, 0))
        chi2, ndf = core_chi2(response, shape.core_mean[0], shape.core_sigma[0] * shape.core_mean[0])
        assert ndf == 37
        probability.append(chi2_distribution.sf(chi2, ndf))
    assert 0.3 < np.mean(probability) < 0.7
    skewed = rng.exponential(0.1, 3000) + 0.9
    shape = response_shape(skewed, replicas(3000, 0))
    chi2, ndf = core_chi2(skewed, shape.core_mean[0], shape.core_sigma[0] * shape.core_mean[0])
    assert chi2_distribution.sf(chi2, ndf) < 1e-6
