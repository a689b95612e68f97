"""Pictures of one layer: cell outlines coloured by type, edges within the layer and across its border."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.neighbours.csr import BORDER, INTRA
from hgcal_gnn.geometry.shapes import outlines, surface_coordinates
from hgcal_gnn.plotting.rims import wafer_rims
from hgcal_gnn.plotting.selection import edges_of, in_window, layer_rows, zoom_window
from hgcal_gnn.plotting.style import BORDER_BLUE, INK, blank_figure, cell_kinds, figure, tidy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.graph import CellGraph
from hgcal_gnn.plotting.selection import Window

WHOLE_CELLS = 1500  # up to here a picture of the whole layer shows all there is to see
FEW_CELLS = 4000  # up to here centres are marked, and edges are wide enough to see
MANY_CELLS = 15_000  # from here on edges would only blacken the picture


class LayerArtists(NamedTuple):
    """What `draw_layer` drew.

    Attributes
    ----------
    cells
        One collection of outlines for each kind of cell.
    intra, border
        Edges within the layer and across the silicon-scintillator border; None if there are none to show.
    rows
        Row of each outline, in the order of `cells`.
    """

    ax: Axes
    cells: list[PolyCollection]
    intra: LineCollection | None
    border: LineCollection | None
    rows: NDArray[np.int64]


def draw_layer(
    graph: CellGraph | CellTable,
    layer: int,
    *,
    z_side: int | None = None,
    subdetector: int | None = None,
    window: Window | None = None,
    edges: bool | None = None,
    ax: Axes | None = None,
) -> LayerArtists:
    """Draw the cells of a layer, and their edges if a graph is given.

    Parameters
    ----------
    z_side
        +1 or -1; without it the side that there is, +1 first.
    subdetector
        Code of one subdetector; without it all that make up the layer.
    window
        Intervals ((low, high), (low, high)) of the two surface coordinates [cm]: x and y on a disk, r phi and
        z on a barrel. Only the cells that reach into it are looked at.
    edges
        Whether to draw edges; without it they are left out where so many cells are in view that lines would
        only blacken the picture.
    ax
        Axes to draw into; without it a new figure (`artists.ax.figure`).

    Raises
    ------
    UsageError
        If there is no such layer or no cell in the window.
    """
    cells = graph if isinstance(graph, CellTable) else graph.cells
    rows = layer_rows(cells, layer, z_side=z_side, subdetector=subdetector)
    centre = surface_coordinates(cells.select(rows))
    if window is not None:
        seen = in_window(centre, window)
        rows, centre = rows[seen], centre[seen]
    if not len(rows):
        msg = f"no cell of layer {layer} lies in the window {window} cm"
        raise UsageError(msg)
    ax = figure()[1] if ax is None else ax
    corners = outlines(cells, rows, cut=True).corners
    shown = _draw_cells(ax, cells.select(rows), corners)
    intra = border = None
    if not isinstance(graph, CellTable) and (edges if edges is not None else len(rows) <= MANY_CELLS):
        intra, border = _draw_edges(ax, graph, rows, centre)
    _frame(ax, cells, rows, window or _bounds(corners))
    _add_legend(ax, [*shown, intra, border])
    return LayerArtists(ax, shown, intra, border, rows)


def layer_figure(
    graph: CellGraph | CellTable, layer: int, *, z_side: int | None = None, subdetector: int | None = None
) -> Figure:
    """Draw a whole layer and, unless it is small, a close-up with edges where kinds of cells meet beside it."""
    cells = graph if isinstance(graph, CellTable) else graph.cells
    rows = layer_rows(cells, layer, z_side=z_side, subdetector=subdetector)
    if len(rows) <= WHOLE_CELLS:
        fig, ax = figure()
        draw_layer(graph, layer, z_side=z_side, subdetector=subdetector, ax=ax)
        return fig
    window = zoom_window(graph, rows)
    fig = blank_figure(14.0, 6.2)
    whole, close = fig.subplots(1, 2)
    all_cells = draw_layer(graph, layer, z_side=z_side, subdetector=subdetector, edges=False, ax=whole)
    near = draw_layer(graph, layer, z_side=z_side, subdetector=subdetector, window=window, ax=close)
    close.set_title("close-up", color=INK, fontsize=11, loc="left", pad=8)
    (x_low, x_high), (y_low, y_high) = window
    whole.indicate_inset((x_low, y_low, x_high - x_low, y_high - y_low), edgecolor=INK, alpha=1.0, linewidth=1.2)
    whole.get_legend().remove()  # one legend for both
    _add_legend(close, [*all_cells.cells, near.intra, near.border])
    return fig


def _add_legend(ax: Axes, handles: Sequence[Artist | None]) -> None:
    """Explain what was drawn, to the right of the axes."""
    known = [handle for handle in handles if handle is not None]
    ax.legend(handles=known, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9, labelcolor=INK)


def _draw_cells(ax: Axes, cells: CellTable, corners: NDArray[np.float64]) -> list[PolyCollection]:
    """Fill the outlines, one collection for each kind of cell."""
    from matplotlib.collections import LineCollection, PolyCollection  # noqa: PLC0415

    few = cells.n_cells <= MANY_CELLS
    shown = []
    for kind in cell_kinds(cells):
        members = kind.rows(cells)
        shown.append(
            PolyCollection(
                list(corners[members]),
                facecolors=kind.colour,
                edgecolors="white" if few else kind.colour,
                linewidths=0.6 if few else 0.15,
                label=kind.label,
                rasterized=not few,
                zorder=1,
            )
        )
        ax.add_collection(shown[-1])
    rims = LineCollection(list(wafer_rims(cells, corners)), colors="white", linewidths=1.6 if few else 0.5, zorder=1.5)
    ax.add_collection(rims)
    return shown


def _draw_edges(
    ax: Axes, graph: CellGraph, rows: NDArray[np.int64], centre: NDArray[np.float64]
) -> tuple[LineCollection | None, LineCollection | None]:
    """Draw the edges among `rows` as lines between centres, and the centres if they are few."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    place = np.full(graph.n_cells, -1, np.int64)
    place[rows] = np.arange(len(rows))
    edge, source = edges_of(graph, rows)
    target = place[graph.col[edge]]
    turn = 0.0 if graph.cells.z_side[rows[0]] else 2 * np.pi * _radius(graph.cells, rows)
    few = len(rows) <= FEW_CELLS
    drawn: list[LineCollection | None] = []
    for edge_type, colour, width, label in (
        (INTRA, INK, 0.8, "edge in the layer"),
        (BORDER, BORDER_BLUE, 1.6, "border edge"),
    ):
        wanted = (graph.edge_type[edge] == edge_type) & (target > source)
        segments = _segments(centre, source[wanted], target[wanted], turn)
        lines = None
        if len(segments):
            lines = LineCollection(
                list(segments),
                colors=colour,
                linewidths=width if few else 0.4 * width,
                label=label,
                capstyle="round",
                zorder=2 + edge_type,
            )
            ax.add_collection(lines)
        drawn.append(lines)
    if few:
        ax.plot(*centre.T, ".", color=INK, markersize=2.5, zorder=4)
    return drawn[0], drawn[1]


