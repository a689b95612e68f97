"""Histograms of the response, prediction over truth, in bins of true energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.evaluation.energy_bins import EnergyBins, energy_bins
from hgcal_gnn.evaluation.resolution import measure_resolution
from hgcal_gnn.evaluation.response_shape import CORE
from hgcal_gnn.plotting.style import FAINT, INK, LINES, blank_figure, figure, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from hgcal_gnn.evaluation.resolution import ResolutionTable

    Floats = NDArray[np.float64]

COLUMNS = 4  # panels beside each other, at most
WIDTHS = 5.0  # range of the axis around the median, in the largest sigma_68
N_BINS = 50
LINE_HEIGHT = 0.09  # of the text, in heights of a panel
RESPONSE = "response: predicted / true energy"


class ResponseArtists(NamedTuple):
    """What is drawn of one method: the histogram and the Gaussian of its core, None where there is none."""

    histogram: Artist
    core: Artist | None


def responses_figure(
    truth: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    bins: EnergyBins | None = None,
    *,
    log_y: bool = True,
    title: str = "",
) -> Figure:
    """Draw the response of some methods, a panel per bin of true energy.

    Parameters
    ----------
    truth : [n_showers]
        True energies [GeV].
    predictions
        Name of a method -> predicted energies [GeV], [n_showers]; showers that cannot be judged are left out.
    bins
        By default `energy_bins(truth)`.
    log_y
        Logarithmic counts show the tails.
    """
    energy = np.asarray(truth, np.float64)
    bins = energy_bins(energy) if bins is None else bins
    place = np.where(np.isfinite(energy) & (energy > 0), bins.assign(energy), -1)
    tables = {name: measure_resolution(energy, values, bins, replicas=2) for name, values in predictions.items()}
    columns = min(COLUMNS, len(bins))
    rows = -(-len(bins) // columns)
    fig = blank_figure(max(4.6, 3.3 * columns), 1.0 + 2.6 * rows)
    panels = np.asarray(fig.subplots(rows, columns, squeeze=False))
    handles: list[Artist] = []
    for number, (ax, label) in enumerate(zip(panels.ravel(), bins.labels(), strict=False)):
        inside = place == number
        responses = {name: np.asarray(values)[inside] / energy[inside] for name, values in predictions.items()}
        drawn = _draw_panel(ax, responses, tables, number, log_y=log_y)
        handles = handles or drawn
        is_last = number + columns >= len(bins)
        tidy(ax, RESPONSE if is_last else "", "showers" if number % columns == 0 else "", label)
    for ax in panels.ravel()[len(bins) :]:
        ax.set_axis_off()
    if len(predictions) > 1:
        fig.legend(handles=handles, loc="outside upper right", ncols=4, frameon=False, fontsize=9, labelcolor=INK)
    if title:
        fig.suptitle(title, x=0.01, ha="left", color=INK, fontsize=12)
    return fig


def draw_response(
    response: Floats,
    *,
    edges: Floats | None = None,
    core: tuple[float, float] | None = None,
    label: str = "",
    style: int = 0,
    ax: Axes | None = None,
) -> ResponseArtists:
    """Draw the histogram of a response; showers beyond the edges are counted in the outermost bins.

    Parameters
    ----------
    response : float64 [n]
    edges
        Of the histogram; by default around the median.
    core
        Mean and sigma of the Gaussian of the core, drawn over its window (full) and beyond it (dotted).
    """
    ax = figure()[1] if ax is None else ax
    response = response[np.isfinite(response)]
    edges = _edges(response) if edges is None else edges
    colour = LINES[style % len(LINES)]
    count = np.histogram(np.clip(response, edges[0], edges[-1]), edges)[0]
    histogram = ax.stairs(
        count, edges, baseline=None, color=colour, linewidth=1.4, alpha=0.9, label=label, zorder=3 + 0.1 * style
    )
    if core is None or not core[1] > 0:
        return ResponseArtists(histogram, None)
    return ResponseArtists(histogram, _draw_core(ax, response, edges, core, colour))


def _draw_core(ax: Axes, response: Floats, edges: Floats, core: tuple[float, float], colour: str) -> Artist:
    """Draw the Gaussian, scaled to the showers within its window."""
    from scipy.special import erf  # noqa: PLC0415 (slow to import)

    mean, sigma = core
    inside = int((np.abs(response - mean) <= CORE * sigma).sum())
    scale = inside / erf(CORE / np.sqrt(2)) * (edges[1] - edges[0]) / (sigma * np.sqrt(2 * np.pi))
    for reach, dashes, width in ((5.0, (0, (1, 2)), 0.9), (CORE, "-", 1.0)):
        x = mean + sigma * np.linspace(-reach, reach, 121)
        x = x[(x >= edges[0]) & (x <= edges[-1])]
        (line,) = ax.plot(
            x, scale * np.exp(-0.5 * ((x - mean) / sigma) ** 2), linestyle=dashes, color=colour, linewidth=width,
            alpha=0.75, zorder=2,
        )  # fmt: skip
    return line


def _draw_panel(
    ax: Axes, responses: Mapping[str, Floats], tables: Mapping[str, ResolutionTable], number: int, *, log_y: bool
) -> list[Artist]:
    """Draw one bin of true energy."""
    filled = [values[np.isfinite(values)] for values in responses.values() if np.isfinite(values).any()]
    if not filled:
        ax.text(0.5, 0.5, "no showers", transform=ax.transAxes, ha="center", color=FAINT)
        return []
    spans = [_edges(values) for values in filled]
    edges = np.linspace(min(span[0] for span in spans), max(span[-1] for span in spans), N_BINS + 1)
    drawn: list[Artist] = []
    for style, (name, response) in enumerate(responses.items()):
        table = tables[name]
        mean = float(table.core_mean.value[number])
        core = (mean, mean * float(table.core_sigma.value[number]))
        drawn.append(draw_response(response, edges=edges, core=core, label=name, style=style, ax=ax).histogram)
        bias, width = 100 * table.bias.value[number], 100 * table.resolution.value[number]
        text = rf"bias {bias:+.1f} %, $\sigma_{{68}}$ {width:.3g} %"
        ax.text(
            0.99, 0.98 - LINE_HEIGHT * style, text, transform=ax.transAxes, ha="right", va="top", fontsize=8, zorder=5,
            color=LINES[style % len(LINES)],
        )  # fmt: skip
    ax.axvline(1.0, color=FAINT, linewidth=0.8, zorder=1)
    ax.set_xlim(edges[0], edges[-1])
    top, text_height = float(ax.dataLim.y1), min(0.06 + LINE_HEIGHT * len(responses), 0.6)
    if log_y:
        ax.set_yscale("log")
        ax.set_ylim(0.5, top * (top / 0.5) ** (text_height / (1 - text_height)))
    else:
        ax.set_ylim(0.0, top / (1 - text_height))
    return drawn


def _edges(response: Floats) -> Floats:
    """Return edges around the median, as wide as five sigma_68 to either side."""
    low, median, high = np.quantile(response, (0.1587, 0.5, 0.8413))
    reach = WIDTHS * 0.5 * (high - low) or 0.1 * abs(median) or 1.0
    return np.linspace(median - reach, median + reach, N_BINS + 1)
