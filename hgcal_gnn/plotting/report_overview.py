"""Pictures that sum up an evaluation: what differs most, hit energies, bins of a condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.report.contents import REFERENCE
from hgcal_gnn.plotting.observables import Steps, steps_figure
from hgcal_gnn.plotting.style import FAINT, INK, LINES, MARKERS, figure, plain_log_ticks, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from hgcal_gnn.evaluation.distance import Distance
    from hgcal_gnn.evaluation.hit_spectrum import HitSpectrum
    from hgcal_gnn.evaluation.report.contents import BinPart

MOST_BARS = 15


def differences_figure(worst: Sequence[tuple[str, Distance]], distance: str) -> Figure:
    """Draw how far the observables that differ most are above the floor, with errors and significance."""
    shown = [(name, one) for name, one in worst if np.isfinite(one.excess)][:MOST_BARS]
    fig, ax = figure(6.6, 0.9 + 0.25 * max(len(shown), 1))
    values = [one.excess for _, one in shown]
    errors = [one.error if np.isfinite(one.error) else 0.0 for _, one in shown]
    ax.barh(range(len(shown)), values, xerr=errors, color=LINES[0], ecolor=INK, height=0.7)
    for place, (_, one) in enumerate(shown):
        end = max(one.excess + errors[place], 0.0)
        ax.text(end, place, f"  {one.significance:.1f} sigma", va="center", fontsize=8, color=INK)
    ax.set_yticks(range(len(shown)), [name.replace("_", " ") for name, _ in shown])
    ax.invert_yaxis()
    ax.axvline(0.0, color=FAINT, linewidth=0.8)
    ax.margins(x=0.15)
    tidy(ax, f"{distance.replace('_', ' ')} above the floor", "")
    return fig


def spectrum_figure(spectra: Mapping[str, HitSpectrum], kind: str) -> Figure:
    """Draw hits per shower against their energy: `kind` "energy", "mips" or "peak_region" (the MIP peak)."""
    steps = {name: _hit_steps(one, kind) for name, one in spectra.items()}
    unit = getattr(spectra[REFERENCE], kind).unit
    reference = steps.pop(REFERENCE)
    is_log = kind != "peak_region"
    fig, ax, _ = steps_figure(
        reference,
        steps,
        xlabel=f"{'calibrated energy' if kind == 'energy' else 'deposit'} of a hit [{unit}]",
        ylabel="hits per shower and bin",
        log_x=is_log,
        log_y=is_log,
    )
    filled = np.flatnonzero(reference.value > 0)
    if is_log and len(filled):
        ax.set_xlim(reference.edges[filled[0]], reference.edges[filled[-1] + 1])
    if kind == "peak_region":
        text = [f"{name}: {one.peak.position:.3f} ± {one.peak.position_error:.3f}" for name, one in spectra.items()]
        ax.text(
            0.98, 0.97, "\n".join(["peak [MIP]", *text]), transform=ax.transAxes, ha="right", va="top", fontsize=8,
            color=INK,
        )  # fmt: skip
    return fig


def _hit_steps(spectrum: HitSpectrum, kind: str) -> Steps:
    histogram = getattr(spectrum, kind)
    return Steps(histogram.edges, histogram.mean[1:-1], histogram.error[1:-1])


def bins_figure(parts: Mapping[str, Sequence[BinPart]], distance: str, condition: str) -> Figure:
    """Draw the mean excess over the floor of all observables against `condition` ("incident energy [GeV]", "eta")."""
    fig, ax = figure(6.2, 3.6)
    is_log = condition != "eta" and all(part.low > 0 for some in parts.values() for part in some)
    for number, (name, some) in enumerate(parts.items()):
        edges = np.array([(part.low, part.high) for part in some])
        place = np.sqrt(edges.prod(axis=1)) if is_log else edges.mean(axis=1)
        known = [list(part.column(distance).values()) for part in some]
        value = [np.mean([one.excess for one in part]) if part else np.nan for part in known]
        error = [np.sqrt(sum(one.error**2 for one in part)) / len(part) if part else np.nan for part in known]
        ax.errorbar(
            place, np.array(value), np.array(error), fmt=MARKERS[number % len(MARKERS)], label=name, markersize=5,
            color=LINES[number % len(LINES)],
        )  # fmt: skip
    ax.axhline(0.0, color=FAINT, linewidth=0.8)
    if is_log:
        ax.set_xscale("log")
        places = [one for some in parts.values() for part in some for one in (part.low, part.high)]
        ax.set_xlim(0.9 * min(places), 1.1 * max(places))  # points without a value set no limits
        plain_log_ticks(ax.xaxis)
    tidy(ax, condition, f"{distance.replace('_', ' ')} above floor")
    ax.legend(frameon=False, fontsize=8, labelcolor=INK)
    return fig
