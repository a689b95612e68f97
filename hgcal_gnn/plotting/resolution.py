"""Pictures of energy regression: linearity and resolution against energy, methods compared.

Every picture has a panel below it: the bias in %, or the ratio to the first method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hgcal_gnn.evaluation.response_fit import resolution_curve
from hgcal_gnn.plotting.style import FAINT, INK, LINES, MARKERS, blank_figure, figure, plain_log_ticks, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike, NDArray

    from hgcal_gnn.evaluation.compare_methods import Ratio
    from hgcal_gnn.evaluation.published import PublishedFit, PublishedPoints
    from hgcal_gnn.evaluation.resolution import Measured, ResolutionTable
    from hgcal_gnn.evaluation.response_fit import ResolutionFit

    Floats = NDArray[np.float64]

ENERGY = "true energy [GeV]"
LOGARITHMIC = 4.0  # largest over smallest energy from which the axis is logarithmic
APART, SPREAD = 0.008, 0.04  # of the width of the axis: between points of two methods at one energy, of all of them
LINE = 0.17  # height of a line of the legend [inch]
LONG_LABEL = 40
COLUMNS = 4  # of a legend with short labels
PUBLISHED = "#7a7a7a"
DASHES = ((0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (8, 3)), (0, (3, 1, 1, 1, 1, 1)))
OPEN_MARKERS = ("o", "s", "^", "D", "v")


class MethodArtists(NamedTuple):
    """What is drawn of one method: its points and the curve of its fit, None without one."""

    points: ErrorbarContainer
    curve: Artist | None


def resolution_figure(
    tables: Mapping[str, ResolutionTable],
    *,
    fits: Mapping[str, ResolutionFit] | None = None,
    ratios: Mapping[str, Ratio] | None = None,
    published: Sequence[PublishedPoints | PublishedFit] = (),
    title: str = "",
) -> Figure:
    """Draw resolution against energy with its fits; below, the ratio to the first method.

    Parameters
    ----------
    tables
        Name of a method -> table; all in the same bins.
    fits
        Name of a method -> fit, drawn as a line.
    ratios
        From `compare_methods`, with the errors of methods on the same showers; without it, and with more than one
        method, the ratio is drawn with the errors of the method alone.
    published
        Points and curves of others, in grey.
    """
    with_ratio = len(tables) > 1
    fig, (ax, *below) = _panels(with_panel=with_ratio, lines=max(len(tables), len(published)))
    handles: list[Artist | ErrorbarContainer] = []
    for number, (name, table) in enumerate(tables.items()):
        drawn = draw_resolution(
            table, name=name, fit=(fits or {}).get(name), style=number, shift=_shift(number, len(tables)), ax=ax
        )
        handles.append(drawn.points)
    _set_energy_axis(ax, tables)
    others = [draw_published(entry, style=number, ax=ax) for number, entry in enumerate(published)]
    ax.set_ylim(*_range(tables, [np.asarray(line.get_ydata())[_inside(line, ax)] for line in others]))
    tidy(ax, "" if with_ratio else ENERGY, r"resolution $\sigma_{68}$ / median  [%]", title)
    if with_ratio:
        draw_ratios(tables, ratios=ratios, ax=below[0])
        fig.align_ylabels()
    _legends(fig, handles, others)
    return fig


def linearity_figure(tables: Mapping[str, ResolutionTable], *, title: str = "") -> Figure:
    """Draw the median predicted against the true energy; below, the bias in %."""
    fig, (ax, below) = _panels(with_panel=True, lines=-(-len(tables) // COLUMNS))
    handles: list[Artist | ErrorbarContainer] = []
    for number, (name, table) in enumerate(tables.items()):
        shift = _shift(number, len(tables))
        handles.append(draw_points(table.energy, table.linearity, label=name, style=number, shift=shift, ax=ax))
    _set_energy_axis(ax, tables)
    if ax.get_xscale() == "log":
        ax.set_yscale("log")
        plain_log_ticks(ax.yaxis)
    ax.set_ylim(ax.get_xlim())
    ax.plot(ax.get_xlim(), ax.get_xlim(), color=FAINT, linewidth=0.9, zorder=1)
    tidy(ax, "", "median predicted energy [GeV]", title)
    draw_biases(tables, ax=below)
    fig.align_ylabels()
    _legends(fig, handles)
    return fig


def draw_resolution(
    table: ResolutionTable,
    *,
    name: str = "",
    fit: ResolutionFit | None = None,
    style: int = 0,
    shift: float = 0.0,
    ax: Axes | None = None,
) -> MethodArtists:
    """Draw the resolution of one method in % and the curve of its fit; `style` numbers colour and marker."""
    ax = figure()[1] if ax is None else ax
    label = name if fit is None else f"{name}:  {fit}"
    percent = type(table.resolution)(100 * table.resolution.value, 100 * table.resolution.error)
    points = draw_points(table.energy, percent, label=label, style=style, shift=shift, ax=ax)
    return MethodArtists(points, None if fit is None else _draw_curve(table, fit, style, ax))


def draw_points(
    energy: Floats, measured: Measured, *, label: str = "", style: int = 0, shift: float = 0.0, ax: Axes | None = None
) -> ErrorbarContainer:
    """Draw points with errors at energies [GeV], moved by `shift` widths of the axis so that none hides another."""
    ax = figure()[1] if ax is None else ax
    apart = np.log(np.nanmax(energy) / np.nanmin(energy)) if len(energy) > 1 else 0.0
    return ax.errorbar(
        energy * np.exp(shift * apart), measured.value, measured.error, fmt=MARKERS[style % len(MARKERS)],
        color=LINES[style % len(LINES)], markersize=5.5, markeredgecolor="white", markeredgewidth=0.5,
        elinewidth=1.2, label=label, zorder=3,
    )  # fmt: skip


def draw_ratios(
    tables: Mapping[str, ResolutionTable], *, ratios: Mapping[str, Ratio] | None = None, ax: Axes | None = None
) -> list[ErrorbarContainer]:
    """Draw the resolution of each method over that of the first."""
    ax = figure(7.0, 2.4)[1] if ax is None else ax
    first = next(iter(tables.values())).resolution.value
    ax.axhline(1.0, color=FAINT, linewidth=0.9, zorder=1)
    drawn = []
    for number, (name, table) in enumerate(tables.items()):
        if number == 0:
            continue
        measured = table.resolution
        both = (measured.value / first, measured.error / first) if ratios is None else (
            ratios[name].value, ratios[name].error
        )  # fmt: skip
        ratio = type(measured)(*both)
        shift = _shift(number, len(tables))
        drawn.append(draw_points(table.energy, ratio, label=name, style=number, shift=shift, ax=ax))
    _set_energy_axis(ax, tables)
    ax.margins(y=0.12)
    tidy(ax, ENERGY, f"ratio to\n{next(iter(tables))}")
    return drawn


def draw_biases(tables: Mapping[str, ResolutionTable], *, ax: Axes | None = None) -> list[ErrorbarContainer]:
    """Draw the bias of each method in %, over a band of ±1 %."""
    ax = figure(7.0, 2.4)[1] if ax is None else ax
    ax.axhspan(-1.0, 1.0, color=FAINT, alpha=0.18, linewidth=0, zorder=0)
    ax.axhline(0.0, color=FAINT, linewidth=0.9, zorder=1)
    drawn = []
    for number, (name, table) in enumerate(tables.items()):
        percent = type(table.bias)(100 * table.bias.value, 100 * table.bias.error)
        shift = _shift(number, len(tables))
        drawn.append(draw_points(table.energy, percent, label=name, style=number, shift=shift, ax=ax))
    _set_energy_axis(ax, tables)
    tidy(ax, ENERGY, "bias [%]")
    return drawn


def draw_published(entry: PublishedPoints | PublishedFit, *, style: int = 0, ax: Axes | None = None) -> Line2D:
    """Draw published points, or a published curve over the axes' energies, in grey."""
    from hgcal_gnn.evaluation.published import PublishedPoints  # noqa: PLC0415 (names only, needed here)

    ax = figure()[1] if ax is None else ax
    if isinstance(entry, PublishedPoints):
        (points,) = ax.plot(
            entry.energy, 100 * np.array(entry.resolution), OPEN_MARKERS[style % len(OPEN_MARKERS)], color=PUBLISHED,
            markerfacecolor="none", markersize=5.0, label=entry.name, zorder=2,
        )  # fmt: skip
        return points
    energy = _along(ax.get_xlim())
    (line,) = ax.plot(
        energy, 100 * resolution_curve(energy, entry.a, 0.0, entry.c), linestyle=DASHES[style % len(DASHES)],
        color=PUBLISHED, linewidth=1.1, label=entry.name, zorder=1.5,
    )  # fmt: skip
    return line


