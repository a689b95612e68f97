"""Area under the ROC curve of scores, with its error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from hgcal_gnn.arrays import Array, Bools


def area_under_curve(scores: Array, positive: Bools) -> tuple[float, float]:
    """Return how often a positive scores above a negative, ties counting one half, and its standard deviation.

    The scores are taken as they are, not cut at a threshold: no dependence on how many there are of each kind. Error:
    E. R. DeLong et al., Biometrics 44 (1988) 837, computed from ranks (X. Sun, W. Xu, IEEE Signal Process. Lett. 21
    (2014) 1389).

    Parameters
    ----------
    scores : float [n]
    positive : bool [n]
        At least two of each kind.
    """
    high, low = scores[positive], scores[~positive]
    ranks = rankdata(np.concatenate([high, low]))
    n, m = len(high), len(low)
    above_low = (ranks[:n] - rankdata(high)) / m  # share of the negatives below each positive
    below_high = 1 - (ranks[n:] - rankdata(low)) / n  # share of the positives above each negative
    variance = above_low.var(ddof=1) / n + below_high.var(ddof=1) / m
    return float(above_low.mean()), float(np.sqrt(variance))
