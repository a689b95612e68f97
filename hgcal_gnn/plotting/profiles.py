"""Pictures of many showers: longitudinal and radial profile, occupancy, hits, energy sum, hit energies.

Conventions of the field: the reference is a filled grey histogram, the sample a line with the errors of its mean;
a ratio to the reference stands below. The pale band is the spread from shower to shower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.plotting.profile_curves import LAYER, PANELS, Curve, Panel, curves
from hgcal_gnn.plotting.profile_data import Profiles, choose_bins, measure_profiles
from hgcal_gnn.plotting.style import FAINT, INK, blank_figure, figure, tidy
from hgcal_gnn.showers.particles import particle_name

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.store import ShowerStore

    Floats = NDArray[np.float64]

SAMPLE = "#0F5FA6"  # dark enough for lines on grey
REFERENCE = "#D2D2D2"
BAND = 0.16  # opacity of the spread
RATIO = (0.5, 1.5)  # range of the ratio
FEW_PARTICLES = 4  # so many kinds are named
NOTHING = 1e-3  # of the largest value: layers behind the last with more are not shown


class PanelArtists(NamedTuple):
    """What `draw_panel` drew: the sample's line, its spread and the reference, None where there is none."""

    ax: Axes
    line: Artist
    spread: Artist | None
    reference: Artist | None


def profiles_figure(
    store: ShowerStore,
    cells: CellTable,
    *,
    reference: ShowerStore | None = None,
    names: tuple[str, str] | None = None,
) -> Figure:
    """Draw all profiles of a store, over those of a reference with their ratio if there is one.

    Parameters
    ----------
    store, reference
        Made with `cells`; read chunk by chunk.
    names
        Of the sample and the reference in the legend; by default those of their files.
    """
    typical = store if reference is None or not len(reference) else reference
    bins = choose_bins(typical.chunk(0) if len(typical) else typical[:], cells)
    sample = measure_profiles(store.chunks(), cells, bins)
    other = None if reference is None else measure_profiles(reference.chunks(), cells, bins)
    names = names or (store.path.stem, "reference" if reference is None else reference.path.stem)
    fig = blank_figure(14.0, 7.6 if other is None else 9.2)
    fig.set_layout_engine("constrained", h_pad=0.03, hspace=0.01)
    grid = fig.add_gridspec(2, 3)
    drawn = []
    for number, panel in enumerate(PANELS):
        place = grid[divmod(number, 3)]
        if other is None:
            drawn.append(draw_panel(panel, sample, names=names, ax=fig.add_subplot(place)))
            continue
        parts = place.subgridspec(2, 1, height_ratios=(3, 1), hspace=0.03)
        ax = fig.add_subplot(parts[0])
        drawn.append(draw_panel(panel, sample, reference=other, names=names, ax=ax))
        draw_ratio(panel, sample, other, ax=fig.add_subplot(parts[1], sharex=ax))
        ax.tick_params(labelbottom=False)
        ax.set_xlabel("")
    handles = [artist for artist in drawn[0][1:] if artist is not None]
    fig.legend(handles=handles, loc="outside upper right", ncols=3, frameon=False, fontsize=10, labelcolor=INK)
    fig.suptitle(f"{names[0]}: {_described(store)}", x=0.01, ha="left", color=INK, fontsize=12)
    return fig


def draw_panel(
    panel: Panel,
    sample: Profiles,
    *,
    reference: Profiles | None = None,
    names: tuple[str, str] = ("sample", "reference"),
    ax: Axes | None = None,
) -> PanelArtists:
    """Draw one quantity of a sample, over that of a reference.

    Parameters
    ----------
    panel
        One of `PANELS`.
    sample, reference
        From `measure_profiles`, with the same bins.
    ax
        Axes to draw into; without it a new figure (`artists.ax.figure`).
    """
    ax = figure()[1] if ax is None else ax
    mine, theirs = curves(panel, sample, reference)
    if panel.log_y:
        ax.set_yscale("log")
    if panel.log_x:
        ax.set_xscale("log")
    filled = None
    if theirs is not None:
        floor = _floor(theirs.value) if panel.log_y else 0.0
        filled = ax.stairs(
            theirs.value, theirs.edges, baseline=floor, fill=True, color=REFERENCE, label=names[1], zorder=1
        )
        ax.stairs(theirs.value, theirs.edges, baseline=None, color=FAINT, linewidth=0.8, zorder=1.5)
    spread = None if mine.spread is None else _draw_spread(ax, mine)
    line = ax.stairs(mine.value, mine.edges, baseline=None, color=SAMPLE, linewidth=1.5, label=names[0], zorder=3)
    _draw_errors(ax, mine.edges, mine.value, mine.error, log_x=panel.log_x)
    _draw_means(ax, mine, theirs)
    _limit(ax, [mine] if theirs is None else [mine, theirs], crop=panel.xlabel == LAYER, log_y=panel.log_y)
    if panel.xlabel == LAYER:
        ax.locator_params(axis="x", integer=True)
    tidy(ax, panel.xlabel, panel.ylabel, panel.title)
    return PanelArtists(ax, line, spread, filled)


