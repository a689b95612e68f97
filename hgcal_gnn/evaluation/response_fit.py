"""Energy dependence of a resolution: sigma/E = a/sqrt(E) (+) b/E (+) c, terms added in quadrature.

a is the stochastic, b the noise and c the constant term (R. L. Workman et al., Review of Particle Physics, PTEP 2022
083C01, section 35.10, which writes S/sqrt(E) (+) N/E (+) C).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq, nnls

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.text import with_error

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, Bools

TERMS = ("a", "b", "c")
UNITS = {"a": "sqrt(GeV)", "b": "GeV", "c": ""}
POINTS_FOR_NOISE = 4  # with fewer, b is left out
ITERATIONS = 50
CLOSE = 1e-12  # relative change of chi2 at which the fit has settled
LIMIT = 2.71  # rise of chi2 at the one-sided 95 % limit of a parameter that cannot be negative


@dataclass(frozen=True, eq=False)
class ResolutionFit:
    """Fit of the energy dependence of a resolution.

    Attributes
    ----------
    value, error : float64 [3]
        a [sqrt(GeV)], b [GeV], c. Terms at 0, and terms smaller than their error, have error NaN and a limit instead.
    limit : float64 [3]
        Upper limits at 95 % confidence of such terms, else NaN.
    covariance : float64 [3, 3]
        Of the terms with an error; NaN for others.
    chi2, ndf
    note
        What should be known, such as terms left out; empty if nothing.
    """

    value: F64
    error: F64
    limit: F64
    covariance: F64
    chi2: float
    ndf: int
    note: str = ""

    def __call__(self, energy: ArrayLike) -> F64:
        """Return the fitted resolution at energies [GeV]."""
        return resolution_curve(energy, *self.value)

    def __str__(self) -> str:
        shown = ((0, 1e2, " %", "/√E"), (1, 1.0, " GeV", "/E"), (2, 1e2, " %", ""))
        return " ⊕ ".join(self._term(k, factor, unit) + form for k, factor, unit, form in shown if self._is_known(k))

    def to_json(self) -> dict[str, Any]:
        """Return a, b, c, each with NAME_error and NAME_limit (null where there is none), chi2, ndf, note."""
        found: dict[str, Any] = {}
        for k, name in enumerate(TERMS):
            numbers = {name: self.value[k], f"{name}_error": self.error[k], f"{name}_limit": self.limit[k]}
            found |= {key: float(number) if np.isfinite(number) else None for key, number in numbers.items()}
        return found | {"chi2": self.chi2, "ndf": self.ndf, "note": self.note}

    def _is_known(self, k: int) -> bool:
        return bool(np.isfinite(self.error[k]) or np.isfinite(self.limit[k]))

    def _term(self, k: int, factor: float, unit: str) -> str:
        if np.isfinite(self.limit[k]):
            return f"(< {factor * self.limit[k]:.2g}{unit})"
        return f"({with_error(factor * self.value[k], factor * self.error[k])}{unit})"


def resolution_curve(energy: ArrayLike, a: float, b: float, c: float) -> F64:
    """Return a/sqrt(E) (+) b/E (+) c at energies [GeV]."""
    inverse = 1.0 / np.asarray(energy, np.float64)
    return np.asarray(np.sqrt(a**2 * inverse + b**2 * inverse**2 + c**2))


def fit_resolution(energy: ArrayLike, resolution: ArrayLike, error: ArrayLike) -> ResolutionFit:
    """Fit a, b and c to resolutions with errors by least chi2; points that are not finite are left out.

    The square of the resolution is linear in a², b², c², none of which can be negative: the fit has one minimum and
    needs no starting values. The step from the square to the resolution itself is made by Gauss-Newton iterations.

    Parameters
    ----------
    energy : [n_points]
        [GeV]
    resolution, error : [n_points]
        sigma/E and its standard error.

    Raises
    ------
    InputError
        With fewer than two usable points.
    """
    columns = [np.asarray(values, np.float64) for values in (energy, resolution, error)]
    usable = np.isfinite(columns).all(axis=0) & (columns[0] > 0) & (columns[2] > 0)
    e, measured, sigma = (values[usable] for values in columns)
    n = len(e)
    if n < 2:
        msg = f"a fit of the resolution needs two or more energies with a known error, got {n}"
        raise InputError(msg)
    free = np.array([True, n >= POINTS_FOR_NOISE, True])
    note = "" if free[1] else f"{n} points: no noise term b fitted"
    squares, chi2 = _least(e, measured, sigma, free)
    return _summed_up(e, measured, sigma, free, squares, chi2, note)


def _summed_up(e: F64, measured: F64, sigma: F64, free: Bools, squares: F64, chi2: float, note: str) -> ResolutionFit:
    """Add errors, and limits of the terms that are not told from 0."""
    value = np.sqrt(squares)
    error, limit, covariance = np.full(3, np.nan), np.full(3, np.nan), np.full((3, 3), np.nan)
    inside = np.flatnonzero(free & (squares > 0))
    of_squares = np.linalg.pinv(_information(e, squares, sigma)[np.ix_(inside, inside)])
    told = np.sqrt(np.diag(of_squares)) < 2 * squares[inside]  # x > its error: d(x²) = 2 x dx
    slope = 1 / (2 * value[inside])
    covariance[np.ix_(inside, inside)] = of_squares * np.outer(slope, slope)
    covariance[~np.isin(np.arange(3), inside[told])] = np.nan
    covariance[:, ~np.isin(np.arange(3), inside[told])] = np.nan
    error[inside[told]] = np.sqrt(np.diag(covariance)[inside[told]])
    for k in np.flatnonzero(free & ~np.isfinite(error)):
        limit[k] = _upper_limit(e, measured, sigma, free, int(k), value[k], chi2)
    return ResolutionFit(value, error, limit, covariance, chi2, len(e) - int(free.sum()), note)


def _terms(e: F64) -> F64:
    """Return what multiplies a², b², c² at each energy, [n_points, 3]."""
    return np.stack([1 / e, 1 / e**2, np.ones_like(e)], axis=1)


def _information(e: F64, squares: F64, sigma: F64) -> F64:
    """Return the inverse covariance of a², b², c²: d(resolution) = d(resolution²) / (2 resolution)."""
    terms = _terms(e)
    rows = terms / (2 * np.sqrt(terms @ squares) * sigma)[:, None]
    return np.asarray(rows.T @ rows)


def _least(e: F64, measured: F64, sigma: F64, free: Bools, fixed: F64 | None = None) -> tuple[F64, float]:
    """Return a², b², c² of least chi2 and chi2; `fixed` holds the squares of terms that are not free."""
    fixed = np.zeros(3) if fixed is None else fixed
    terms = _terms(e)
    offset = terms @ fixed
    squares, chi2, curve = fixed, np.inf, measured
    for _ in range(ITERATIONS):
        # s = curve + (s² - curve²) / (2 curve) to first order, which is linear in the squares of the terms
        scale = 2 * curve * sigma
        found = nnls(terms[:, free] / scale[:, None], (2 * curve * measured - curve**2 - offset) / scale)[0]
        squares = fixed.copy()
        squares[free] = found
        curve = np.sqrt(terms @ squares)
        last, chi2 = chi2, float((((measured - curve) / sigma) ** 2).sum())
        if abs(last - chi2) <= CLOSE * max(chi2, 1.0):
            break
    return squares, chi2


def _upper_limit(e: F64, measured: F64, sigma: F64, free: Bools, k: int, start: float, chi2: float) -> float:
    """Return the value of term `k` at which the chi2 of a fit of the others has risen by 2.71."""
    others = free & (np.arange(3) != k)

    def rise(value: float) -> float:
        fixed = np.zeros(3)
        fixed[k] = value**2
        return _least(e, measured, sigma, others, fixed)[1] - chi2 - LIMIT

    high = float((measured + sigma * 10).max() / np.sqrt(_terms(e)[:, k].max()))
    while rise(high) < 0:
        high *= 2
    return float(brentq(rise, start, high, xtol=1e-6 * high))
