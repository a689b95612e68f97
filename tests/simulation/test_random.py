"""Random numbers of the kernels: the right distributions, and a stream of its own for every shower."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from hgcal_gnn.simulation import random

N = 200_000


@njit
def draw(kind, parameter, n, seed, number):
    state = np.empty(4, np.uint64)
    random.seed_stream(state, seed, number)
    values = np.empty(n)
    for i in range(n):
        if kind == 0:
            values[i] = random.uniform(state)
        elif kind == 1:
            values[i] = random.normal(state)
        elif kind == 2:
            values[i] = random.exponential(state)
        elif kind == 3:
            values[i] = random.gamma(state, parameter)
        elif kind == 4:
            values[i] = random.poisson(state, parameter)
        elif kind == 5:
            values[i] = random.beta(state, parameter, 2.0 * parameter)
        else:
            values[i] = random.landau(state)
    return values


@pytest.mark.parametrize(
    ("kind", "parameter", "mean", "variance"),
    [
        (0, 0.0, 0.5, 1 / 12),
        (1, 0.0, 0.0, 1.0),
        (2, 0.0, 1.0, 1.0),
        (3, 0.5, 0.5, 0.5),
        (3, 4.0, 4.0, 4.0),
        (4, 0.3, 0.3, 0.3),
        (4, 9.9, 9.9, 9.9),
        (4, 10.1, 10.1, 10.1),
        (4, 300.0, 300.0, 300.0),
        (5, 1.5, 1 / 3, 1.5 * 3 / (4.5**2 * 5.5)),
    ],
)
def test_mean_and_variance(kind, parameter, mean, variance):
    values = draw(kind, parameter, N, 1, 2)
    assert values.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / N))
    assert values.var() == pytest.approx(variance, rel=0.03)


def test_poisson_changes_method_without_a_step():
    """Sampling by products and by rejection meet at a mean of 10: the share of each count must agree."""
    below, above = (np.bincount(draw(4, mean, N, 3, 4).astype(int), minlength=40)[:40] for mean in (9.999, 10.001))
    assert np.abs(below - above).max() < 5 * np.sqrt(2 * below.max())


def test_landau_has_its_published_quantiles():
    """Median and quartiles of the Landau density (Koelbig and Schorr, CPC 31 (1984) 97; CERNLIB G110)."""
    values = draw(6, 0.0, N, 5, 6)
    assert np.median(values) == pytest.approx(1.3558, abs=0.03)
    counts, edges = np.histogram(values, 60, (-3, 3))
    top = slice(counts.argmax() - 6, counts.argmax() + 7)
    parabola = np.polyfit((edges[:-1] + 0.05)[top], counts[top], 2)
    assert -parabola[1] / (2 * parabola[0]) == pytest.approx(-0.22, abs=0.12)


def test_streams_depend_on_seed_and_number_only():
    one = draw(0, 0.0, 100, 7, 8)
    assert np.array_equal(one, draw(0, 0.0, 100, 7, 8))
    for seed, number in ((7, 9), (8, 8), (8, 7)):
        assert not np.isin(one, draw(0, 0.0, 100, seed, number)).any()


def test_streams_of_neighbouring_showers_do_not_resemble_each_other():
    firsts = np.array([draw(0, 0.0, 2, 0, number) for number in range(2000)])
    assert abs(np.corrcoef(firsts[:-1, 0], firsts[1:, 0])[0, 1]) < 0.1
    assert firsts.mean() == pytest.approx(0.5, abs=0.02)
