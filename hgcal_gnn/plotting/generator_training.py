"""How the training of a generator went: losses, response, occupancy and separation against iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.plotting.style import FAINT, INK, LINES, blank_figure, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hgcal_gnn.arrays import F64

OTHERS = ("train_loss",)  # columns that repeat another
RATIOS = {"val_response": "response", "val_response_width": "its width", "val_occupancy": "occupancy"}
SEPARATIONS = {"val_separation": "mean separation power"}


def generator_training_figure(log: Mapping[str, F64], *, title: str = "") -> Figure:
    """Draw the losses of the players, what the checks found, and mark the best check.

    Parameters
    ----------
    log : float64 [n_checks] by column
        As `training_log.read_columns` gives it; `step` at least.
    title
    """
    fig = blank_figure(7.0, 8.4)
    losses, ratios, separation = fig.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
    trained = {name.removeprefix("train_"): values for name, values in log.items()
               if name.startswith("train_") and name not in OTHERS}  # fmt: skip
    _draw(losses, log["step"], trained)
    tidy(losses, "", "loss", title)
    _draw(ratios, log["step"], {told: log[name] for name, told in RATIOS.items() if name in log})
    ratios.axhline(1.0, color=FAINT, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    ratios.set_yscale("log")
    ratios.set_ylim(0.1, 10)  # what is beyond has failed anyway
    tidy(ratios, "", "generated / reference")
    _draw(separation, log["step"], {told: log[name] for name, told in SEPARATIONS.items() if name in log})
    loss = log.get("val_loss", np.full(1, np.nan))
    if np.isfinite(loss).any():
        best = log["step"][int(np.nanargmin(loss))]
        for ax in (losses, ratios, separation):
            ax.axvline(best, color=FAINT, linewidth=0.9)
        separation.annotate("best", (best, 1), xycoords=("data", "axes fraction"), fontsize=8, color=FAINT)
    separation.margins(y=0.1)
    separation.set_ylim(bottom=0)
    tidy(separation, "iteration", "separation - floor")
    fig.align_ylabels()
    return fig


def _draw(ax: Axes, steps: F64, curves: Mapping[str, F64]) -> None:
    """Draw curves of columns."""
    marker = "." if len(steps) < 40 else None
    for number, (name, values) in enumerate(curves.items()):
        there = np.isfinite(values)
        colour = LINES[number % len(LINES)]
        ax.plot(steps[there], values[there], color=colour, linewidth=1.3, marker=marker, label=name)
    if len(curves) > 1:
        ax.legend(frameon=False, fontsize=8, labelcolor=INK, loc="best", ncols=2)
