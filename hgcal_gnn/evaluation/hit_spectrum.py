"""Spectrum of the hits: how many of which energy, and the peak that minimum ionising particles leave."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I32, I64
    from hgcal_gnn.evaluation.features import ShowerSource
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers

GEV_EDGES = np.geomspace(1e-5, 1e2, 71)
MIP_EDGES = np.geomspace(1e-2, 1e5, 71)
PEAK_EDGES = np.linspace(0.0, 4.0, 81)  # E_MIP
PEAK_WINDOW = (0.4, 2.5)  # E_MIP; where the maximum is looked for
PEAK_HITS = 100  # fewer in its bin say nothing
FIT_BINS = 2  # on each side of the maximum


@dataclass(frozen=True, eq=False)
class Histogram:
    """Mean number of hits per shower in bins.

    Attributes
    ----------
    unit
    edges : float64 [n_bins + 1]
    mean, error : float64 [n_bins + 2]
        Hits per shower and the error of this mean, from the spread of the showers (hits of one shower are not
        independent); below the first edge, in the bins, from the last edge on.
    entries : int64 [n_bins + 2]
        Hits counted.
    """

    unit: str
    edges: F64
    mean: F64
    error: F64
    entries: I64


@dataclass(frozen=True)
class MipPeak:
    """Peak of minimum ionising particles; NaN where there is none.

    Attributes
    ----------
    position, position_error
        Maximum of a parabola through the logarithm of the bins around the highest one [E_MIP].
    width
        Between the places where the spectrum falls to half of it [E_MIP].
    height, height_error
        Hits per shower and E_MIP at the maximum.
    """

    position: float
    position_error: float
    width: float
    height: float
    height_error: float


@dataclass(frozen=True, eq=False)
class HitSpectrum:
    """Hit energies of a sample.

    Attributes
    ----------
    energy
        Calibrated energy of hits [GeV], even bins in the logarithm.
    mips
        Deposit of hits [E_MIP], even bins in the logarithm.
    peak_region
        The same, even bins from 0 to 4 E_MIP.
    peak
    n_showers, n_not_finite
        Showers, and hits that are not finite numbers (not counted).
    """

    energy: Histogram
    mips: Histogram
    peak_region: Histogram
    peak: MipPeak
    n_showers: int
    n_not_finite: int

    def to_json(self) -> dict[str, Any]:
        """Return it as plain lists and numbers (NaN where not known)."""
        found: dict[str, Any] = {"n_showers": self.n_showers, "n_not_finite": self.n_not_finite}
        found["mip_peak"] = asdict(self.peak)
        for name in ("energy", "mips", "peak_region"):
            histogram = getattr(self, name)
            arrays = {key: getattr(histogram, key).tolist() for key in ("edges", "mean", "error", "entries")}
            found[name] = {"unit": histogram.unit, **arrays}
        return found


def hit_spectrum(data: ShowerSource, numbers: CellNumbers) -> HitSpectrum:
    """Measure the hit energies of showers chunk by chunk; deposits of one shower in one cell are one hit.

    Showers count with their statistical weights, unless all of them are 0 (nobody set them).
    """
    edges = (GEV_EDGES, MIP_EDGES, PEAK_EDGES)
    per_mip = np.float32(1) / numbers.mip
    scales = (numbers.weight, per_mip, per_mip)
    sums = [np.zeros((4, len(each) + 1)) for each in edges]
    weights = np.zeros(2)
    n_showers = n_not_finite = 0
    for given in data.chunks():
        showers = given.merged()
        weight = _weights(showers)
        weights += weight.sum(), (weight**2).sum()
        n_showers += len(showers)
        n_not_finite += int((~np.isfinite(showers.energy)).sum())
        for number, scale in enumerate(scales):
            table, even = edges[number], number < 2
            sums[number] += _count(showers.offsets, showers.cell, showers.energy, scale, weight, table, even)
    energy, mips, region = (
        _histogram(unit, table, found, weights)
        for unit, table, found in zip(("GeV", "MIP", "MIP"), edges, sums, strict=True)
    )
    return HitSpectrum(energy, mips, region, mip_peak(region), n_showers, n_not_finite)


def mip_peak(histogram: Histogram) -> MipPeak:
    """Find the peak in a histogram of even bins; NaN if the highest bin is at a border or holds too few hits."""
    width = histogram.edges[1] - histogram.edges[0]
    middle = histogram.edges[:-1] + width / 2
    mean, error, entries = (values[1:-1] for values in (histogram.mean, histogram.error, histogram.entries))
    low, high = np.searchsorted(middle, PEAK_WINDOW)
    top = int(low + np.argmax(mean[low:high]))
    near = slice(top - FIT_BINS, top + FIT_BINS + 1)
    if not low + FIT_BINS <= top < high - FIT_BINS or entries[near].min() < PEAK_HITS:
        return MipPeak(*[np.nan] * 5)
    # weighted with the relative errors, as ln has them
    steps = (middle[near] - middle[top]) / width
    fit, covariance = np.polyfit(steps, np.log(mean[near]), 2, w=mean[near] / error[near], cov="unscaled")
    bend, slope = fit[:2]
    if bend >= 0:
        return MipPeak(*[np.nan] * 5)
    place = -slope / (2 * bend)
    gradient = np.array([slope / (2 * bend**2), -1 / (2 * bend), 0.0])
    place_error = np.sqrt(gradient @ covariance @ gradient)
    at_top = np.array([place**2, place, 1.0])
    height = np.exp(at_top @ fit) / width
    return MipPeak(
        position=float(middle[top] + place * width),
        position_error=float(place_error * width),
        width=_full_width(middle, mean / width, height / 2, top),
        height=float(height),
        height_error=float(height * np.sqrt(at_top @ covariance @ at_top)),
    )


def _full_width(middle: F64, density: F64, half: float, top: int) -> float:
    """Return the distance of the points where the density falls to `half`, straight lines between bins; NaN if none."""
    below = np.flatnonzero(density < half)
    left, right = below[below < top], below[below > top]
    if not (len(left) and len(right)):
        return float("nan")
    i, j = left[-1], right[0]
    rising = np.interp(half, density[i : i + 2], middle[i : i + 2])
    falling = np.interp(half, density[j - 1 : j + 1][::-1], middle[j - 1 : j + 1][::-1])
    return float(falling - rising)


def _weights(showers: Showers) -> F64:
    """Return the statistical weights, float64 [n_showers]."""
    if showers.weight is None or not (showers.weight != 0).any():
        return np.ones(len(showers))
    return showers.weight.astype(np.float64)


def _histogram(unit: str, edges: F64, sums: F64, weights: F64) -> Histogram:
    """Turn the sums of `_count` and the sums of the weights and their squares into means with errors."""
    weighted, twice, square, entries = sums
    norm = weights[0] if weights[0] > 0 else np.nan
    mean = weighted / norm
    # sum of w^2 (n - mean)^2
    spread = np.maximum(square - 2 * mean * twice + weights[1] * mean**2, 0.0)
    return Histogram(unit, edges, mean, np.sqrt(spread) / norm, entries.astype(np.int64))


@njit(cache=True)
def _count(offsets: I64, cell: I32, deposit: F32, scale: F32, weight: F64, edges: F64, even_in_log: bool) -> F64:
    """Count hits of deposit x scale [n_cells] between edges that are even, in themselves or in the logarithm.

    Returns
    -------
    float64 [4, n_bins + 2]
        Sums over showers of w n, w^2 n, w^2 n^2 and n, with n the hits of a shower in a bin; under- and overflow in
        the first and last bin.
    """
    n_bins = len(edges) - 1
    first, last = edges[0], edges[-1]
    if even_in_log:
        first, last = np.log(first), np.log(last)
    per_bin = n_bins / (last - first)
    sums = np.zeros((4, n_bins + 2))
    counts = np.zeros(n_bins + 2)
    for shower in range(len(offsets) - 1):
        counts[:] = 0.0
        for hit in range(offsets[shower], offsets[shower + 1]):
            if not 0 < deposit[hit] < np.inf:
                continue
            value = np.float64(deposit[hit]) * scale[cell[hit]]
            if even_in_log:
                value = np.log(value)
            place = int(np.floor((value - first) * per_bin)) + 1
            counts[max(0, min(place, n_bins + 1))] += 1.0
        for bin_number in range(n_bins + 2):
            n, w = counts[bin_number], weight[shower]
            sums[0, bin_number] += w * n
            sums[1, bin_number] += w * w * n
            sums[2, bin_number] += w * w * n * n
            sums[3, bin_number] += n
    return sums