def draw_ratio(panel: Panel, sample: Profiles, reference: Profiles, *, ax: Axes | None = None) -> Artist:
    """Draw the ratio of a sample to a reference; errors of both, bins that are empty in the reference left out."""
    ax = figure(6.0, 2.0)[1] if ax is None else ax
    mine, theirs = curves(panel, sample, reference)
    if theirs is None:  # never: a reference was given
        raise AssertionError
    usable = theirs.value > 0
    safe = np.where(usable, theirs.value, 1.0)
    ratio = np.where(usable, mine.value / safe, np.nan)
    error = np.where(usable, np.hypot(mine.error, ratio * theirs.error) / safe, np.nan)
    if panel.log_x:
        ax.set_xscale("log")
    ax.axhline(1.0, color=FAINT, linewidth=0.8, zorder=1)
    line = ax.stairs(ratio, mine.edges, baseline=None, color=SAMPLE, linewidth=1.2, zorder=2)
    if ax.get_autoscalex_on():  # not where the panel above says how far the axis goes
        ax.set_xlim(mine.edges[0], mine.edges[-1])
    _draw_ratio_points(ax, mine.edges, ratio, error, log_x=panel.log_x)
    ax.set_ylim(*RATIO)
    tidy(ax, panel.xlabel, "ratio")
    return line


def _draw_spread(ax: Axes, curve: Curve) -> Artist:
    spread = np.zeros(len(curve.value)) if curve.spread is None else curve.spread
    low, high = np.maximum(curve.value - spread, 0.0), curve.value + spread
    return ax.stairs(
        high, curve.edges, baseline=low, fill=True, color=SAMPLE, alpha=BAND, linewidth=0, label="spread of showers",
        zorder=2,
    )  # fmt: skip


def _draw_errors(ax: Axes, edges: Floats, value: Floats, error: Floats, *, log_x: bool) -> None:
    ax.errorbar(_middle(edges, log_x=log_x), value, error, fmt="none", ecolor=SAMPLE, elinewidth=1.0, zorder=3)


def _draw_ratio_points(ax: Axes, edges: Floats, ratio: Floats, error: Floats, *, log_x: bool) -> None:
    """Draw errors of the ratios in range, and a mark at the border for each that is out of it."""
    outside = [(ratio > RATIO[1], RATIO[1], "^"), (ratio < RATIO[0], RATIO[0], "v")]
    inside = ~(outside[0][0] | outside[1][0])
    _draw_errors(ax, edges, np.where(inside, ratio, np.nan), error, log_x=log_x)
    for where, border, marker in outside:
        at = _middle(edges, log_x=log_x)[where]
        at = at[(at > ax.get_xlim()[0]) & (at < ax.get_xlim()[1])]
        (marks,) = ax.plot(at, np.full(len(at), border), marker, color=SAMPLE, markersize=3.5, clip_on=False, zorder=4)
        marks.set_in_layout(False)  # half of each lies outside the axes; none at all counts as one at 0, 0


def _middle(edges: Floats, *, log_x: bool) -> Floats:
    return np.sqrt(edges[1:] * edges[:-1]) if log_x else 0.5 * (edges[1:] + edges[:-1])


def _draw_means(ax: Axes, mine: Curve, theirs: Curve | None) -> None:
    """Mark the mean of a quantity of showers and write mean and spread."""
    lines = []
    for curve, colour, style in ((theirs, FAINT, (0, (4, 3))), (mine, SAMPLE, "-")):
        if curve is not None and curve.mean is not None:
            mean, spread = curve.mean
            ax.axvline(mean, color=colour, linestyle=style, linewidth=1.0, zorder=2.5)
            lines.append((f"mean {mean:.5g}, spread {spread:.3g}", colour))
    for number, (text, colour) in enumerate(reversed(lines)):
        ax.text(
            0.98, 0.97 - 0.08 * number, text, transform=ax.transAxes, ha="right", va="top", fontsize=9, zorder=5,
            color=colour if colour == SAMPLE else "#6a6a6a",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
        )  # fmt: skip


def _limit(ax: Axes, curves: list[Curve], *, crop: bool, log_y: bool) -> None:
    """Let the axes end a little above the values and with the bins; `crop`: with the last one that is not empty."""
    edges = curves[0].edges
    values = np.nan_to_num(np.array([curve.value for curve in curves]))
    top = float(values.max(initial=0.0))
    filled = np.flatnonzero((values > NOTHING * top).any(axis=0))
    last = filled[-1] + 1 if crop and len(filled) else len(edges) - 1
    ax.set_xlim(edges[0], edges[last])
    if top <= 0:
        return
    if log_y:
        ax.set_ylim(_floor(values), 2 * top)
        return
    spread = [np.nan_to_num(curve.value + curve.spread).max() for curve in curves[:1] if curve.spread is not None]
    has_text = any(curve.mean is not None for curve in curves)
    ax.set_ylim(0.0, (1.3 if has_text else 1.08) * float(max([top, *spread])))


def _floor(values: Floats) -> float:
    """Return the lower end of a logarithmic axis."""
    known = values[np.isfinite(values) & (values > 0)]
    return 0.5 * float(known.min()) if len(known) else 1e-6


def _described(store: ShowerStore) -> str:
    """Say how many showers of which particles and energies a store holds."""
    text = "1 shower" if len(store) == 1 else f"{len(store):,} showers"
    if not len(store):
        return text
    particles = [particle_name(kind) for kind in np.unique(store.column("pdg_id")).tolist()]
    energy = store.column("incident_energy")
    known = energy[np.isfinite(energy)]
    if len(known):
        low, high = float(known.min()), float(known.max())
        text += f" of {low:.4g} GeV" if low == high else f" of {low:.4g} to {high:.4g} GeV"
    return f"{text}, {', '.join(particles)}" if len(particles) <= FEW_PARTICLES else text
