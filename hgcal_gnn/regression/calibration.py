"""Correction of the median response, by numerical inversion as in the calibration of jets at the LHC.

The median response R(E) = median(prediction / truth) is measured in bins of the truth E; a prediction p becomes the E
that solves p = E R(E) (ATLAS, arXiv:1112.6426, section 9; properties: Cukierman and Nachman, arXiv:1609.05195).

The resolution of the corrected prediction holds the slope of E R(E): a model that shrinks everything to the mean has a
narrow p / E, and this correction stretches it back. Resolutions are compared after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

from hgcal_gnn.errors import InputError

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, Array

MIN_SHOWERS = 200  # in all, and wished for in a bin: an error of a percent for resolutions of 15 %
MAX_BINS = 20
MIN_BINS, DEGREE = 8, 3  # for smoothing, and of the polynomial
SMALLEST = 1e-6  # GeV; of predictions, whose logarithm is needed


@dataclass(frozen=True, eq=False)
class ResponseCalibration:
    """What predictions become.

    Attributes
    ----------
    predicted, truth : float64 [n_points]
        Median prediction at some energies [GeV], both ascending.
    """

    predicted: F64
    truth: F64

    @classmethod
    def fit(cls, predicted: F64, truth: F64) -> ResponseCalibration:
        """Measure the response of a sample the model was not fitted to.

        Bins hold as many showers each, at least 200, and are 20 at most. Their medians, each uncertain by a tenth of
        the resolution, are smoothed by a cubic in ln E where there are bins enough.

        Parameters
        ----------
        predicted, truth : float64 [n_showers]
            [GeV]

        Raises
        ------
        InputError
            If there are too few showers, energies that are not positive, or predictions that are NaN or mostly 0.
        """
        if len(truth) < MIN_SHOWERS:
            msg = f"{len(truth)} showers are too few to measure the response (at least {MIN_SHOWERS}); validate on more"
            raise InputError(msg)
        if not (truth > 0).all() or not np.isfinite(predicted).all():
            n_bad = int((~(truth > 0) | ~np.isfinite(predicted)).sum())
            msg = f"{n_bad} of {len(truth)} showers have a true energy that is not positive or a prediction that is NaN"
            raise InputError(msg)
        energy, response, width = _medians(np.asarray(predicted, np.float64), np.asarray(truth, np.float64))
        return cls(*_ascending(energy * _smooth(energy, response, width), energy))

    def __call__(self, predicted: F64) -> F64:
        """Correct predictions [GeV]; beyond the energies of the fit by the factor at its end."""
        knots, levels = np.log(self.predicted), np.log(self.truth)
        inside = np.clip(np.log(np.maximum(predicted, SMALLEST)), knots[0], knots[-1])
        level = PchipInterpolator(knots, levels)(inside) if len(knots) > 1 else levels
        corrected: F64 = predicted * np.exp(level - inside)
        return corrected

    def state(self) -> dict[str, Array]:
        """Return the two arrays, for a .safetensors file."""
        return {"predicted": self.predicted, "truth": self.truth}

    @classmethod
    def of_state(cls, state: dict[str, Array]) -> ResponseCalibration:
        """Take over what `state` gave."""
        return cls(state["predicted"], state["truth"])


def _medians(predicted: F64, truth: F64) -> tuple[F64, F64, F64]:
    """Measure bins of equal numbers: mean energy (of the logarithm), median response, width; float64 [n_bins] each."""
    n_bins = min(len(truth) // MIN_SHOWERS, MAX_BINS)
    edges = np.unique(np.quantile(truth, np.arange(1, n_bins) / n_bins))
    which = np.searchsorted(edges, truth, side="right")
    found = []
    for number in np.flatnonzero(np.bincount(which)):
        inside = which == number
        low, median, high = np.quantile(predicted[inside] / truth[inside], [0.1587, 0.5, 0.8413])
        found.append((np.log(truth[inside]).mean(), median, (high - low) / 2))
    logs, response, width = np.array(found).T
    return np.exp(logs), response, width


def _smooth(energy: F64, response: F64, width: F64) -> F64:
    """Return the response [n_bins] on a cubic in ln E through the medians, weighted by their errors."""
    if len(energy) < MIN_BINS or not (response > 0).all():
        return response
    weights = response / np.maximum(width, 1e-3 * response)  # errors of a median go as the width
    cubic = np.polynomial.Polynomial.fit(np.log(energy), np.log(response), DEGREE, w=weights)
    smooth: F64 = np.exp(cubic(np.log(energy)))
    return smooth


def _ascending(predicted: F64, truth: F64) -> tuple[F64, F64]:
    """Join points until the prediction ascends with the truth (isotonic regression of the logarithms)."""
    usable = predicted > 0
    if not usable.any():
        msg = "the median prediction is 0 or less at all energies; the model has not learned anything"
        raise InputError(msg)
    fitted = isotonic_regression(np.log(predicted[usable]), increasing=True)
    counts = np.diff(fitted.blocks)
    starts = fitted.blocks[:-1]
    levels = np.exp(fitted.x[starts])
    return levels, np.exp(np.add.reduceat(np.log(truth[usable]), starts) / counts)
