"""Pictures of a whole detector: its section along the beam, and a layer close by with the edges of its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.shapes import outlines
from hgcal_gnn.geometry.shapes.sizes import rectangle_corners
from hgcal_gnn.geometry.stations import find_stations
from hgcal_gnn.plotting.layer import WHOLE_CELLS, draw_layer
from hgcal_gnn.plotting.selection import layer_rows, zoom_window
from hgcal_gnn.plotting.style import FAINT, INK, blank_figure, cell_kinds, figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.graph import CellGraph

MAX_CELLS = 300_000  # of more cells every second, third, ... is looked at
N_BINS = 150  # along r (barrels: z) of the whole detector
NEAR_BEAM = 0.3  # r starts at 0 if the innermost cells lie below this share of the outermost r
LONG = 3.0  # lengths in z and r are to scale unless one is this many times the other
FILL = 0.65  # thickness of a layer as a share of the mean distance to its neighbours
ETA_LINES = (1.5, 2.0, 2.5, 3.0)


def draw_section(cells: CellTable, *, ax: Axes | None = None) -> list[PolyCollection]:
    """Draw the section of a detector in z and r: each layer as a line of bars coloured by the usual cell type there.

    Of two endcaps that mirror each other only the one at positive z is drawn.

    Returns
    -------
    list of PolyCollection
        One for each kind of cell.
    """
    from matplotlib.collections import PolyCollection  # noqa: PLC0415

    ax = figure()[1] if ax is None else ax
    kinds = cell_kinds(cells)
    endcap = bool((cells.z_side == 1).any())
    shown = np.flatnonzero(cells.z_side != -1) if endcap else np.arange(cells.n_cells)
    rows = shown[:: -(-len(shown) // MAX_CELLS)]
    some = cells.select(rows)
    kind = np.zeros(len(rows), np.int64)
    for number, this in enumerate(kinds):
        kind[this.rows(some)] = number
    layer = find_stations(some).number.astype(np.int64)
    bars, of_kind = _bars(some, outlines(cells, rows).corners, layer, kind)
    drawn = []
    for number, this in enumerate(kinds):
        corners = list(bars[of_kind == number])
        bars_of_kind = PolyCollection(corners, facecolors=this.colour, edgecolors="none", label=this.label, zorder=2)
        bars_of_kind.set_snap(False)  # layers thinner than a pixel must not vanish
        drawn.append(bars_of_kind)
        ax.add_collection(drawn[-1])
    low, high = bars.min(axis=(0, 1)), bars.max(axis=(0, 1))
    size = high - low
    margin = 0.04 * size
    floor = 0.0 if low[1] < NEAR_BEAM * high[1] else float(low[1] - margin[1])
    ax.set_xlim(float(low[0] - margin[0]), float(high[0] + margin[0]))
    ax.set_ylim(floor, float(high[1] + margin[1]))
    if size.max() < LONG * size.min():
        ax.set_aspect("equal")
    if endcap:
        _eta_lines(ax)
    mirrored = " in each endcap" if len(shown) < cells.n_cells else ""
    name = "" if cells.detector == "unknown" else f"{cells.detector}: "
    title = f"{name}{cells.n_cells:,} cells, {len(np.unique(layer))} layers{mirrored}"
    tidy(ax, "z [cm]", "r [cm]", title)
    if len(drawn) > 1:
        ax.legend(
            handles=drawn,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.1),
            ncols=3,
            frameon=False,
            fontsize=9,
            labelcolor=INK,
        )
    return drawn


def overview_figure(graph: CellGraph | CellTable, layer: int | None = None) -> Figure:
    """Draw the section of a detector and a close-up of one layer with the edges of its graph.

    Parameters
    ----------
    layer
        The layer of the close-up; without it the first with silicon and scintillator, else the one with most cells.
    """
    cells = graph if isinstance(graph, CellTable) else graph.cells
    fig = blank_figure(14.0, 6.2)
    section, close = fig.subplots(1, 2)
    draw_section(cells, ax=section)
    if layer is None:
        layer = _mixed_layer(cells)
    rows = layer_rows(cells, layer)
    if len(rows) > WHOLE_CELLS:
        draw_layer(graph, layer, window=zoom_window(graph, rows), ax=close)
        close.set_title(f"close-up of layer {layer}", color=INK, fontsize=11, loc="left", pad=8)
    else:
        draw_layer(graph, layer, ax=close)
    _mark(section, cells, rows, f"layer {layer}")
    return fig


def _mark(ax: Axes, cells: CellTable, rows: NDArray[np.int64], name: str) -> None:
    """Draw a dashed line through the layer of some rows."""
    if cells.z_side[rows[0]]:
        depth = float(np.mean(cells.z[rows]))
        ax.axvline(depth, color=INK, linewidth=0.8, linestyle=(0, (3, 3)), zorder=3)
        at = (depth, ax.get_ylim()[0])
    else:
        depth = float(np.hypot(cells.x[rows], cells.y[rows]).mean())
        ax.axhline(depth, color=INK, linewidth=0.8, linestyle=(0, (3, 3)), zorder=3)
        at = (ax.get_xlim()[0], depth)
    ax.annotate(name, at, (4, 4), textcoords="offset points", fontsize=9, color=INK)


def _bars(
    cells: CellTable, corners: NDArray[np.float64], layer: NDArray[np.int64], kind: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Corners of the bars in (z, r), [n_bars, 4, 2], and the kind of most cells in each, [n_bars].

    Parameters
    ----------
    cells, corners, layer, kind
        Cells, their outlines [n_cells, k, 2], number of the layer and of the kind of each, [n_cells].
    """
    barrel = cells.z_side == 0
    along = np.where(barrel[:, None], corners[..., 1], np.hypot(*corners.transpose(2, 0, 1)))
    across = np.where(barrel, np.hypot(cells.x, cells.y), cells.z).astype(np.float64)
    low = float(along.min())
    width = max(float(np.ptp(along)) / N_BINS, 1e-6)
    begin_end = (np.stack([along.min(axis=1), along.max(axis=1)]) - low) / width
    begin, end = np.round(begin_end).astype(np.int64)
    filled = np.maximum(end - begin, 1)
    place = np.arange(filled.sum()) + np.repeat(begin - np.cumsum(filled) + filled, filled)
    n_kinds = int(kind.max()) + 1
    key = (np.repeat(layer, filled) * (N_BINS + 2) + place) * n_kinds + np.repeat(kind, filled)
    bin_kind, count = np.unique(key, return_counts=True)
    where, of_kind = np.divmod(bin_kind, n_kinds)
    best = np.lexsort((-count, where))
    best = best[np.append(True, np.diff(where[best]) > 0)]
    of_layer, place = np.divmod(where[best], N_BINS + 2)
    first, begin, end = _runs(of_layer, place, of_kind[best])
    depth = np.bincount(layer, across) / np.maximum(np.bincount(layer), 1)
    thick = FILL * _room(depth, np.unique(layer), width)
    half = np.stack([thick[of_layer[first]], (end - begin) * width], axis=1) / 2
    centre = np.stack([depth[of_layer[first]], low + (begin + end) * width / 2], axis=1)
    turned = (np.bincount(layer, barrel) > 0)[of_layer[first], None]
    centre, half = (np.where(turned, values[:, ::-1], values) for values in (centre, half))
    return rectangle_corners(centre, half, half), of_kind[best][first]


