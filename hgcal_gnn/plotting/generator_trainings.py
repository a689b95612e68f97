"""Trainings of several generators beside each other: what their checks found, against time."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.plotting.style import FAINT, INK, LINES, blank_figure, plain_log_ticks, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from hgcal_gnn.arrays import F64

PANELS = {
    "val_separation": "separation - floor",
    "val_response": "response",
    "val_occupancy": "occupancy",
}
RATIOS = ("val_response", "val_occupancy")  # generated / reference
MINUTE = 60.0
RATIO_RANGE = (0.05, 20.0)  # what is beyond has failed, or hardly begun


def trainings_figure(logs: Mapping[str, Mapping[str, F64]]) -> Figure:
    """Draw mean separation power, response and occupancy of the checks against the minutes of training.

    Parameters
    ----------
    logs
        Columns of the log of each training, as `training_log.read_columns` gives them.
    """
    fig = blank_figure(4.3 * len(PANELS), 3.8)
    panels = dict(zip(PANELS, fig.subplots(1, len(PANELS)), strict=True))
    for colour, (name, log) in zip(cycle(LINES), logs.items(), strict=False):
        minutes = np.cumsum(log["seconds"]) / MINUTE
        for column, ax in panels.items():
            ax.plot(minutes, log[column], color=colour, linewidth=1.3, marker=".", markersize=4, label=name)
    for column, ax in panels.items():
        if column in RATIOS:
            ax.axhline(1.0, color=FAINT, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
            ax.set_yscale("log")
            ax.set_ylim(*RATIO_RANGE)
            plain_log_ticks(ax.yaxis)
        else:
            ax.set_ylim(bottom=0)
        ax.set_xlim(left=0)
        tidy(ax, "training [minutes]", PANELS[column])
    panels["val_separation"].legend(frameon=False, fontsize=8, labelcolor=INK)
    return fig
