"""The tails of a distribution: where its outermost 0.1 % begin, and how many showers lie there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.distance import Distance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64

SHARE = 1e-3
FEWEST = 10  # showers of the reference in a tail; with fewer its beginning is not known


@dataclass(frozen=True)
class Tails:
    """Both tails of one quantity, generated over reference: 1 is perfect.

    Attributes
    ----------
    low_quantile, high_quantile
        Ratio of the quantiles. Means something only for quantities without a change of sign.
    low_share, high_share
        Showers beyond the quantile of the reference, over those that belong there.
    """

    low_quantile: Distance
    high_quantile: Distance
    low_share: Distance
    high_share: Distance


def tails(reference: ArrayLike, generated: ArrayLike, *, share: float = SHARE) -> Tails:
    """Compare the tails of two samples; analytic errors.

    A quantile is known to half the distance of the quantiles one binomial standard deviation below and above; the
    error of a share is that of both samples' numbers of showers there. NaN and infinite values are left out.

    Parameters
    ----------
    reference : float [n]
        At least 10 / `share` values, 10,000 for 0.1 %.
    generated : float [m]
    """
    ours, theirs = (np.asarray(values, np.float64).ravel() for values in (reference, generated))
    ours, theirs = np.sort(ours[np.isfinite(ours)]), np.sort(theirs[np.isfinite(theirs)])
    names = [f"{side}_{what}" for what in ("quantile", "share") for side in ("low", "high")]
    if min(len(ours), len(theirs)) * share < FEWEST:
        needed = f"{len(ours)} reference and {len(theirs)} generated values; each needs {FEWEST / share:.0f}"
        return Tails(*(Distance.not_available(name, needed) for name in names))
    quantiles = [_quantile_ratio(name, ours, theirs, q) for name, q in zip(names[:2], (share, 1 - share), strict=True)]
    shares = [
        _share_ratio(names[2], ours, theirs, share),
        _share_ratio(names[3], -ours[::-1], -theirs[::-1], share),  # the upper tail of x is the lower one of -x
    ]
    return Tails(*quantiles, *shares)


def _quantile_ratio(name: str, reference: F64, generated: F64, share: float) -> Distance:
    (ours, our_error), (theirs, their_error) = (_quantile(values, share) for values in (reference, generated))
    if ours == 0:
        return Distance.not_available(name, "the quantile of the reference is 0")
    ratio = theirs / ours
    error = abs(ratio) * float(np.hypot(our_error / ours, their_error / theirs)) if theirs else abs(their_error / ours)
    _, same_size = _quantile(reference, share, len(generated))
    return Distance(name, ratio, error, 1.0, float(np.hypot(our_error, same_size)) / abs(ours))


def _quantile(values: F64, share: float, number: int | None = None) -> tuple[float, float]:
    """Return a quantile of sorted values and its standard deviation, for `number` showers (default: all there are)."""
    spread = (share * (1 - share) / (number or len(values))) ** 0.5
    low, middle, high = np.quantile(values, np.clip([share - spread, share, share + spread], 0.0, 1.0))
    return float(middle), float(high - low) / 2


def _share_ratio(name: str, reference: F64, generated: F64, share: float) -> Distance:
    """Compare how many of the sorted values lie at or below the quantile of the reference."""
    limit = np.quantile(reference, share)
    expected = float(np.searchsorted(reference, limit, side="right")) / len(reference)
    if expected > 2 * share:
        return Distance.not_available(name, f"{expected:.2%} of the reference have the same outermost value")
    found = float(np.searchsorted(generated, limit, side="right")) / len(generated)
    ours, theirs = expected * len(reference), found * len(generated)
    ratio = found / expected
    error = (ratio**2 / ours + max(theirs, 1.0) / (expected * len(generated)) ** 2) ** 0.5
    return Distance(name, ratio, error, 1.0, (1 / ours + 1 / (expected * len(generated))) ** 0.5)