def _room(depth: NDArray[np.float64], layers: NDArray[np.int64], single: float) -> NDArray[np.float64]:
    """Mean distance from each layer to the ones before and behind, [n_layers]; `single` if there is no other.

    Beside a gap (between two subdetectors) it is at most 1.5 times the shorter of the two.
    """
    room = np.full(len(depth), single)
    order = layers[np.argsort(depth[layers])]
    step = np.diff(depth[order])
    if len(step):
        behind, before = np.append(step, step[-1]), np.append(step[0], step)
        room[order] = np.minimum(0.5 * (behind + before), 1.5 * np.minimum(behind, before))
    return room


def _runs(
    layer: NDArray[np.int64], place: NDArray[np.int64], kind: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Join neighbouring bins of one kind: first bin of each run, its begin and its end in bins."""
    next_to = (layer[1:] == layer[:-1]) & (np.diff(place) == 1) & (kind[1:] == kind[:-1])
    first = np.flatnonzero(np.append(True, ~next_to))
    last = np.append(first[1:], len(place)) - 1
    return first, place[first], place[last] + 1


def _eta_lines(ax: Axes) -> None:
    """Draw lines of constant pseudorapidity through the picture, labelled where they leave it."""
    (z_low, z_high), (r_low, r_high) = ax.get_xlim(), ax.get_ylim()
    for eta in ETA_LINES:
        slope = 1.0 / np.sinh(eta)
        z_end = min(z_high, r_high / slope)
        if z_end <= max(z_low, 0.0) or z_end * slope <= r_low:
            continue
        ax.plot([max(z_low, 0.0), z_end], [max(z_low, 0.0) * slope, z_end * slope], color=FAINT, lw=0.7, zorder=1)
        ax.annotate(
            f"η = {eta}",
            (z_end, z_end * slope),
            (3, 2),
            textcoords="offset points",
            fontsize=8,
            color=FAINT,
            annotation_clip=False,
        )


def _mixed_layer(cells: CellTable) -> int:
    """Return the first layer with silicon and scintillator, or the one with most cells."""
    silicon = np.unique(cells.layer[cells.is_silicon != 0])
    mixed = np.intersect1d(silicon, np.unique(cells.layer[cells.is_silicon == 0]))
    return int(mixed[0]) if len(mixed) else int(np.argmax(np.bincount(cells.layer)))