def _draw_curve(table: ResolutionTable, fit: ResolutionFit, style: int, ax: Axes) -> Artist:
    energy = _along((float(np.nanmin(table.energy)), float(np.nanmax(table.energy))))
    (line,) = ax.plot(energy, 100 * fit(energy), color=LINES[style % len(LINES)], linewidth=1.2, alpha=0.8, zorder=2)
    return line


def _panels(*, with_panel: bool, lines: int) -> tuple[Figure, list[Axes]]:
    """Make a figure with one panel, or with a low second one below it, and room for the lines of a legend."""
    fig = blank_figure(8.0, (6.4 if with_panel else 4.6) + LINE * lines)
    if not with_panel:
        return fig, [fig.subplots()]
    axes = fig.subplots(2, 1, sharex=True, height_ratios=(3, 1.15))
    return fig, list(axes)


def _legends(fig: Figure, methods: Sequence[Artist | ErrorbarContainer], others: Sequence[Artist] = ()) -> None:
    """Put the legends above the axes, where no data are: methods to the left, publications to the right."""
    long = any(len(str(handle.get_label())) > LONG_LABEL for handle in methods)
    columns = 1 if long or others else min(len(methods), COLUMNS)
    options: dict[str, Any] = {
        "frameon": False, "fontsize": 9, "labelcolor": INK, "handletextpad": 0.5, "columnspacing": 1.6
    }  # fmt: skip
    fig.legend(handles=list(methods), loc="outside upper left", ncols=columns, **options)
    if others:
        fig.legend(handles=list(others), loc="outside upper right", **options)