def _segments(
    centre: NDArray[np.float64], source: NDArray[np.int64], target: NDArray[np.int64], turn: float
) -> NDArray[np.float64]:
    """Lines from source to target, [n, 2, 2]; across the seam of a barrel, one that leaves and one that enters."""
    lines = np.stack([centre[source], centre[target]], axis=1)
    if not turn:
        return lines
    around = np.round((lines[:, 1, 0] - lines[:, 0, 0]) / turn) * turn
    lines[:, 1, 0] -= around
    entering = lines[around != 0] + np.array([1.0, 0.0]) * around[around != 0, None, None]
    return np.concatenate([lines, entering])


def _radius(cells: CellTable, rows: NDArray[np.int64]) -> float:
    return float(np.hypot(cells.x[rows], cells.y[rows]).astype(np.float64).mean())


def _bounds(corners: NDArray[np.float64]) -> Window:
    """Window around some outlines."""
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    margin = 0.02 * float((high - low).max())
    return (float(low[0]) - margin, float(high[0]) + margin), (float(low[1]) - margin, float(high[1]) + margin)


def _frame(ax: Axes, cells: CellTable, rows: NDArray[np.int64], window: Window) -> None:
    """Set limits, labels and title."""
    side = int(cells.z_side[rows[0]])
    names = [cells.subdetector_names.get(code, "") for code in np.unique(cells.subdetector[rows]).tolist()]
    depth = f"z = {np.mean(cells.z[rows]):.1f} cm" if side else f"r = {_radius(cells, rows):.1f} cm"
    title = f"layer {cells.layer[rows[0]]}, {depth}: {' + '.join(filter(None, names))}, {len(rows):,} cells"
    tidy(ax, "x [cm]" if side else "r φ [cm]", "y [cm]" if side else "z [cm]", title)
    ax.set_xlim(*window[0])
    ax.set_ylim(*window[1])
    ax.set_aspect("equal")
