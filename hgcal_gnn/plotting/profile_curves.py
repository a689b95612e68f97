"""Histograms of the profile pictures: what each panel shows of a sample and a reference, in common bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.plotting.profile_data import Moments, Profiles

    Floats = NDArray[np.float64]

LAYER = "layer"  # label of an axis of whole numbers
FEWEST_BINS, MOST_BINS = 10, 40  # of a histogram of showers
SAME = 1e-6  # relative difference below which showers count as alike
TAIL = 0.002  # share of the showers left out at either end of a histogram


class Panel(NamedTuple):
    """What one picture shows; `name` is an attribute of `Profiles`."""

    name: str
    title: str
    xlabel: str
    ylabel: str
    log_y: bool = False
    log_x: bool = False


PANELS = (
    Panel("longitudinal", "longitudinal profile", LAYER, "share of the visible energy"),
    Panel("radial", "radial profile", "distance from the axis [cm]", "share of the visible energy per cm", log_y=True),
    Panel("occupancy", "occupancy", LAYER, "hits per shower"),
    Panel("n_hits", "hits per shower", "hits", "share of the showers"),
    Panel("visible", "energy sum", "visible energy [GeV]", "share of the showers"),
    Panel("hit_energy", "hit energies", "hit energy [GeV]", "hits per shower", log_y=True, log_x=True),
)


class Curve(NamedTuple):
    """One histogram: edges [n + 1], value, error and spread [n]; mean and spread of a quantity of showers."""

    edges: Floats
    value: Floats
    error: Floats
    spread: Floats | None = None
    mean: tuple[float, float] | None = None


def curves(panel: Panel, sample: Profiles, reference: Profiles | None) -> tuple[Curve, Curve | None]:
    """Return what a panel shows of the sample and of the reference (None without one), in common bins."""
    both = [sample] if reference is None else [sample, reference]
    if panel.name in ("n_hits", "visible"):
        edges = _common_edges([getattr(part, panel.name) for part in both], whole=panel.name == "n_hits")
        curves = [_histogram(getattr(part, panel.name), part.weight, edges) for part in both]
    else:
        curves = [_of_moments(getattr(part, panel.name), _edges(panel, part), panel) for part in both]
    return curves[0], curves[1] if len(curves) > 1 else None


def _edges(panel: Panel, profiles: Profiles) -> Floats:
    if panel.name == "radial":
        return profiles.bins.radius
    if panel.name == "hit_energy":
        return profiles.bins.hit_energy
    return np.append(profiles.bins.layers - 0.5, profiles.bins.layers[-1] + 0.5)


def _of_moments(moments: Moments, edges: Floats, panel: Panel) -> Curve:
    """Show the spread of showers only on linear axes: on logarithmic ones it reaches down to nothing."""
    return Curve(edges, moments.mean, moments.error, None if panel.log_y else moments.spread)


def _histogram(values: Floats, weight: Floats, edges: Floats) -> Curve:
    """Count showers as a share of all of them; what lies beyond the edges belongs to none of the bins."""
    total = weight.sum()
    if not total > 0:
        nothing = np.full(len(edges) - 1, np.nan)
        return Curve(edges, nothing, nothing)
    count = np.histogram(values, edges, weights=weight)[0] / total
    error = np.sqrt(np.histogram(values, edges, weights=weight**2)[0]) / total
    mean = float((weight * values).sum() / total)
    spread = float(np.sqrt((weight * (values - mean) ** 2).sum() / total))
    return Curve(edges, count, error, None, (mean, spread))


def _common_edges(samples: list[Floats], *, whole: bool) -> Floats:
    """Return edges that hold nearly all showers of all samples; of whole numbers each bin holds equally many."""
    filled = [values for values in samples if len(values)]
    if not filled:
        return np.linspace(0.0, 1.0, FEWEST_BINS + 1)
    low = min(float(np.quantile(values, TAIL)) for values in filled)
    high = max(float(np.quantile(values, 1 - TAIL)) for values in filled)
    if high - low <= SAME * abs(high):  # one shower, or all alike
        low, high = 0.9 * low, 1.1 * max(high, 1e-9)
    fewest = min(len(values) for values in filled)
    width = (high - low) / np.clip(2 * fewest ** (1 / 3), FEWEST_BINS, MOST_BINS)  # Rice rule
    if whole:
        width, low = float(np.ceil(max(width, 1.0))), np.floor(low) - 0.5
    return np.asarray(low + width * np.arange(np.ceil((high - low) / width) + 1))