def _set_energy_axis(ax: Axes, tables: Mapping[str, ResolutionTable]) -> None:
    energy = np.concatenate([table.energy[np.isfinite(table.energy)] for table in tables.values()])
    low, high = float(energy.min()), float(energy.max())
    if high > LOGARITHMIC * low:
        ax.set_xscale("log")
        ax.set_xlim(low / 1.25, high * 1.25)
        plain_log_ticks(ax.xaxis)
        return
    margin = 0.08 * (high - low) or 0.1 * high
    ax.set_xlim(low - margin, high + margin)


def _shift(number: int, of: int) -> float:
    return min(APART, SPREAD / of) * (number - (of - 1) / 2)


def _along(limits: ArrayLike) -> Floats:
    low, high = np.asarray(limits, np.float64)
    return np.geomspace(max(low, 1e-3), max(high, 2e-3), 200)


def _inside(line: Line2D, ax: Axes) -> NDArray[np.bool_]:
    """Mark the points of a line within the energies of the axis."""
    low, high = ax.get_xlim()
    energy = np.asarray(line.get_xdata())
    return (energy >= low) & (energy <= high)


def _range(tables: Mapping[str, ResolutionTable], others: Sequence[Floats] = ()) -> tuple[float, float]:
    """Return the range of the axis of the resolution in %: from 0, unless all values are close together."""
    ends = [
        100 * (table.resolution.value + sign * table.resolution.error) for table in tables.values() for sign in (-1, 1)
    ]
    values = np.concatenate([*ends, *others])
    values = values[np.isfinite(values)]
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=0.0))
    return (0.8 * low if 0.5 * high < low < np.inf else 0.0), (1.12 * high or 1.0)
