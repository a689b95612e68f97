"""Fits of the resolution against energy: known terms come back, with errors that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.published import PION, published_fits, published_points
from hgcal_gnn.evaluation.response_fit import fit_resolution, resolution_curve

ENERGY = np.array([10, 20, 30, 50, 80, 100, 200, 300, 500.0])


def measured(terms, relative=0.02, seed=0, energy=ENERGY):
    exact = resolution_curve(energy, *terms)
    return exact * (1 + relative * np.random.default_rng(seed).normal(size=len(energy))), relative * exact


def test_the_curve_on_paper():
    # 20 %/sqrt(100) = 2 %, 1 GeV / 100 GeV = 1 %, 2 % constant: 3 % in quadrature
    assert resolution_curve(100.0, 0.2, 1.0, 0.02) == pytest.approx(0.03)


def test_exact_points_give_exact_terms():
    fit = fit_resolution(ENERGY, resolution_curve(ENERGY, 0.22, 0.5, 0.01), np.full(9, 1e-3))
    assert fit.value == pytest.approx([0.22, 0.5, 0.01], rel=1e-6)
    assert fit.chi2 == pytest.approx(0, abs=1e-9)
    assert fit.ndf == 6
    assert fit(ENERGY) == pytest.approx(resolution_curve(ENERGY, 0.22, 0.5, 0.01))


def test_pulls_are_of_order_one():
    terms = np.array([0.22, 0.5, 0.01])
    fits = [fit_resolution(ENERGY, *measured(terms, seed=seed)) for seed in range(300)]
    pulls = np.array([(fit.value - terms) / fit.error for fit in fits])
    assert np.isfinite(pulls).all()
    assert pulls.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.2)
    assert pulls.std(axis=0) == pytest.approx(np.ones(3), abs=0.15)
    assert np.mean([fit.chi2 for fit in fits]) == pytest.approx(6, abs=0.7)


def test_agrees_with_a_fit_by_another_method():
    resolution, error = measured((0.22, 0.5, 0.01), seed=4)
    fit = fit_resolution(ENERGY, resolution, error)
    value, covariance = curve_fit(
        resolution_curve, ENERGY, resolution, p0=(0.2, 0.4, 0.02), sigma=error, absolute_sigma=True
    )
    assert fit.value == pytest.approx(np.abs(value), rel=1e-3)
    assert fit.error == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-2)
    assert np.sign(fit.covariance[0, 2]) == np.sign(covariance[0, 2])


def test_published_pions_give_the_published_terms():
    terms = {"beam test, starts in CE-E": (1.36, 0.080), "beam test, MIP in CE-E": (1.19, 0.095)}
    for points in published_points(-PION):
        n = len(points.energy)
        assert len(points.response) == len(points.resolution) == n
        fit = fit_resolution(points.energy, points.resolution, np.full(n, 0.004))
        assert fit.value[[0, 2]] == pytest.approx(terms[points.name], rel=0.01)
        assert np.isfinite(fit.limit[1])  # no noise to be seen
    assert published_fits(PION) == ()
    assert published_fits(22) == published_fits(-11)


def test_terms_that_are_not_seen_get_limits():
    above = []
    for seed in range(60):
        fit = fit_resolution(ENERGY, *measured((0.22, 0.0, 0.01), seed=seed))
        assert np.isfinite(fit.error[1]) != np.isfinite(fit.limit[1])  # one or the other
        if np.isfinite(fit.limit[1]):
            above.append(fit.limit[1])
            assert np.isnan(fit.covariance[1]).all()
            assert fit.to_json()["b_error"] is None
            assert "(< " in str(fit)
    assert len(above) > 30
    assert 0.05 < np.median(above) < 0.4


def test_a_limit_is_where_chi2_has_risen():
    resolution, error = measured((0.22, 0.0, 0.01), relative=0.01, seed=2)
    fit = fit_resolution(ENERGY, resolution, error)
    assert np.isfinite(fit.limit[1])
    limit = fit.limit[1]
    (a, c), _ = curve_fit(
        lambda e, a, c: resolution_curve(e, a, limit, c), ENERGY, resolution, p0=(0.2, 0.01), sigma=error
    )
    chi2 = (((resolution - resolution_curve(ENERGY, a, limit, c)) / error) ** 2).sum()
    assert chi2 - fit.chi2 == pytest.approx(2.71, abs=0.01)


def test_few_points_are_told():
    three = fit_resolution(ENERGY[:3], *measured((0.5, 0.0, 0.05), energy=ENERGY[:3]))
    assert three.value[1] == 0
    assert three.ndf == 1
    assert three.note == "3 points: no noise term b fitted"
    assert "/E" not in str(three).replace("/√E", "")
    assert fit_resolution(ENERGY[:2], *measured((0.5, 0.0, 0.05), energy=ENERGY[:2])).ndf == 0
    with pytest.raises(InputError, match="two or more energies with a known error, got 1"):
        fit_resolution(ENERGY[:3], [0.1, np.nan, 0.1], [0.01, 0.01, 0.0])
