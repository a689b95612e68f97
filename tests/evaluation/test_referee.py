from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.distances import correlation_difference, total_energy_chi2
from hgcal_gnn.evaluation.features import FeatureTable
from hgcal_gnn.evaluation.ranking import rank_features
from hgcal_gnn.evaluation.referee import (
    amplification,
    compare_pairs,
    conditional_distances,
    coverage,
    layer_correlations,
    memorisation,
    pair_correlation,
    spread_over_seeds,
    tails,
)
from hgcal_gnn.evaluation.two_point import EDGES
from tests.evaluation.by_hand import NUMBERS, showers_of


def table(values, energy=None, names=None):
    d = values.shape[1]
    names = tuple(f"f{i}" for i in range(d)) if names is None else names
    energy = np.full(len(values), 50.0) if energy is None else energy
    return FeatureTable(names, ("longitudinal",) * d, ("",) * d, values.astype(np.float32), energy.astype(np.float32))


def normal(n, d, seed):
    return np.random.default_rng(seed).normal(size=(n, d))


# correlations


def test_correlation_difference_of_known_matrices():
    # correlation 0.8 between two of three features, lost in the generated sample: (0.8 + 0 + 0) / 3
    ours, theirs = normal(20_000, 3, 1), normal(20_000, 3, 2)
    ours[:, 1] = 0.8 * ours[:, 0] + 0.6 * ours[:, 1]
    found = correlation_difference(5 * ours + 100, theirs)
    assert found.value == pytest.approx(0.8 / 3, abs=3 * found.error)
    assert found.error < 0.01
    exact = np.abs(np.corrcoef(ours.T) - np.corrcoef(theirs.T))[np.triu_indices(3, 1)].mean()
    assert found.value == pytest.approx(exact, rel=1e-9)


def test_floor_of_the_correlation_difference():
    fresh = [correlation_difference(normal(400, 6, i), normal(200, 6, 500 + i), replicas=2).value for i in range(60)]
    found = correlation_difference(normal(400, 6, 1000), normal(200, 6, 1001))
    assert found.floor == pytest.approx(np.mean(fresh), rel=0.15)
    assert found.floor_error == pytest.approx(np.std(fresh), rel=0.5)


def test_correlations_of_what_does_not_vary_or_exist():
    ours, theirs = normal(300, 4, 1), normal(300, 4, 2)
    ours[:, 0] = 7.0
    theirs[:, 1] = 0.0
    ours[::3, 2] = np.nan
    assert correlation_difference(ours, theirs).available
    assert not correlation_difference(ours[:, :2], theirs[:, :2]).available
    assert not correlation_difference(ours[:50], theirs).available
    with pytest.raises(InputError, match="same features"):
        correlation_difference(ours, theirs[:, :2])
    assert layer_correlations(table(ours), table(theirs)).available


# total energy


def test_total_energy_chi2_is_1_for_equal_samples():
    rng = np.random.default_rng(0)
    beams = np.repeat([10.0, 50.0, 200.0], 2000)
    ours, theirs = (beams * rng.normal(1, 0.2 / np.sqrt(beams)) for _ in range(2))
    found = total_energy_chi2(ours, theirs, beams, beams)
    assert found.value == pytest.approx(1, abs=3 * found.floor_error)
    assert found.floor == pytest.approx(1, abs=0.05)
    assert found.floor_error == pytest.approx(np.sqrt(2 / 84), rel=0.3)  # three times 28 degrees of freedom
    assert total_energy_chi2(ours, 1.01 * theirs, beams, beams).significance > 5


def test_total_energy_chi2_of_any_spectrum():
    rng = np.random.default_rng(1)
    energy = [np.exp(rng.uniform(0, 5, 3000)) for _ in range(2)]
    sums = [e * rng.normal(1, 0.1, 3000) for e in energy]
    sums[1][:5] = np.nan
    assert total_energy_chi2(*sums, *energy).value == pytest.approx(1, abs=0.5)
    assert not total_energy_chi2(sums[0], sums[1][:90], energy[0], energy[1][:90]).available
    assert not total_energy_chi2(sums[0], sums[1], np.full(3000, np.nan), energy[1]).available
    with pytest.raises(InputError, match="one incident energy"):
        total_energy_chi2(*sums, energy[0][:5], energy[1])


# ranking and conditions


def test_ranking_by_size_of_the_difference():
    ours, theirs = normal(1000, 4, 1), normal(1000, 4, 2)
    theirs[:, 2] += 1
    theirs[:, 1] += 3
    ours[:, 3] = theirs[:, 3] = 5
    ranked = rank_features(table(ours), table(theirs))
    assert [entry.feature for entry in ranked] == ["f1", "f2", "f0", "f3"]
    assert [entry.significant for entry in ranked] == [True, True, False, False]
    assert not ranked[-1].distance.available
    with pytest.raises(InputError, match="different features"):
        rank_features(table(ours), table(theirs, names=("a", "b", "c", "d")))
    with pytest.raises(UsageError, match="wasserstein"):
        rank_features(table(ours), table(theirs), distance="nothing")


