"""Pictures of samples after reconstruction: energies against the reference's, means of what clusters tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.plotting.style import FAINT, INK, LINES, MARKERS, blank_figure, plain_log_ticks, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hgcal_gnn.evaluation.after_reconstruction import AfterReconstruction, EnergyAgreement
    from hgcal_gnn.evaluation.resolution import Measured

SIZE = (5.4, 4.6)  # inches
APART = 0.012  # of the axis, between the points of two samples
ENERGY = "incident energy [GeV]"


def response_figure(found: Mapping[str, EnergyAgreement]) -> Figure:
    """Draw median energy over incident energy of all samples; below, generated over reference."""
    first = next(iter(found.values()))
    theirs = type(first.response)(1 + first.reference.bias.value, first.reference.bias.error)
    mine = {
        name: type(one.response)(1 + one.generated.bias.value, one.generated.bias.error) for name, one in found.items()
    }
    return _pair(first.reference.energy, theirs, mine, {name: one.response for name, one in found.items()},
                 "median energy / incident energy")  # fmt: skip


def resolution_figure(found: Mapping[str, EnergyAgreement]) -> Figure:
    """Draw the relative resolution of all samples; below, generated over reference."""
    first = next(iter(found.values()))
    return _pair(
        first.reference.energy, first.reference.resolution,
        {name: one.generated.resolution for name, one in found.items()},
        {name: one.resolution for name, one in found.items()}, "relative resolution",
    )  # fmt: skip


def mean_figure(after: Mapping[str, AfterReconstruction], column: str, label: str) -> Figure:
    """Draw the mean of a column of all samples; below, generated over reference."""
    first = next(iter(after.values()))
    edges = first.bins.edges
    energy = np.sqrt(np.maximum(edges[:-1], 1e-3) * edges[1:])
    theirs = first.means[column][0]
    mine = {name: one.means[column][1] for name, one in after.items()}
    ratios = {name: _over(values, theirs) for name, values in mine.items()}
    return _pair(energy, theirs, mine, ratios, label)


def _over(above: Measured, below: Measured) -> Measured:
    with np.errstate(invalid="ignore", divide="ignore"):
        value = above.value / below.value
        return type(above)(value, np.abs(value) * np.hypot(above.error / above.value, below.error / below.value))


def _pair(
    energy: np.ndarray[tuple[int], np.dtype[np.float64]],
    reference: Measured,
    generated: Mapping[str, Measured],
    ratios: Mapping[str, Measured],
    ylabel: str,
) -> Figure:
    fig = blank_figure(*SIZE)
    ax, below = fig.subplots(2, 1, sharex=True, height_ratios=(2, 1.2))
    ax.errorbar(energy, reference.value, reference.error, fmt="s", color=FAINT, markersize=6, label="reference")
    for number, (name, values) in enumerate(generated.items()):
        _points(ax, energy, values, number, name)
        _points(below, energy, ratios[name], number, name)
    below.axhline(1.0, color=FAINT, linewidth=0.8, zorder=1)
    if len(energy) > 1:
        ax.set_xscale("log")
        plain_log_ticks(ax.xaxis)
    else:
        ax.set_xticks(energy, [f"{one:.4g}" for one in energy])  # the points lie apart to be seen, not in energy
    ax.margins(x=0.08)
    tidy(ax, "", ylabel)
    tidy(below, ENERGY, "generated /\nreference")
    fig.align_ylabels()
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False, fontsize=8,
               labelcolor=INK)  # fmt: skip
    return fig


def _points(
    ax: Axes, energy: np.ndarray[tuple[int], np.dtype[np.float64]], values: Measured, number: int, name: str
) -> None:
    """Draw points with errors, beside those of the samples before."""
    width = float(np.log(energy.max() / energy.min())) if len(energy) > 1 else 0.1
    ax.errorbar(
        energy * np.exp(APART * (number + 1) * width), values.value, values.error, label=name, markersize=5,
        fmt=MARKERS[number % len(MARKERS)], color=LINES[number % len(LINES)],
    )  # fmt: skip
