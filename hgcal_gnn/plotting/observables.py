"""Histograms and profiles of generated samples over a reference, with their ratio.

Conventions of the field: the reference is filled grey, every sample a line of its own colour; below, the ratio to the
reference with bands of its error, those of the reference in grey around 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.plotting.style import FAINT, INK, LINES, blank_figure, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.evaluation.report.curves import Binned, Curve

REFERENCE = "#D2D2D2"
BAND = 0.25
RATIOS = (0.0, 2.0)  # widest range of a ratio panel
NARROW = 0.1  # narrowest half range
SIZE = (5.2, 4.3)  # inches


class Steps(NamedTuple):
    """Values in bins with their errors.

    Attributes
    ----------
    edges : float64 [n + 1]
    value, error : float64 [n]
    """

    edges: F64
    value: F64
    error: F64


def histogram_figure(
    reference: Binned,
    generated: Mapping[str, Binned],
    *,
    xlabel: str,
    reference_name: str = "reference",
    log_y: bool = False,
) -> Figure:
    """Draw an observable: shares of showers per bin, below the ratio; what lies outside the bins is written.

    Parameters
    ----------
    reference, generated
        With the same edges.
    xlabel
        Name and unit of the observable.
    """
    samples = {name: Steps(one.edges, one.share, one.error) for name, one in generated.items()}
    theirs = Steps(reference.edges, reference.share, reference.error)
    fig, ax, _ = steps_figure(
        theirs, samples, xlabel=xlabel, ylabel="showers per bin", reference_name=reference_name, log_y=log_y
    )
    lines = [(name, one.below, one.above) for name, one in generated.items() if one.below + one.above > 0]
    lines = [("reference", reference.below, reference.above), *lines] if lines else []
    text = "\n".join(f"{name}: {below:.2%} below, {above:.2%} above" for name, below, above in lines)
    if any(below + above > 0.005 for _, below, above in lines):
        ax.text(0.98, 0.97, text, transform=ax.transAxes, ha="right", va="top", fontsize=7, color=INK, zorder=5)
    return fig


def profile_figure(
    reference: Curve, generated: Mapping[str, Curve], *, xlabel: str, ylabel: str, reference_name: str = "reference"
) -> Figure:
    """Draw a family of observables: mean over showers against layer or ring.

    Below the ratio; the difference where the reference changes sign, as ratios to almost nothing tell nothing.
    """
    place = reference.place
    edges = np.concatenate([place[:1] - 0.5, 0.5 * (place[1:] + place[:-1]), place[-1:] + 0.5])
    samples = {name: Steps(edges, one.mean, one.error) for name, one in generated.items()}
    theirs = Steps(edges, reference.mean, reference.error)
    known = theirs.value[np.isfinite(theirs.value)]
    is_signed = bool(len(known)) and float(known.min()) < 0 < float(known.max())
    fig, ax, _ = steps_figure(
        theirs, samples, xlabel=xlabel, ylabel=ylabel, reference_name=reference_name, difference=is_signed
    )
    ax.locator_params(axis="x", integer=True)
    return fig


def steps_figure(
    reference: Steps,
    generated: Mapping[str, Steps],
    *,
    xlabel: str,
    ylabel: str,
    reference_name: str = "reference",
    log_x: bool = False,
    log_y: bool = False,
    difference: bool = False,
) -> tuple[Figure, Axes, Axes]:
    """Draw steps over a filled reference, below their ratio (or difference) with error bands.

    Returns
    -------
    The figure, the axes of the values and those of the ratio.
    """
    lines = -(-(len(generated) + 1) // 3)
    fig = blank_figure(SIZE[0], SIZE[1] + 0.17 * lines)
    ax, below = fig.subplots(2, 1, sharex=True, height_ratios=(3, 1.1))
    if log_x:
        ax.set_xscale("log")
    if log_y:
        ax.set_yscale("log")
    floor = _floor(reference.value) if log_y else 0.0
    ax.stairs(
        reference.value, reference.edges, baseline=floor, fill=True, color=REFERENCE, label=reference_name, zorder=1
    )
    ax.stairs(reference.value, reference.edges, baseline=None, color=FAINT, linewidth=0.7, zorder=1.5)
    for number, (name, one) in enumerate(generated.items()):
        colour = LINES[number % len(LINES)]
        ax.stairs(one.value, one.edges, baseline=None, color=colour, linewidth=1.3, label=name, zorder=3)
        _band(ax, one.edges, one.value, one.error, colour)
    tops = [np.nanmax(one.value, initial=0.0) for one in (reference, *generated.values())]
    lows = [np.nanmin(one.value, initial=0.0) for one in (reference, *generated.values())]
    top, low = float(max(tops)), float(min(lows))
    if top > low:
        ax.set_ylim((floor, 2 * top) if log_y else (1.1 * low, 1.1 * top if top > 0 else 0.1 * abs(low)))
    ax.set_xlim(reference.edges[0], reference.edges[-1])
    tidy(ax, "", ylabel)
    (draw_differences if difference else draw_ratios)(below, reference, generated)
    tidy(below, xlabel, "difference" if difference else "ratio")
    fig.align_ylabels()
    fig.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=8, labelcolor=INK)
    return fig, ax, below


def draw_ratios(ax: Axes, reference: Steps, generated: Mapping[str, Steps]) -> None:
    """Draw ratios to the reference with bands of the samples' errors; grey around 1: the reference's own."""
    usable = np.isfinite(reference.value) & (np.abs(reference.value) > 0)
    safe = np.where(usable, reference.value, 1.0)
    own = np.where(usable, reference.error / np.abs(safe), np.nan)
    _band(ax, reference.edges, np.where(usable, 1.0, np.nan), own, FAINT, alpha=0.35)
    ax.axhline(1.0, color=FAINT, linewidth=0.8, zorder=1)
    ratios = []
    for number, one in enumerate(generated.values()):
        colour = LINES[number % len(LINES)]
        ratio = np.where(usable, one.value / safe, np.nan)
        ax.stairs(ratio, one.edges, baseline=None, color=colour, linewidth=1.1, zorder=3)
        _band(ax, one.edges, ratio, np.where(usable, one.error / np.abs(safe), np.nan), colour)
        ratios.append(ratio[usable & (np.abs(reference.value) > 3 * reference.error)])
    ax.set_ylim(*_ratio_range(ratios, own))


def draw_differences(ax: Axes, reference: Steps, generated: Mapping[str, Steps]) -> None:
    """Draw differences to the reference with bands of the samples' errors; grey around 0: the reference's own."""
    _band(ax, reference.edges, np.zeros_like(reference.value), reference.error, FAINT, alpha=0.35)
    ax.axhline(0.0, color=FAINT, linewidth=0.8, zorder=1)
    shown = []
    for number, one in enumerate(generated.values()):
        colour, off = LINES[number % len(LINES)], one.value - reference.value
        ax.stairs(off, one.edges, baseline=None, color=colour, linewidth=1.1, zorder=3)
        _band(ax, one.edges, off, one.error, colour)
        shown.append(np.abs(off[np.isfinite(off)]))
    half = 1.2 * float(np.quantile(np.concatenate(shown), 0.95)) if any(map(len, shown)) else 0.0
    if half > 0:
        ax.set_ylim(-half, half)


def _band(ax: Axes, edges: F64, value: F64, error: F64, colour: str, alpha: float = BAND) -> None:
    ax.stairs(value + error, edges, baseline=value - error, fill=True, color=colour, alpha=alpha, linewidth=0, zorder=2)


def _ratio_range(ratios: list[F64], own: F64) -> tuple[float, float]:
    """Show the well known ratios and the typical error of the reference, symmetric around 1, at most `RATIOS`."""
    all_ratios = np.concatenate([*ratios, np.ones(1)])
    far = np.abs(all_ratios[np.isfinite(all_ratios)] - 1)
    known = own[np.isfinite(own)]
    half = max(1.2 * float(np.quantile(far, 0.95)), 3 * float(np.median(known)) if len(known) else 0.0, NARROW)
    return max(RATIOS[0], 1 - half), min(RATIOS[1], 1 + half)


def _floor(values: F64) -> float:
    """Return the lower end of a logarithmic axis."""
    known = values[np.isfinite(values) & (values > 0)]
    return 0.5 * float(known.min()) if len(known) else 1e-6