def test_worst_bin_is_where_the_samples_differ():
    rng = np.random.default_rng(3)
    energy = [rng.uniform(10, 90, 4000) for _ in range(2)]
    ours, theirs = normal(4000, 2, 1), normal(4000, 2, 2)
    theirs[energy[1] > 80, 1] += 1
    found = conditional_distances(table(ours, energy[0]), table(theirs, energy[1]))
    assert len(found.labels) == 8
    feature, label, distance = found.worst()
    assert (feature, label) == ("f1", found.labels[-1])
    assert distance.significance > found.expected_worst + 5
    assert found.array("value").shape == (2, 8)
    same = conditional_distances(table(ours, energy[0]), table(normal(4000, 2, 9), energy[1]))
    assert same.worst()[2].significance < same.expected_worst + 3


def test_conditions_of_few_values_and_of_nothing():
    ours = table(normal(600, 1, 1), np.repeat([10.0, 20.0], 300))
    few = table(normal(350, 1, 2), np.repeat([10.0, 20.0], [300, 50]))
    found = conditional_distances(ours, few)
    assert found.labels == ("10", "20")
    assert [d.available for d in found.distances[0]] == [True, False]
    eta = conditional_distances(ours, few, along=(np.linspace(1.5, 3, 600), np.full(350, 2.0)), condition="eta")
    assert len(eta.labels) == 8
    unknown = conditional_distances(ours, few, along=(np.full(600, np.nan), np.full(350, np.nan)))
    assert unknown.worst() is None
    assert np.isnan(unknown.expected_worst)
    with pytest.raises(InputError, match="one condition"):
        conditional_distances(ours, few, along=(np.zeros(3), np.zeros(350)))


# tails


def test_tails():
    rng = np.random.default_rng(5)
    ours, theirs = rng.exponential(size=50_000), rng.exponential(size=50_000)
    found = tails(ours, theirs)
    for ratio in (found.high_quantile, found.low_share, found.high_share):
        assert ratio.value == pytest.approx(1, abs=4 * ratio.error)
    # twice as long a tail: quantile ratio 2, share exp(-ln(1000) / 2) / 0.001 = 31.6
    wide = tails(ours, 2 * theirs)
    assert wide.high_quantile.value == pytest.approx(2, abs=4 * wide.high_quantile.error)
    assert wide.high_share.value == pytest.approx(31.6, abs=4 * wide.high_share.error)
    assert not tails(ours[:9000], theirs).high_share.available
    assert not tails(np.zeros(20_000), theirs).low_share.available


def test_errors_of_tails_are_those_of_fresh_samples():
    rng = np.random.default_rng(6)
    found = [tails(rng.exponential(size=20_000), rng.exponential(size=20_000)) for _ in range(80)]
    for name in ("high_quantile", "high_share", "low_share"):
        ratios = [getattr(f, name) for f in found]
        assert np.mean([r.error for r in ratios]) == pytest.approx(np.std([r.value for r in ratios]), rel=0.35)


# nearest showers


def test_coverage_of_a_lost_mode_and_of_blurred_showers():
    ours, same = normal(800, 3, 1), normal(400, 3, 2)
    fine = coverage(ours, same)
    for score in (fine.precision, fine.recall, fine.density, fine.coverage):
        assert abs(score.excess) < 5 * score.floor_error
    narrow = coverage(ours, 0.2 * same)
    assert narrow.precision.excess > -5 * narrow.precision.floor_error
    assert narrow.recall.significance < -10
    assert narrow.coverage.significance < -10
    blurred = coverage(ours, 3 * same)
    assert blurred.precision.significance < -10
    assert blurred.density.significance < -5


def test_coverage_by_brute_force():
    from scipy.spatial.distance import cdist

    from hgcal_gnn.evaluation.nearest import nearest_distances, numbers_within

    ours, theirs = normal(150, 4, 1), normal(120, 4, 2)
    apart = cdist(theirs, ours)
    assert nearest_distances(theirs, ours, 3) == pytest.approx(np.sort(apart, axis=1)[:, :3])
    radii = np.linspace(0.5, 2, 150)
    assert numbers_within(theirs, ours, radii).tolist() == (apart <= radii).sum(axis=1).tolist()


def test_too_few_showers_for_the_referee():
    few, many = normal(150, 2, 1), normal(1000, 2, 2)
    assert not coverage(few, many).recall.available
    assert not coverage(np.ones((400, 2)), many).recall.available
    assert not memorisation(many, many, few[:50]).nearest_in_training.available
    assert not memorisation(np.ones((400, 2)), many, few).nearest_in_training.available
    with pytest.raises(InputError, match="same features"):
        coverage(few, many[:, :1])
    with pytest.raises(InputError, match="same features"):
        memorisation(few, few, many[:, :1])


