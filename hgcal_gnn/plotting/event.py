"""One shower close by: its hits in space, seen along the line of flight, and layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hgcal_gnn.geometry.shapes.polygons import polygon_area
from hgcal_gnn.plotting.event_frame import EventFrame, event_frame
from hgcal_gnn.plotting.style import FAINT, INK, blank_figure, figure, tidy
from hgcal_gnn.showers.particles import particle_name

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection, PolyCollection
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers

COLOURS = "viridis_r"  # even in lightness, told apart with any colour vision, dark where the energy is
DECADES = 3.0  # of energy that the colours span
MARKER = 260.0  # area of the marker of the largest hit, in square points
FEW_HITS = 200  # of more the markers get smaller
SHORTEST, LONGEST = 1.2, 2.6  # length of the box over its width: beyond, lengths along it are not to scale
VIEW = (16.0, -62.0)  # elevation and azimuth of the eye, degrees
BAR = "#0F5FA6"


class EventArtists(NamedTuple):
    """What `draw_event` drew."""

    ax: Any
    hits: PathCollection
    planes: Artist
    axis: Artist


def event_figure(shower: Showers, cells: CellTable) -> Figure:
    """Draw one shower (the first of `shower`): in space, along its line of flight, and energy by layer."""
    frame = event_frame(shower, cells)
    fig = blank_figure(14.0, 6.4)
    grid = fig.add_gridspec(5, 3, width_ratios=(0.022, 2.2, 1.0))
    drawn = draw_event(shower, cells, frame=frame, ax=fig.add_subplot(grid[:, 1], projection="3d"))
    draw_front(shower, cells, frame=frame, ax=fig.add_subplot(grid[:3, 2]))
    draw_layers(shower, cells, ax=fig.add_subplot(grid[3:, 2]))
    bar = fig.colorbar(drawn.hits, cax=fig.add_subplot(grid[1:4, 0]))
    bar.set_label("hit energy [GeV]", color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=9)
    fig.suptitle(event_title(shower, frame), x=0.01, ha="left", color=INK, fontsize=12)
    return fig


def draw_event(shower: Showers, cells: CellTable, *, frame: EventFrame | None = None, ax: Any = None) -> EventArtists:
    """Draw the hits of one shower in space, sized and coloured by energy, with the layers hinted on floor and wall.

    Parameters
    ----------
    frame
        From `event_frame`, if it is at hand.
    ax
        Three-dimensional axes; without them a new figure.
    """
    from mpl_toolkits.mplot3d.art3d import Line3DCollection  # type: ignore[import-untyped]  # noqa: PLC0415

    frame = frame or event_frame(shower, cells)
    ax = blank_figure(8.0, 6.5).add_subplot(projection="3d") if ax is None else ax
    (near, far), radius = frame.depth, frame.radius
    planes = Line3DCollection(list(frame.plane_lines()), colors=FAINT, linewidths=0.6, alpha=0.55, clip_on=False)
    ax.add_collection3d(planes)
    (axis,) = ax.plot(
        [near, far], [0, 0], [0, 0], color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=5, clip_on=False
    )
    seen = frame.seen
    along, outwards, sideways = frame.position[seen].T
    hits = ax.scatter(
        along,
        sideways,
        outwards,
        s=_marker_areas(frame, seen),
        c=frame.energy[seen],
        cmap=COLOURS,
        norm=energy_norm(frame.energy),
        depthshade=False,
        edgecolors="white",
        linewidths=0.25,
        alpha=0.9,
        clip_on=False,
    )
    for artist in (planes, axis, hits):
        artist.set_in_layout(False)  # the box and its labels alone decide on the place
    ax.set_xlim(near, far)
    ax.set_ylim(-radius, radius)
    ax.set_zlim(-radius, radius)
    length = float(np.clip((far - near) / (2 * radius), SHORTEST, LONGEST))
    ax.set_box_aspect((length, 1.0, 1.0), zoom=1.05 + 0.13 * length)
    ax.view_init(*VIEW)
    _tidy_space(ax)
    return EventArtists(ax, hits, planes, axis)


def draw_front(
    shower: Showers, cells: CellTable, *, frame: EventFrame | None = None, ax: Axes | None = None
) -> PolyCollection:
    """Draw the cells of one shower as seen along its line of flight, those with most energy per area in front."""
    from matplotlib.collections import PolyCollection  # noqa: PLC0415

    frame = frame or event_frame(shower, cells)
    ax = figure()[1] if ax is None else ax
    style: dict[str, Any] = {"cmap": COLOURS, "norm": energy_norm(frame.energy)}
    corners = frame.corners[:, :, [2, 1]]
    has_outline = np.isfinite(corners).all(axis=(1, 2))
    points = frame.seen & ~has_outline
    if points.any():
        outwards, sideways = frame.position[points, 1], frame.position[points, 2]
        ax.scatter(sideways, outwards, c=frame.energy[points], s=12, linewidths=0, **style)
    shown = np.flatnonzero(frame.seen & has_outline)
    shown = shown[np.argsort(frame.energy[shown] / np.maximum(polygon_area(corners[shown]), 1e-9))]
    drawn = PolyCollection(list(corners[shown]), linewidths=0.2, edgecolors="white", **style)
    drawn.set_array(frame.energy[shown])
    ax.add_collection(drawn)
    ax.plot(0, 0, "+", color=INK, markersize=9, markeredgewidth=0.9)
    ax.set_xlim(-frame.radius, frame.radius)
    ax.set_ylim(-frame.radius, frame.radius)
    ax.set_aspect("equal")
    tidy(ax, "sideways [cm]", "outwards [cm]", "seen along the line of flight")
    return drawn


def draw_layers(shower: Showers, cells: CellTable, *, ax: Axes | None = None) -> Artist:
    """Draw the energy of one shower in each layer."""
    ax = figure()[1] if ax is None else ax
    one = shower[0]
    layers = np.arange(int(cells.layer.min()), int(cells.layer.max()) + 1)
    energy = np.bincount(cells.layer[one.cell] - layers[0], np.nan_to_num(one.energy), len(layers))
    edges = np.append(layers, layers[-1] + 1) - 0.5
    drawn = ax.stairs(energy, edges, fill=True, color=BAR, alpha=0.85)
    filled = np.flatnonzero(energy > 0)
    if len(filled):
        ax.set_xlim(edges[0], edges[filled[-1] + 1])
    ax.locator_params(axis="x", integer=True)
    tidy(ax, "layer", "energy [GeV]", "layer by layer")
    return drawn


def energy_norm(energy: NDArray[np.float64]) -> LogNorm:
    """Return the scale of colours: logarithmic, `DECADES` down from the largest hit; smaller ones share a colour."""
    from matplotlib.colors import LogNorm  # noqa: PLC0415

    largest = float(energy.max())
    return LogNorm(max(float(energy.min()), largest / 10**DECADES) * (1 - 1e-9), largest, clip=True)


def event_title(shower: Showers, frame: EventFrame) -> str:
    """Describe a shower in one line, with what lies outside the view."""
    one = shower[0]
    energy = f"{float(one.incident_energy[0]):.4g} GeV " if np.isfinite(one.incident_energy[0]) else ""
    eta = f", η = {float(one.eta[0]):.2f}" if np.isfinite(one.eta[0]) else ""
    text = (
        f"{energy}{particle_name(int(one.pdg_id[0]))}{eta}: {len(frame.rows):,} hits, "
        f"{frame.energy.sum():.3g} GeV deposited"
    )
    outside = ~frame.seen
    if outside.any():
        share = frame.energy[outside].sum() / frame.energy.sum()
        text += f" ({int(outside.sum())} hits with {100 * share:.1f} % of it outside the view)"
    return text


def _marker_areas(frame: EventFrame, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Areas of the markers in square points: with the root of the energy, smaller where there are many."""
    crowd = min(1.0, (FEW_HITS / max(int(seen.sum()), 1)) ** 0.25)
    return np.asarray(2.0 + MARKER * crowd * np.sqrt(frame.energy[seen] / frame.energy.max()))


def _tidy_space(ax: Any) -> None:
    """Label the axes and take away panes and grid."""
    labels = ("along the line of flight [cm]", "sideways [cm]", "outwards [cm]")
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    for axis, label in zip((ax.xaxis, ax.yaxis, ax.zaxis), labels, strict=True):
        axis.set_major_locator(MaxNLocator(8 if axis is ax.xaxis else 4))
        axis.set_label_text(label, color=INK)
        axis.pane.set_facecolor("white")
        axis.pane.set_edgecolor("#dddddd")
        axis.line.set_color(FAINT)
        axis.set_tick_params(labelsize=8, colors=INK, color=FAINT)
    ax.grid(False)
