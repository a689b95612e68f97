"""Shape of the response (prediction over truth) of showers of about one energy: bias, widths, core, tails."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import erf, ndtr, ndtri

from hgcal_gnn.evaluation.bootstrap import Replicas

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I64

ONE_SIGMA = (float(ndtr(-1.0)), float(ndtr(1.0)))  # 0.1587, 0.8413: the central 68.27 %
CORE = 2.0  # half width of the window of the core fit, in sigma
TAIL = 3.0  # where tails begin, in sigma_68
GAUSSIAN_TAIL = float(ndtr(-TAIL))  # 0.00135: share of a Gaussian in one tail
ITERATIONS = 25  # the window's error shrinks by 0.44 each time for a Gaussian: 1e-9
CHI2_SHOWERS = 20  # expected in each bin of the chi2
CHI2_BINS = (6, 40)
_DENSITY = float(np.exp(-(CORE**2) / 2) / np.sqrt(2 * np.pi))
# Standard deviation of a unit Gaussian cut at +-CORE: 0.8796
_CUT = float(np.sqrt(1 - 2 * CORE * _DENSITY / erf(CORE / np.sqrt(2))))


class Shape(NamedTuple):
    """Statistics of the response r = prediction / truth, one value per replica (float64 [rows])."""

    bias: F64  # median(r) - 1
    resolution: F64  # sigma_68 / median(r), sigma_68 = (84.13 % quantile - 15.87 % quantile) / 2
    core_mean: F64  # of the Gaussian of the core
    core_sigma: F64  # of the Gaussian of the core, over its mean
    rms: F64  # standard deviation of all showers over their mean
    tail_low: F64  # share of showers below median - 3 sigma_68
    tail_high: F64  # share of showers above median + 3 sigma_68


def response_shape(response: F64, counts: I64) -> Shape:
    """Measure the shape of the response in several replicas.

    Where the median (mean) is not above 0, widths relative to it mean nothing and are NaN.

    Parameters
    ----------
    response : float64 [n]
    counts : int64 [rows, n]
        From `bootstrap.count_blocks`.
    """
    sample = Replicas(response, counts)
    median = sample.quantile(0.5)
    sigma = 0.5 * (sample.quantile(ONE_SIGMA[1]) - sample.quantile(ONE_SIGMA[0]))
    everything = np.full(len(counts), np.inf)
    _, mean, rms = sample.moments(-everything, everything)
    core_mean, core_sigma = _core(sample, median, sigma)
    return Shape(
        bias=median - 1.0,
        resolution=_over(sigma, median),
        core_mean=core_mean,
        core_sigma=_over(core_sigma, core_mean),
        rms=_over(rms, mean),
        tail_low=sample.below(median - TAIL * sigma),
        tail_high=sample.above(median + TAIL * sigma),
    )


def core_chi2(response: F64, mean: float, sigma: float) -> tuple[float, int]:
    """Return chi2 (Pearson) and degrees of freedom of the core fit.

    Bins of equal expectation within +-2 sigma, free: mean, sigma and number of showers. NaN and 0 with too few showers.
    As mean and sigma are fitted without bins, chi2 lies a little above its distribution (H. Chernoff, E. L. Lehmann,
    Annals of Mathematical Statistics 25 (1954) 579).
    """
    if not sigma > 0:
        return float("nan"), 0
    inside = response[np.abs(response - mean) <= CORE * sigma]
    number = int(np.clip(len(inside) // CHI2_SHOWERS, 0, CHI2_BINS[1]))
    if number < CHI2_BINS[0]:
        return float("nan"), 0
    edges = mean + sigma * ndtri(np.linspace(ndtr(-CORE), ndtr(CORE), number + 1))
    count = np.bincount(np.searchsorted(edges[1:-1], inside), minlength=number)
    expected = len(inside) / number
    return float(((count - expected) ** 2).sum() / expected), number - 3


def _core(sample: Replicas, mean: F64, sigma: F64) -> tuple[F64, F64]:
    """Fit a Gaussian to the showers within +-2 sigma of its own mean.

    For a fixed window the likelihood of a cut Gaussian is largest where its mean and standard deviation are those of
    the showers in it; the window follows until nothing changes.
    """
    for _ in range(ITERATIONS):
        _, mean, deviation = sample.moments(mean - CORE * sigma, mean + CORE * sigma)
        sigma = deviation / _CUT
    return mean, sigma


def _over(width: F64, centre: F64) -> F64:
    return np.where(centre > 0, width / np.where(centre > 0, centre, 1.0), np.nan)