def test_memorisation():
    training, held_out = normal(2000, 5, 1), normal(2000, 5, 2)
    fresh = memorisation(training, held_out, normal(1500, 5, 3))
    assert abs(fresh.nearest_in_training.significance) < 3
    assert fresh.distance_to_training == pytest.approx(fresh.reference_distance, rel=0.1)
    poor = memorisation(training, held_out, 1.5 * normal(1500, 5, 4) + 0.5)  # bad, but nothing learnt by heart
    assert abs(poor.nearest_in_training.significance) < 3
    copies = np.concatenate([training[:200] + 0.01 * normal(200, 5, 5), normal(1300, 5, 6)])
    caught = memorisation(training, held_out, copies)
    assert caught.nearest_in_training.significance > 2
    assert caught.closest_1_percent.value == 1


def test_false_alarms_of_memorisation_are_rare():
    found = [
        memorisation(normal(300, 3, 3 * i), normal(300, 3, 3 * i + 1), normal(1500, 3, 3 * i + 2)).nearest_in_training
        for i in range(60)
    ]
    assert np.std([d.significance for d in found]) == pytest.approx(1, abs=0.3)


# pairs of hits


def test_pair_correlation_by_hand():
    # four hits of 1 GeV each: between the cells (0), (1), (2) and (3) of by_hand
    showers = showers_of(((0, 1, 2, 3), (1e-3, 2e-3, 2e-3, 1e-2)), ((), ()), ((0,), (1e-3,)))
    place = NUMBERS.place.astype(float)
    apart = [np.linalg.norm(place[i] - place[j]) for i in range(4) for j in range(i)]
    expected = np.histogram(apart, EDGES[:-1])[0] * 2 / 16
    found = pair_correlation(showers, NUMBERS)
    assert found.shape == (3, len(EDGES) - 1)
    assert found[0, :-1] == pytest.approx(expected, rel=1e-5)
    assert found[0].sum() == pytest.approx(1 - 4 / 16)
    assert not found[1:].any()
    with pytest.raises(InputError, match="ascending"):
        pair_correlation(showers, NUMBERS, (2.0, 1.0))


def test_pair_correlation_of_independent_hits_differs():
    rng = np.random.default_rng(1)
    ours, same = (rng.dirichlet(np.ones(6), 400)[:, :5] for _ in range(2))
    found = compare_pairs(ours, same, EDGES[:6])
    assert found.distance.value == pytest.approx(1, abs=4 * found.distance.floor_error)
    assert compare_pairs(ours, same * [1, 1, 1.5, 1, 1], EDGES[:6]).distance.significance > 5
    assert not compare_pairs(ours[:50], same, EDGES[:6]).distance.available
    assert not compare_pairs(np.zeros((200, 3)), np.zeros((200, 3)), EDGES[:4]).distance.available


def test_pair_distance_is_1_on_average():
    rng = np.random.default_rng(2)
    values = [
        compare_pairs(*(rng.dirichlet(np.ones(6), 300)[:, :5] for _ in range(2)), EDGES[:6]).distance.value
        for _ in range(100)
    ]
    assert np.mean(values) == pytest.approx(1, abs=0.2)
    assert np.std(values) == pytest.approx(np.sqrt(2 / 5), rel=0.3)


# amplification and seeds


def test_independent_showers_are_worth_themselves():
    rng = np.random.default_rng(8)
    truth = rng.normal(size=200_000)
    found = [
        amplification(rng.normal(size=500), truth, rng.normal(size=4000), seed=i, replicas=20).equivalent
        for i in range(30)
    ]
    assert 1 / np.mean(1 / np.array(found)) == pytest.approx(4000, rel=0.2)
    one = amplification(rng.normal(size=500), truth, rng.normal(size=4000))
    assert one.factor == one.equivalent / 500
    assert one.equivalent_low < one.equivalent < one.equivalent_high
    assert one.error[-1] < one.error[0]
    assert one.error == pytest.approx(one.independent, rel=0.6)


def test_a_wrong_generator_is_worth_little_whatever_its_size():
    rng = np.random.default_rng(9)
    truth = rng.normal(size=100_000)
    wrong = amplification(rng.normal(size=500), truth, rng.normal(0.3, size=100_000))
    assert wrong.factor < 1
    assert wrong.error[-1] == pytest.approx(wrong.error[-2], rel=0.3)
    assert "finite values" in amplification(truth[:50], truth, truth).reason
    assert amplification(truth, np.ones(500), truth).reason


def test_spread_over_seeds():
    found = spread_over_seeds([Distance("d", v, 0.1, 0.05, 0.01) for v in (1.0, 2.0, 3.0)])
    assert (found.number, found.mean, found.best, found.worst) == (3, 2.0, 1.0, 3.0)
    assert found.spread == pytest.approx(np.sqrt(1 - 0.01))
    assert found.error == pytest.approx(1 / np.sqrt(3))
    assert spread_over_seeds([Distance("d", 1.0, 0.1, 0.05, 0.01)]).mean == 1
    assert spread_over_seeds([]).number == 0
    assert spread_over_seeds([Distance.not_available("d", "why")]).number == 0
