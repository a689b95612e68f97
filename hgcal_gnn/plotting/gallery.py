"""One shower of each sample beside the others, on one scale: layer by layer from the side, and along its flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm

from hgcal_gnn.plotting.event import COLOURS, DECADES, draw_front
from hgcal_gnn.plotting.event_frame import EventFrame, event_frame
from hgcal_gnn.plotting.style import INK, blank_figure, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers

COLUMN = 2.6  # inches
MARKER = 90.0  # area of the marker of the largest hit, in square points


def gallery_figure(showers: Mapping[str, Showers], cells: CellTable) -> Figure:
    """Draw one shower of each sample (the first of each), with the same view and colours for all.

    Parameters
    ----------
    showers
        By name of their sample, the reference first: its view is that of all.
    cells

    Raises
    ------
    UsageError
        If one has no hits with energy.
    """
    frames = {name: event_frame(one, cells) for name, one in showers.items()}
    radius = next(iter(frames.values())).radius
    largest = max(float(frame.energy.max()) for frame in frames.values())
    norm = LogNorm(largest * 10**-DECADES, largest, clip=True)
    fig = blank_figure(COLUMN * len(frames) + 0.9, 5.6)
    grid = fig.subplots(2, len(frames), squeeze=False, sharey=True)
    layers = [cells.layer[frame.rows] for frame in frames.values()]
    first, last = min(map(np.min, layers)), max(map(np.max, layers))
    for column, (name, frame) in enumerate(frames.items()):
        side, front = grid[:, column]
        view = frame._replace(radius=radius)
        _draw_side(view, cells, norm=norm, ax=side)
        side.set_xlim(first - 1, last + 1)
        side.set_title(f"{name}\n{_told(showers[name], frame)}", color=INK, fontsize=9, loc="left")
        draw_front(showers[name], cells, frame=view, ax=front).set_norm(norm)
        front.set_title("", loc="left")
        for ax in (side, front):
            ax.set_ylabel("outwards [cm]" if column == 0 else "", color=INK)
    bar = fig.colorbar(grid[0, 0].collections[0], ax=grid, fraction=0.02)
    bar.set_label("hit energy [GeV]", color=INK)
    return fig


def _draw_side(frame: EventFrame, cells: CellTable, *, norm: LogNorm, ax: Axes) -> None:
    """Draw hits by layer and distance from the line of flight."""
    seen = frame.seen
    energy = frame.energy[seen]
    area = 1.0 + MARKER * np.sqrt(energy / norm.vmax) if norm.vmax else np.ones_like(energy)
    ax.scatter(
        cells.layer[frame.rows[seen]], frame.position[seen, 1], s=area, c=energy, cmap=COLOURS, norm=norm, linewidths=0
    )
    ax.set_ylim(-frame.radius, frame.radius)
    ax.locator_params(axis="x", integer=True)
    tidy(ax, "layer", "")


def _told(shower: Showers, frame: EventFrame) -> str:
    """Return energy and hits of a shower."""
    energy = float(shower.incident_energy[0])
    particle = f"{energy:.3g} GeV: " if np.isfinite(energy) else ""
    return f"{particle}{frame.energy.sum():.3g} GeV in {len(frame.rows):,} hits"
