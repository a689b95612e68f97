from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.batching.hit_features import FEATURES, check_features, hit_features
from hgcal_gnn.errors import UsageError
from tests.evaluation.by_hand import CELLS, DEPOSITS, NUMBERS, showers_of
from tests.evaluation.test_observables import random_case


def of(showers, numbers=NUMBERS):
    features, energy, position = hit_features(showers, numbers)
    return dict(zip(FEATURES, features.T, strict=True)), energy, position


def test_by_hand_in_an_endcap():
    """Four hits of 1 GeV; barycentre (104, 0, 312), mean layer 9 / 4."""
    found, energy, position = of(showers_of((CELLS, DEPOSITS)))
    assert energy == pytest.approx([1, 1, 1, 1], rel=1e-6)
    assert found["log_mips"] == pytest.approx(np.log([10, 4, 4, 1]), abs=1e-6)
    assert found["log_energy"] == pytest.approx([0, 0, 0, 0], abs=1e-6)
    assert found["share"] == pytest.approx([0.5] * 4)
    assert found["x"] == pytest.approx([1, 1.03, 1.03, 1.1])
    assert found["y"] == pytest.approx([0, 0.04, -0.04, 0])
    assert found["z"] == pytest.approx([3, 3.09, 3.09, 3.3])
    # the axis crosses z = 309 at x = 103; cells lie 4 cm beside it
    assert found["across_1"] == pytest.approx([0, 0, 0, 0], abs=1e-6)
    assert found["across_2"] == pytest.approx([0, 0.4, -0.4, 0], abs=1e-6)
    assert found["distance"] == pytest.approx([0, np.log(3), np.log(3), 0], abs=1e-5)
    assert found["depth"] == pytest.approx([0.25, 0.5, 0.5, 1])
    assert found["from_mean"] == pytest.approx([-0.125, -0.025, -0.025, 0.175])
    assert found["silicon"].tolist() == [1, 1, 1, 0]
    assert found["mip"] == pytest.approx([1, 5, 5, 100])
    assert position == pytest.approx(np.array([[0, 0, -1.2], [0, 0.4, -0.3], [0, -0.4, -0.3], [0, 0, 1.8]]), abs=1e-5)


def test_by_hand_in_a_barrel():
    """Axis along x, barycentre at x = 162: across it are phi and z, depth is the radius."""
    place = np.array([[150, 0, 0], [160, 3, 0], [160, -3, 0], [170, 0, 4], [170, 0, -4]], np.float32)
    numbers = replace(NUMBERS, place=place, weight=np.full(5, 1000, np.float32))
    found, _, position = of(showers_of(((0, 1, 2, 3, 4), [1e-3] * 5)), numbers)
    assert np.abs(found["across_1"]) == pytest.approx([0, 0.3, 0.3, 0, 0], abs=1e-6)
    assert found["across_2"] == pytest.approx([0, 0, 0, 0.4, -0.4], abs=1e-6)
    assert found["distance"] == pytest.approx(np.log1p([0, 1.5, 1.5, 2, 2]), abs=1e-5)
    assert position[:, 2] == pytest.approx([-1.2, -0.2, -0.2, 0.8, 0.8], abs=1e-5)


def test_barrel_with_a_slope():
    """A shower that leaves the barrel at an angle: its axis is followed in z."""
    place = np.array([[150, 0, 75], [160, 0, 80], [170, 0, 85]], np.float32)
    numbers = replace(NUMBERS, place=place, weight=np.ones(3, np.float32))
    found, _, _ = of(showers_of(((0, 1, 2), (1, 1, 1))), numbers)
    assert found["distance"] == pytest.approx([0, 0, 0], abs=1e-4)


def test_other_side():
    mirrored = replace(NUMBERS, place=NUMBERS.place * np.float32([1, 1, -1]))
    showers = showers_of((CELLS, DEPOSITS))
    (here, _, position), (there, _, mirror) = of(showers), of(showers, mirrored)
    for name in FEATURES:
        expected = -here[name] if name == "z" else here[name]
        assert there[name] == pytest.approx(expected, abs=1e-6)
    assert mirror == pytest.approx(position, abs=1e-5)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), turn=st.floats(-4, 4))
def test_showers_do_not_see_each_other_and_turn_about_the_beam(seed, turn):
    showers, numbers = random_case(seed)
    features, energy, position = hit_features(showers, numbers)
    assert np.isfinite(features).all()
    share = features[:, FEATURES.index("share")].astype(np.float64)
    assert np.bincount(showers.shower, share**2, len(showers))[showers.n_hits > 0] == pytest.approx(1, rel=1e-5)
    for number in range(len(showers)):
        span = slice(*showers.offsets[number : number + 2])
        alone = hit_features(showers[number], numbers)
        for whole, part in zip((features, energy, position), alone, strict=True):
            assert (whole[span] == part).all()
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin], [sin, cos]])
    place = numbers.place.copy()
    place[:, :2] = place[:, :2] @ matrix.T
    turned = hit_features(showers, replace(numbers, place=place))[0]
    for start in ("x", "across_1"):
        pair = slice(FEATURES.index(start), FEATURES.index(start) + 2)
        assert turned[:, pair] == pytest.approx(features[:, pair] @ matrix.T, abs=2e-5)
    rest = [name not in ("x", "y", "across_1", "across_2") for name in FEATURES]
    assert turned[:, rest] == pytest.approx(features[:, rest], abs=2e-4)


@pytest.mark.parametrize("deposits", [(), (0.0,), (0.0, 0.0)])
def test_showers_without_energy(deposits):
    features, energy, position = hit_features(showers_of((CELLS[: len(deposits)], deposits)), NUMBERS)
    assert features.shape == (len(deposits), len(FEATURES))
    assert all(np.isfinite(values).all() for values in (features, energy, position))
    assert (energy == 0).all()


def test_unknown_features():
    check_features(FEATURES)
    with pytest.raises(UsageError, match="no hit features radius, t; there are log_mips, "):
        check_features(("x", "radius", "t"))
