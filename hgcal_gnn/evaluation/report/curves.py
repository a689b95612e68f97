"""Numbers behind the pictures: histograms with common bins, and families of observables as one curve."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import F64, Array

N_BINS = 50
TAILS = 0.001  # share of the reference left out of the range on either side
FAMILY = 4  # members from which observables that differ in one number are drawn as one curve
FEWEST_BINS, BINS_PER_ROOT = 10, 3.2  # bins per cube root of the showers


class Binned(NamedTuple):
    """A histogram: shares of the showers that have the observable.

    Attributes
    ----------
    edges : float64 [n_bins + 1]
    share, error : float64 [n_bins]
    below, above
        Share of the showers outside the edges.
    n
        Showers that have it.
    """

    edges: F64
    share: F64
    error: F64
    below: float
    above: float
    n: int


class Curve(NamedTuple):
    """A family of observables: mean over showers against the number in the name.

    Attributes
    ----------
    place : float64 [n]
        The number: layer, ring.
    mean, error : float64 [n]
        NaN where (nearly) no shower has the observable.
    """

    place: F64
    mean: F64
    error: F64


class Family(NamedTuple):
    """Observables whose names differ in one number.

    Attributes
    ----------
    name
        With `#` for the number: "layer_#_fraction".
    counted
        What the number counts: "layer", "ring", ...
    places : tuple of int
    members : tuple of str
    """

    name: str
    counted: str
    places: tuple[int, ...]
    members: tuple[str, ...]


def histogram_edges(reference: Array, generated: Sequence[Array] = ()) -> F64:
    """Choose edges for all samples; whole numbers stay whole.

    The central 99.8 % of the reference and a margin, and as much of the central 98 % of the generated samples as lies
    within that width again on either side. The bins grow finer with the number of reference showers.

    Returns
    -------
    float64 [n_bins + 1]
    """
    values = _finite(reference)
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = np.quantile(values, (TAILS, 1 - TAILS))
    width = high - low
    for other in map(_finite, generated):
        if len(other):
            first, last = np.quantile(other, (10 * TAILS, 1 - 10 * TAILS))
            low, high = min(low, max(first, low - width)), max(high, min(last, high + width))
    n_bins = int(np.clip(BINS_PER_ROOT * len(values) ** (1 / 3), FEWEST_BINS, N_BINS))
    is_whole = bool((values == np.round(values)).all())
    if is_whole and high > low:
        step = max(1.0, np.ceil((high - low + 1) / n_bins))
        return np.asarray(np.arange(np.floor(low) - 0.5, high + 0.5 + step, step), np.float64)
    margin = 0.04 * (high - low) or 0.5 * (abs(low) or 1.0)
    return np.linspace(low - margin, high + margin, n_bins + 1)


def binned(values: Array, edges: F64) -> Binned:
    """Count showers in bins; NaN are those without the observable. Errors are those of a multinomial."""
    known = _finite(values)
    n = max(len(known), 1)
    share = np.histogram(known, edges)[0] / n
    error = np.sqrt(share * (1 - share) / n)
    return Binned(
        edges, share, error, float((known < edges[0]).sum() / n), float((known > edges[-1]).sum() / n), len(known)
    )


def families(names: Sequence[str]) -> list[Family]:
    """Find observables whose names differ in one number only, at least `FAMILY` of them."""
    found: dict[str, dict[int, str]] = {}
    for name in names:
        for match in re.finditer(r"\d+", name):
            pattern = f"{name[: match.start()]}#{name[match.end() :]}"
            found.setdefault(pattern, {})[int(match.group())] = name
    return [
        Family(pattern, _counted(pattern), tuple(sorted(members)), tuple(members[place] for place in sorted(members)))
        for pattern, members in found.items()
        if len(members) >= FAMILY
    ]


def curve(values: Array, places: Sequence[int], *, fewest: int = 1) -> Curve:
    """Average each member of a family [n_showers, n_members] over the showers that have it, `fewest` or more."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    filled = np.where(known, values, 0.0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(n >= fewest, filled.sum(axis=0) / n, np.nan)
        square = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / (n - 1)
        error = np.sqrt(square / n)
    return Curve(np.asarray(places, np.float64), mean, error)


def _counted(pattern: str) -> str:
    """Guess what a family counts: the word before the number."""
    words = re.findall(r"[A-Za-z]+", pattern.split("#", 1)[0].replace("_", " "))
    word = words[-1].lower() if words else "number"
    return next((known for known in ("layer", "ring") if word.endswith(known)), word)


def _finite(values: Array) -> F64:
    numbers = np.asarray(values, np.float64)
    return numbers[np.isfinite(numbers)]
