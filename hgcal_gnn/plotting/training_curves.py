"""How a training went: loss and learning rate against epoch, from the log of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.plotting.style import FAINT, INK, LINES, blank_figure, figure, plain_log_ticks, tidy
from hgcal_gnn.training_log import read_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TRAINING, VALIDATION = LINES[0], LINES[1]
WIDE_SPAN = 10.0  # largest over smallest loss from which the axis is logarithmic


class TrainingLog(NamedTuple):
    """What was logged at the end of each epoch, float64 [n_epochs]; NaN where nothing was.

    Attributes
    ----------
    epoch
        Counted from 0.
    training, validation
        Losses.
    learning_rate
        None if it was not logged.
    """

    epoch: Floats
    training: Floats
    validation: Floats
    learning_rate: Floats | None = None

    @property
    def best(self) -> int:
        """Row of the smallest validation loss, -1 without any."""
        return int(np.nanargmin(self.validation)) if np.isfinite(self.validation).any() else -1


def read_log(path: Path) -> TrainingLog:
    """Read the CSV log of a run: a column `epoch`, others named after train, val and lr; empty fields are allowed.

    Loggers write training and validation of one epoch in different rows; the last value of each epoch counts.

    Raises
    ------
    InputError
        If the file cannot be read, or has no epochs or no loss in it.
    """
    columns = read_columns(path, "epoch")
    epoch, which = np.unique(columns["epoch"], return_inverse=True)
    training, validation, rate = (
        _last(columns.get(_column(columns, parts)), which, len(epoch))
        for parts in (("train", "loss"), ("val", "loss"), ("lr",))
    )
    if not (np.isfinite(training).any() or np.isfinite(validation).any()):
        msg = f"{path}: no training or validation loss in the columns {', '.join(columns)}"
        raise InputError(msg)
    return TrainingLog(epoch, training, validation, rate if np.isfinite(rate).any() else None)


def training_figure(log: TrainingLog, *, title: str = "") -> Figure:
    """Draw losses against epoch, counted from 1; below, the learning rate if it was logged."""
    if log.learning_rate is None:
        fig = blank_figure(7.0, 4.4)
        draw_losses(log, ax=fig.subplots(), title=title)
        return fig
    fig = blank_figure(7.0, 5.6)
    ax, below = fig.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    draw_losses(log, ax=ax, title=title)
    ax.set_xlabel("")
    draw_learning_rate(log, ax=below)
    fig.align_ylabels()
    return fig


def draw_losses(log: TrainingLog, *, ax: Axes | None = None, title: str = "") -> list[Artist]:
    """Draw the losses against epoch and mark the smallest validation loss."""
    ax = figure(7.0, 4.4)[1] if ax is None else ax
    drawn: list[Artist] = []
    for loss, label, colour in ((log.training, "training", TRAINING), (log.validation, "validation", VALIDATION)):
        there = np.isfinite(loss)
        if there.any():
            marker = "." if there.sum() < 40 else None
            drawn += ax.plot(1 + log.epoch[there], loss[there], color=colour, linewidth=1.4, marker=marker, label=label)
    if log.best >= 0:
        epoch, loss = 1 + log.epoch[log.best], log.validation[log.best]
        label = f"best: {loss:.4g} in epoch {epoch:.0f}"
        drawn += ax.plot(
            epoch, loss, "o", markerfacecolor="white", markeredgecolor=VALIDATION, markersize=6.5, label=label,
            linestyle="none", zorder=4,
        )  # fmt: skip
        ax.axhline(loss, color=FAINT, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    losses = np.concatenate([log.training, log.validation])
    losses = losses[np.isfinite(losses)]
    if losses.min() > 0 and losses.max() > WIDE_SPAN * losses.min():
        ax.set_yscale("log")
        plain_log_ticks(ax.yaxis)
    ax.locator_params(axis="x", integer=True)
    ax.legend(handles=drawn, frameon=False, fontsize=9, labelcolor=INK, loc="upper right")
    tidy(ax, "epoch", "loss", title)
    return drawn


def draw_learning_rate(log: TrainingLog, *, ax: Axes | None = None) -> Artist:
    """Draw the learning rate against epoch."""
    ax = figure(7.0, 2.0)[1] if ax is None else ax
    rate = np.full(len(log.epoch), np.nan) if log.learning_rate is None else log.learning_rate
    there = np.isfinite(rate)
    (line,) = ax.plot(1 + log.epoch[there], rate[there], color=INK, linewidth=1.2)
    known = rate[there & (rate > 0)]
    if len(known) and known.max() > WIDE_SPAN * known.min():
        ax.set_yscale("log")
    ax.locator_params(axis="x", integer=True)
    tidy(ax, "epoch", "learning rate")
    return line


def _column(names: Iterable[str], parts: Sequence[str]) -> str:
    """Find the column whose name holds all parts, "" if there is none; that of an epoch before that of a step."""
    found = [name for name in names if all(part in name.lower() for part in parts)]
    return min(found, key=lambda name: ("step" in name, len(name)), default="")


def _last(column: Floats | None, which: NDArray[np.intp], n_epochs: int) -> Floats:
    """Return the last value of each epoch, float64 [n_epochs]; NaN without a column."""
    values = np.full(n_epochs, np.nan)
    if column is not None:
        there = np.isfinite(column)
        values[which[there]] = column[there]  # later rows overwrite earlier ones
    return values
