"""How the training of a generator went: losses, response, occupancy and separation against iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.plotting.style import FAINT, INK, LINES, blank_figure, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hgcal_gnn.arrays import F64

OTHERS = ("train_loss",)  # columns that repeat another
RATIOS = {"val_response": "response", "val_response_width": "its width", "val_occupancy": "occupancy"}
SEPARATIONS = {"val_separation": "mean separation power"}
RATIO_RANGE = (0.1, 10)  # drawn; what is beyond has failed anyway


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
    found = {told: log[name] for name, told in RATIOS.items() if name in log}
    _draw(ratios, log["step"], found)
    ratios.axhline(1.0, color=FAINT, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    ratios.set_yscale("log")
    ratios.set_ylim(*RATIO_RANGE)
    _mark_beyond(ratios, log["step"], found)
    tidy(ratios, "", "generated / reference")
    _draw(separation, log["step"], {told: log[name] for name, told in SEPARATIONS.items() if name in log})
    loss = log.get("val_loss", np.full(1, np.nan))
    if np.isfinite(loss).any():
        best = log["step"][int(np.nanargmin(loss))]
        for ax in (losses, ratios, separation):
            ax.axvline(best, color=FAINT, linewidth=0.9)
        separation.annotate("best", (best, 1), xycoords=("data", "axes fraction"), fontsize=8, color=FAINT)
    separation.margins(y=0.1)
    separation.set_ylim(bottom=min(0.0, separation.get_ylim()[0]) if _has_negative(log, SEPARATIONS) else 0.0)
    tidy(separation, "iteration", "mean separation\npower - floor")
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


def _has_negative(log: Mapping[str, F64], names: Iterable[str]) -> bool:
    """Tell whether a column is below 0 anywhere: chance takes good generators below the floor."""
    return any(bool((log[name] < 0).any()) for name in names if name in log)


def _mark_beyond(ax: Axes, steps: F64, curves: Mapping[str, F64]) -> None:
    """Mark values outside of the range by triangles at its edge, so that nothing is hidden."""
    low, high = ax.get_ylim()
    marked = False
    for number, values in enumerate(curves.values()):
        for beyond, edge, marker in ((values > high, high, "^"), (values < low, low, "v")):
            if beyond.any():
                ax.plot(
                    steps[beyond], np.full(int(beyond.sum()), edge), color=LINES[number % len(LINES)],
                    linestyle="none", marker=marker, markersize=6, clip_on=False,
                )  # fmt: skip
                marked = True
    if marked:
        ax.annotate("triangles: out of the range", (0.01, 0.03), xycoords="axes fraction", fontsize=8, color=INK)
