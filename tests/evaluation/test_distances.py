from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.distances import DISTANCES, separation_power, separation_power_hgcal, wasserstein
from hgcal_gnn.evaluation.histograms import chi2_per_ndf, histogram, published_edges, reference_edges, separation

BOUNDED = ("separation_power", "separation_power_hgcal", "kolmogorov_smirnov")


def normal(n, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, size=n)


def test_a_distance_by_hand():
    distance = Distance("d", 0.5, 0.1, 0.3, 0.05)
    assert distance.available
    assert distance.excess == pytest.approx(0.2)
    assert distance.significance == pytest.approx(4.0)
    missing = Distance.not_available("d", "why")
    assert not missing.available
    assert np.isnan([missing.value, missing.excess, missing.significance]).all()
    assert missing.reason == "why"


def test_histogram_counts_everything():
    edges = np.array([0.0, 1.0, 2.0])
    values = np.array([-1, -np.inf, 0, 0.5, 1, 2, 2.1, np.inf, np.nan])
    assert histogram(values, edges).tolist() == [2, 2, 2, 2, 1]


def test_separation_and_chi2_by_hand():
    reference, generated = np.array([2, 2, 0]), np.array([0, 2, 2])
    assert separation(reference, generated) == pytest.approx(0.5 * (0.5 + 0 + 0.5))
    assert separation(reference, 10 * reference) == 0
    assert chi2_per_ndf(reference, generated) == pytest.approx((2 + 0 + 2) / 2)
    # n = 4, m = 8: (8 r - 4 g)^2 / (32 (r + g)) = 256 / 64 / ... worked out bin by bin
    assert chi2_per_ndf(np.array([2, 2]), np.array([2, 6])) == pytest.approx(64 / (32 * 4) + 64 / (32 * 8))


def test_edges_of_the_challenge():
    assert published_edges(np.array([0.0, 49.0])) == pytest.approx(np.linspace(-1e-8, 49 + 1e-8, 50))
    hits = published_edges(np.array([3.0, 120.0]), occupancy=True)  # 117 over 50: steps of 3
    assert np.diff(hits) == pytest.approx(3)
    assert hits[0] <= 3 < hits[1]
    assert hits[-2] < 120 <= hits[-1]
    few = published_edges(np.array([3.0, 5.0]), occupancy=True)
    assert histogram(np.array([3.0, 4.0, 4.0, 5.0]), few)[1:-2].tolist()[:3] == [1, 2, 1]


def test_floor_of_49_bins():
    # the numbers every published separation power has to be read against
    assert separation_power(normal(1000, 1), normal(1000, 2)).floor == pytest.approx(0.0235, abs=0.002)
    assert separation_power(normal(20_000, 3), normal(20_000, 4)).floor == pytest.approx(0.0012, abs=0.0001)


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(("n", "m"), [(600, 600), (1500, 500)])
def test_floor_and_its_spread_are_those_of_fresh_samples(name, n, m):
    measure = DISTANCES[name]
    fresh = np.array([measure(normal(n, 2 * i), normal(m, 2 * i + 1), replicas=2).value for i in range(120)])
    found = [measure(normal(n, 1000 + i), normal(m, 2000 + i)) for i in range(5)]
    floor, spread = np.mean([d.floor for d in found]), np.mean([d.floor_error for d in found])
    # 120 fresh values know their mean to 3 %; halves lack what lies beyond their sample, 4 % of a mean distance
    assert floor == pytest.approx(fresh.mean(), rel=0.13)
    assert spread == pytest.approx(fresh.std(), rel=0.3)


@pytest.mark.parametrize("name", DISTANCES)
def test_errors_are_those_of_fresh_samples(name):
    measure = DISTANCES[name]
    fresh = [measure(normal(800, 2 * i), normal(800, 2 * i + 1, shift=0.5), replicas=2).value for i in range(100)]
    errors = [measure(normal(800, 1000 + i), normal(800, 2000 + i, shift=0.5)).error for i in range(4)]
    assert np.mean(errors) == pytest.approx(np.std(fresh), rel=0.35)


def test_against_scipy():
    ours, theirs = normal(700, 1), normal(300, 2, shift=0.3)
    assert DISTANCES["kolmogorov_smirnov"](ours, theirs).value == pytest.approx(stats.ks_2samp(ours, theirs).statistic)
    assert DISTANCES["wasserstein_unscaled"](ours, theirs).value == pytest.approx(
        stats.wasserstein_distance(ours, theirs)
    )
    # moved by 3 sigma_68: 3, whatever the unit
    assert wasserstein(7 * ours, 7 * (ours + 3)).value == pytest.approx(3, rel=0.1)


def test_values_out_of_range_count_except_in_the_published_distance():
    ours = normal(5000, 1)
    theirs = np.concatenate([normal(2500, 2), np.full(2500, 100.0)])
    assert separation_power_hgcal(ours, theirs).significance < 5  # the defect
    assert separation_power(ours, theirs).value == pytest.approx(0.5 * (0.5 + 0.25 / 1.5), abs=0.01)
    assert not separation_power_hgcal(ours, theirs + 200).available


def test_showers_without_a_value_count():
    ours, theirs = normal(2000, 1), normal(2000, 2)
    theirs[:1000] = np.nan
    assert separation_power(ours, theirs).value > 0.3
    assert separation_power(ours, np.full(2000, np.nan)).value == pytest.approx(1)
    assert DISTANCES["kolmogorov_smirnov"](ours, theirs).significance < 5


@pytest.mark.parametrize("name", DISTANCES)
def test_what_cannot_be_measured_is_said(name):
    measure = DISTANCES[name]
    many, nothing = normal(500, 1), np.full(500, np.nan)
    for ours, theirs, why in (
        (many[:99], many, "99 reference"),
        (many, many[:99], "99 generated"),
        (nothing, many, "0 reference"),
        (nothing, nothing, "finite"),
        (np.full(500, 3.0), np.full(400, 3.0), "all values are 3"),
        (np.empty(0), many, "0 reference"),
    ):
        found = measure(ours, theirs)
        assert not found.available
        assert why in found.reason
        assert found.name == name


@pytest.mark.parametrize("name", DISTANCES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_never_a_crash(name, data):
    n, m = data.draw(st.integers(100, 130)), data.draw(st.integers(100, 130))
    value = st.one_of(st.floats(width=32, allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1.0]))
    with np.errstate(all="ignore"):
        ours = np.resize(data.draw(st.lists(value, min_size=1, max_size=20)), n).astype(np.float32)
        theirs = np.resize(data.draw(st.lists(value, min_size=1, max_size=20)), m).astype(np.float32)
    found = DISTANCES[name](ours, theirs, replicas=5)
    assert found.available != bool(found.reason)
    if name in BOUNDED and found.available:
        assert -1e-9 <= found.value <= 1 + 1e-9


def test_same_seed_same_numbers():
    ours, theirs = normal(300, 1), normal(300, 2)
    assert separation_power(ours, theirs, seed=3) == separation_power(ours, theirs, seed=3)
    assert separation_power(ours, theirs, seed=3) != separation_power(ours, theirs, seed=4)


def test_a_constant_reference_against_another_value():
    assert separation_power(np.full(200, 2.0), np.full(200, 3.0)).value == pytest.approx(1)
    assert len(reference_edges(np.full(200, 2.0))) == 50
