"""Scores of a classifier as probabilities, how good these are, and the weights that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import isotonic_regression

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, Array, Bools

PROBABILITY_BINS = 10
LIMIT = 6.0  # of the histogram of ln(weights)
LOG_WEIGHT_EDGES = np.linspace(-LIMIT, LIMIT, 49)


def class_weights(generated: Bools) -> F64:
    """Return weights that make both samples count the same, mean 1, whatever their sizes: float64 [n]."""
    n_generated = int(np.count_nonzero(generated))
    half = len(generated) / 2
    return np.where(generated, half / max(n_generated, 1), half / max(len(generated) - n_generated, 1))


@dataclass(frozen=True, eq=False)
class IsotonicCalibration:
    """The ascending map from scores to probabilities that fits best, linear between its steps.

    Attributes
    ----------
    scores, probabilities : float64 [n_steps]
        Ascending.
    """

    scores: F64
    probabilities: F64

    @classmethod
    def fit(cls, scores: Array, generated: Bools) -> IsotonicCalibration:
        """Fit it on showers the classifier was not trained on; both samples count the same.

        Half a shower of each kind is added to every step (H. Jeffreys), so that no probability is 0 or 1 and all
        weights stay finite.
        """
        order = np.argsort(scores, kind="stable")
        weights, positive = class_weights(generated)[order], generated[order].astype(np.float64)
        first = isotonic_regression(positive, weights=weights).blocks[:-1]
        total, found, centre = (
            np.add.reduceat(values, first) for values in (weights, weights * positive, weights * scores[order])
        )
        of_generated = weights.max(where=positive > 0, initial=0.0)
        of_both = of_generated + weights.max(where=positive == 0, initial=0.0)
        smooth = (found + of_generated / 2) / (total + of_both / 2)
        return cls(centre / total, np.maximum.accumulate(smooth))

    def __call__(self, scores: Array) -> F64:
        """Return probabilities, float64 [n]."""
        return np.interp(scores, self.scores, self.probabilities)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Probabilities given against shares found.

    Attributes
    ----------
    given, found, error : float64 [n_bins]
        Mean probability that a shower is generated, weighted share of generated ones, and its binomial error; NaN in
        empty bins.
    mean_difference
        Mean of |given - found| over the showers (expected calibration error).
    """

    given: F64
    found: F64
    error: F64
    mean_difference: float

    @classmethod
    def of(cls, probability: Array, generated: Bools, *, bins: int = PROBABILITY_BINS) -> Reliability:
        """Compare probabilities of showers with what they are, both samples counting the same."""
        weights = class_weights(generated)
        place = np.minimum((np.asarray(probability) * bins).astype(np.int64), bins - 1)
        total, square, summed, positive = (
            np.bincount(place, weights=values, minlength=bins).astype(np.float64)
            for values in (weights, weights**2, weights * probability, weights * generated)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            given, found = summed / total, positive / total
            error = np.sqrt(found * (1 - found) * square) / total
        difference = float(np.nansum(np.abs(given - found) * total) / total.sum())
        return cls(given, found, error, difference)


@dataclass(frozen=True, eq=False)
class WeightHistogram:
    """Histograms of ln w, w = p(reference) / p(generated): the weight that makes a generated shower count right.

    For a perfect generator all weights are 1. A tail of the generated sample at small w are showers that do not exist,
    a tail of the reference at large w showers that are never generated (arXiv:2305.16774).

    Attributes
    ----------
    edges : float64 [n_bins + 1]
        The first and last bin hold what lies outside.
    reference, generated : float64 [n_bins]
        Shares of each sample.
    reference_error, generated_error : float64 [n_bins]
    """

    edges: F64
    reference: F64
    generated: F64
    reference_error: F64
    generated_error: F64

    @classmethod
    def of(cls, probability: Array, generated: Bools, *, edges: F64 = LOG_WEIGHT_EDGES) -> WeightHistogram:
        """Fill the histograms with calibrated probabilities to be generated (both samples equally likely)."""
        inside = np.clip(log_weights(probability), edges[0], edges[-1])
        counts = [np.histogram(inside[chosen], edges)[0] for chosen in (~generated, generated)]
        totals = [max(int(count.sum()), 1) for count in counts]
        shares = [count / total for count, total in zip(counts, totals, strict=True)]
        errors = [np.sqrt(count) / total for count, total in zip(counts, totals, strict=True)]
        return cls(np.asarray(edges, dtype=np.float64), shares[0], shares[1], errors[0], errors[1])


def log_weights(probability: Array) -> F64:
    """Return ln(p(reference) / p(generated)) of calibrated probabilities to be generated, float64 [n]."""
    generated = np.asarray(probability, dtype=np.float64)
    return np.log1p(-generated) - np.log(generated)
