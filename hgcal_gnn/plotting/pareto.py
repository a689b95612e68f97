"""Quality against time per shower: which generators no other one beats in both."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.plotting.style import FAINT, INK, LINES, MARKERS, blank_figure, plain_log_ticks, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hgcal_gnn.arrays import F64

FASTEST, SLOWEST = 0.5, 2.0  # of the times, how far the axis goes beyond


class ParetoPoint(NamedTuple):
    """A generator, or one number of its steps.

    Attributes
    ----------
    ms
        Per shower.
    quality
        A distance to the reference: the smaller the better.
    error
        Of the quality; None: not known.
    label
        Beside the point, the number of steps for instance; may be empty.
    """

    ms: float
    quality: float
    error: float | None = None
    label: str = ""


class ParetoPanel(NamedTuple):
    """One quality of all methods.

    Attributes
    ----------
    quality
        What the axis says.
    best
        Of a perfect generator; drawn as a line.
    methods
        Points by the name of the method.
    """

    quality: str
    best: float
    methods: Mapping[str, Sequence[ParetoPoint]]


def pareto_front(points: Sequence[ParetoPoint]) -> list[ParetoPoint]:
    """Return the points that no other one beats in time and quality, by time."""
    front: list[ParetoPoint] = []
    for point in sorted(points, key=lambda one: (one.ms, one.quality)):
        if not front or point.quality < front[-1].quality:
            front.append(point)
    return front


def draw_pareto(
    ax: Axes, methods: Mapping[str, Sequence[ParetoPoint]], quality: str, reference_ms: float | None = None
) -> list[Artist]:
    """Draw quality against time per shower, the points of a method in one colour and joined.

    Parameters
    ----------
    methods
        Points by the name of the method.
    quality
        What the axis says.
    reference_ms
        Time of what the reference was made with.

    Returns
    -------
    list of Artist
        One per method, for a legend.
    """
    everything = [point for points in methods.values() for point in points]
    _draw_front(ax, pareto_front(everything))
    artists: list[Artist] = []
    for (name, points), colour, marker in zip(methods.items(), cycle(LINES), cycle(MARKERS), strict=False):
        ordered = sorted(points, key=lambda one: one.ms)
        ms, values = (_column(ordered, number) for number in (0, 1))
        errors = np.array([one.error or 0.0 for one in ordered])
        drawn = ax.errorbar(ms, values, errors, color=colour, marker=marker, markersize=7, linewidth=1.0, label=name)
        artists.append(drawn.lines[0])
        for point in ordered:
            ax.annotate(
                point.label, (point.ms, point.quality), xytext=(6, 5), textcoords="offset points", fontsize=8,
                color=colour,
            )  # fmt: skip
    if reference_ms is not None:
        ax.axvline(reference_ms, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    times = [point.ms for point in everything] + ([] if reference_ms is None else [reference_ms])
    ax.set_xscale("log")
    if times:
        ax.set_xlim(FASTEST * min(times), SLOWEST * max(times))
    plain_log_ticks(ax.xaxis)
    tidy(ax, "time per shower [ms]", quality)
    return artists


def pareto_figure(panels: Sequence[ParetoPanel], reference_ms: float | None = None) -> Figure:
    """Draw the panels beside each other, the time of the reference in all of them."""
    fig = blank_figure(5.6 * len(panels), 4.2)
    row = fig.subplots(1, len(panels), squeeze=False)[0]
    for ax, panel in zip(row, panels, strict=True):
        draw_pareto(ax, panel.methods, panel.quality, reference_ms)
        ax.axhline(panel.best, color=FAINT, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
        high = ax.get_ylim()[1]
        room = 0.08 * (high - panel.best)  # for the text above, and the best one below
        ax.set_ylim(panel.best - 0.5 * room, high + room)
        if reference_ms is not None:
            ax.text(
                reference_ms, 0.99, " simulation", transform=ax.get_xaxis_transform(), color=FAINT, fontsize=8,
                ha="left", va="top",
            )  # fmt: skip
    row[0].legend(frameon=False, fontsize=8, labelcolor=INK)
    return fig


def _draw_front(ax: Axes, front: Sequence[ParetoPoint]) -> None:
    """Draw the border of what is beaten by some point: everything slower and worse."""
    if front:
        ms, values = (_column(front, number) for number in (0, 1))
        ax.step(ms, values, where="post", color=FAINT, linewidth=6, alpha=0.25, zorder=0)


def _column(points: Sequence[ParetoPoint], number: int) -> F64:
    return np.array([point[number] for point in points], np.float64)
