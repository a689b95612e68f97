"""Frechet and kernel physics distance: closed formulas, published code, floors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation.kernel_distance import kernel_mmd, kernel_physics_distance
from hgcal_gnn.evaluation.physics_distance import Moments, extrapolate, frechet_distance, frechet_physics_distance
from hgcal_gnn.evaluation.two_samples import TwoSamples

QUICK = {"min_samples": 1000, "max_samples": 2500, "points": 6, "batches": 5}


def sample(n, seed, shift=0.0):
    """Six correlated normal features around 0..5."""
    mix = np.random.default_rng(99).normal(size=(6, 6))
    return (np.random.default_rng(seed).normal(size=(n, 6)) + shift) @ mix + np.arange(6)


# Computed once with jetnet.evaluation.gen_metrics of JetNet at commit 6ca12b7 (its functions, run by NumPy 2.4.6 and
# SciPy 1.17.1) on sample(3000, 1) and sample(2500, 2, 0.05).
PUBLISHED_PLAIN = 0.22034503569798858  # _calculate_frechet_distance of np.mean, np.cov, features as they are
PUBLISHED_MMD = -0.0005893582032752143  # _mmd_poly_quadratic_unbiased, first 500 of each after _normalise_features
PUBLISHED_FPD = (0.0030324336094933405, 0.0008831282134491437)  # fpd(..., 1000, 2500, num_batches=5, num_points=6)
PUBLISHED_KPD = (0.0010858931722763483, 0.0019229387783990235)  # kpd(..., num_batches=10, batch_size=500)


@pytest.fixture(scope="module")
def pair():
    return sample(3000, 1), sample(2500, 2, 0.05)


def test_plain_distance_is_the_published_one(pair):
    moments = [(values.mean(axis=0), np.cov(values, rowvar=False)) for values in pair]
    assert frechet_distance(*moments[0], *moments[1]) == pytest.approx(PUBLISHED_PLAIN, rel=1e-9)


def test_kernel_distance_of_given_batches_is_the_published_one(pair):
    scale = TwoSamples.of(*pair).scale
    assert kernel_mmd(pair[0][:500] / scale, pair[1][:500] / scale) == pytest.approx(PUBLISHED_MMD, rel=1e-9)


def test_extrapolated_distances_are_the_published_ones(pair):
    found = frechet_physics_distance(*pair, **QUICK)
    # the published fit stops at a tolerance of its own
    assert found.value == pytest.approx(PUBLISHED_FPD[0], abs=0.02 * PUBLISHED_FPD[1])
    kernel = kernel_physics_distance(*pair, batches=10, batch_size=500)
    assert kernel.value == pytest.approx(PUBLISHED_KPD[0], rel=1e-9)
    assert 0 < kernel.error < PUBLISHED_KPD[1]  # of the median, not of a batch


def test_distance_of_normal_distributions_is_the_formula():
    # independent features: sum of (m1 - m2)^2 + (s1 - s2)^2
    found = frechet_distance(np.array([1.0, 2.0]), np.diag([4.0, 9.0]), np.array([1.5, 0.0]), np.diag([1.0, 16.0]))
    assert found == pytest.approx(0.25 + 4.0 + 1.0 + 1.0)
    one = frechet_distance(np.array([1.0]), np.array([[4.0]]), np.array([0.0]), np.array([[9.0]]))
    assert one == pytest.approx(1.0 + 1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_distance_is_symmetric_invariant_under_rotation_and_zero_for_equal(seed):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(2, 4, 3))  # covariances of rank 3: features that depend on each other
    (one, two), means = roots @ roots.transpose(0, 2, 1), rng.normal(size=(2, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    forth = frechet_distance(means[0], one, means[1], two)
    assert forth >= -1e-10
    assert frechet_distance(means[1], two, means[0], one) == pytest.approx(forth, rel=1e-6, abs=1e-8)
    turned = frechet_distance(turn @ means[0], turn @ one @ turn.T, turn @ means[1], turn @ two @ turn.T)
    assert turned == pytest.approx(forth, rel=1e-6, abs=1e-6)
    assert frechet_distance(means[0], one, means[0], one) == pytest.approx(0.0, abs=1e-6)


def test_moments_of_drawn_showers_are_those_of_copies(monkeypatch):
    monkeypatch.setattr("hgcal_gnn.evaluation.physics_distance.CHUNK", 7)
    values = (1e4 + sample(50, 3)).astype(np.float32)
    counts = np.random.default_rng(4).integers(0, 3, 50)
    found = Moments.of(values, np.full(6, 2.0), counts=counts)
    copies = np.repeat(values, counts, axis=0).astype(np.float64) / 2
    np.testing.assert_allclose(found.mean, copies.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(copies, rowvar=False), rtol=1e-8, atol=1e-8)


def test_line_is_fitted_with_nothing_below_zero():
    sizes = np.array([100, 200, 400, 800])
    value, error = extrapolate(sizes, 0.5 + 30 / sizes)
    assert value == pytest.approx(0.5)
    assert error < 1e-6
    assert extrapolate(sizes, -0.1 + 30 / sizes)[0] == 0.0


def test_floor_is_what_equal_samples_give():
    found = [frechet_physics_distance(sample(800, seed), sample(2400, 100 + seed), **QUICK) for seed in range(6)]
    values, floors = np.array([(distance.value, distance.floor) for distance in found]).T
    spread = np.sqrt(np.mean([distance.floor_error**2 for distance in found]) / len(found))
    assert abs(values.mean() - floors.mean()) < 3 * spread
    assert values.mean() > 3 * spread  # the floor is not zero


def test_a_shift_is_found_by_both_and_a_fourth_moment_by_the_kernel_only():
    rng = np.random.default_rng(5)
    reference = 2 * rng.normal(size=(1500, 3))
    signs = 2 * rng.choice([-1.0, 1.0], size=(1500, 3))  # same mean and covariance as normal features
    assert frechet_physics_distance(reference, reference[::-1] + 0.6, **QUICK).significance > 8
    assert kernel_physics_distance(reference, reference[::-1] + 0.6, batch_size=300).significance > 5
    assert abs(frechet_physics_distance(reference, signs, **QUICK).significance) < 4
    # in one dimension E k(x, y) holds E[x^4]^2 / n^4 more: normal 3 sigma^4 against sigma^4
    assert kernel_mmd(reference[:, :1], signs[:, :1]) == pytest.approx((48 - 16) ** 2, rel=0.5)


def test_a_few_diverged_showers_do_not_make_the_trimmed_distance():
    reference, generated = sample(3000, 6), sample(3000, 7)
    diverged = generated.copy()
    diverged[:20] *= 1e3
    plain = frechet_physics_distance(reference, diverged, **QUICK)
    robust = frechet_physics_distance(reference, diverged, trim=0.01, **QUICK)
    assert plain.value > 100
    assert robust.significance < 4
    assert robust.name == "frechet_physics_distance_trimmed"
    diverged[:600] = 1e3  # far more than the share: no hiding
    assert frechet_physics_distance(reference, diverged, trim=0.01, **QUICK).significance > 100
    assert kernel_physics_distance(reference, diverged, trim=0.01, batch_size=200).significance > 5


def test_missing_entries_count_as_zero_and_constant_features_do_no_harm(pair):
    reference, generated = (np.column_stack([values, np.zeros(len(values)), values[:, 0]]) for values in pair)
    missing = generated.copy()
    generated[::3, 1], missing[::3, 1] = 0.0, np.nan
    distances = [frechet_physics_distance(reference, values, **QUICK) for values in (generated, missing)]
    assert distances[0] == distances[1]
    assert np.isfinite(distances[0].error)


def test_samples_that_cannot_be_compared_are_refused(pair):
    reference, generated = pair
    with pytest.raises(InputError, match="99 showers are too few"):
        frechet_physics_distance(reference, generated[:99])
    with pytest.raises(InputError, match="6 and 5 features"):
        kernel_physics_distance(reference, generated[:, :5])
    infinite = generated.copy()
    infinite[7, 2] = np.inf
    with pytest.raises(InputError, match=r"generated: 1 infinite entries in features \[2\] \(showers \[7\]"):
        frechet_physics_distance(reference, infinite)
    with pytest.raises(UsageError, match="cannot extrapolate"):
        frechet_physics_distance(reference, generated, min_samples=5000, max_samples=5000)
    with pytest.raises(UsageError, match="share of showers"):
        frechet_physics_distance(reference, generated, trim=0.7)
    with pytest.raises(UsageError, match="no median"):
        kernel_physics_distance(reference, generated, batches=1)


def test_a_feature_that_the_reference_hardly_has_is_not_the_whole_distance():
    """A width of 1e-9 from rounding in the reference, of 1 in a single generated shower."""
    reference, generated = np.random.default_rng(3).normal(size=(2, 400, 3))
    reference[:, 2], generated[:, 2] = 1e-9, 0.0
    generated[0, 2] = 1.0
    assert TwoSamples.of(reference, generated).scale[2] == 1.0
