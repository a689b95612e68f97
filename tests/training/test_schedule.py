"""Learning rates, step by step."""

from __future__ import annotations

import pytest

from hgcal_gnn.training.schedule import LearningRate, Plateau


def rate(schedule, **options):
    return LearningRate(0.1, schedule, **{"warmup": 0, "n_steps": 100, "patience": 2, **options})


def test_constant():
    assert [rate("constant").at(step) for step in (0, 50, 99)] == [0.1, 0.1, 0.1]


def test_warm_up_rises_evenly():
    warm = rate("constant", warmup=4)
    assert [warm.at(step) for step in range(6)] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1])


def test_half_a_cosine_after_the_warm_up():
    cosine = rate("cosine", warmup=20)
    assert cosine.at(20) == pytest.approx(0.1)
    assert cosine.at(60) == pytest.approx(0.05)
    assert cosine.at(100) == pytest.approx(0.0, abs=1e-12)
    assert cosine.at(150) == pytest.approx(0.0, abs=1e-12)


def test_plateaus_halve_it():
    falling = rate("plateau")
    for loss in (3.0, 2.0, 2.5, 2.5, 1.0, 1.0, 1.0):  # two without improvement, then an improvement, then two
        falling.plateau.see(loss)
    assert falling.at(5) == pytest.approx(0.025)


def test_plateaus_end_somewhere():
    plateau = Plateau(patience=1)
    for _ in range(50):
        plateau.see(1.0)
    assert plateau.factor == pytest.approx(1e-3)


def test_a_resumed_schedule_knows_what_was_seen():
    before, after = rate("plateau"), rate("plateau")
    for loss in (1.0, 2.0):
        before.plateau.see(loss)
    after.load_state_dict(before.state_dict())
    after.plateau.see(2.0)
    assert after.at(0) == pytest.approx(0.05)
