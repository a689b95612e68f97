"""Pictures of generated beside reference showers of single energies: profiles along the voxels, energies of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.plotting.style import INK, blank_figure, tidy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.evaluation.beams import BeamCheck

SAMPLE = "#0F5FA6"
REFERENCE = "#D2D2D2"


def beams_figure(checks: Sequence[BeamCheck], axes: Sequence[str], *, log_y: bool = True) -> Figure:
    """Draw the profiles: a row per energy, a column per axis of the voxels.

    Parameters
    ----------
    checks
        Of `check_beams`.
    axes
        Names of the axes, for the labels.
    """
    fig = blank_figure(3.6 * len(axes), 0.8 + 2.4 * len(checks))
    panels = fig.subplots(len(checks), len(axes), squeeze=False)
    handles: list[Artist] = []
    for number, (row, check) in enumerate(zip(panels, checks, strict=True)):
        for ax, name, profile in zip(row, axes, check.profiles, strict=True):
            handles = draw_profile(ax, profile, log_y=log_y)
            tidy(ax, name if number == len(checks) - 1 else "", "energy [GeV]" if ax is row[0] else "")
        told = f"{check.energy:g} GeV: response {check.response:.3f} +- {check.error:.3f}, width {check.width:.2f}"
        row[0].set_title(told, loc="left", fontsize=9)
    fig.legend(handles=handles, labels=["reference", "generated"], loc="outside upper right", ncols=2, frameon=False)
    return fig


def cells_figure(checks: Sequence[BeamCheck], axes: Sequence[str], along: str) -> Figure:
    """Draw the cell response along one axis: a column per energy, mean above, width below.

    Parameters
    ----------
    checks
        Of `check_beams`.
    axes
        Names of the axes of the voxels.
    along
        The one to draw.
    """
    number = list(axes).index(along)
    fig = blank_figure(0.6 + 3.0 * len(checks), 5.4)
    panels = fig.subplots(2, len(checks), squeeze=False, sharey="row")
    for column, check in enumerate(checks):
        cells = 1e3 * check.cells[number]
        places = np.arange(cells.shape[2])
        for moment, name in enumerate(("mean", "width")):
            ax = panels[moment, column]
            ax.plot(places, cells[0, moment], "o", color=INK, markersize=3.5, label="reference")
            ax.plot(places, cells[1, moment], color=SAMPLE, label="generated")
            tidy(ax, along if moment else "", "" if column else f"{name} of hit cells [MeV]")
        panels[0, column].set_title(f"{check.energy:g} GeV", loc="left", fontsize=10)
    for first in panels[:, 0]:  # of the whole row, once all is drawn
        first.set_ylim(bottom=0)
    panels[0, 0].legend(frameon=False, fontsize=9)
    return fig


def draw_profile(ax: Axes, profile: F64, *, log_y: bool = True) -> list[Artist]:
    """Draw mean energies [2, n] along an axis, of the reference in grey and the generated showers as a line."""
    edges = np.arange(profile.shape[1] + 1) - 0.5
    lit = profile[0][profile[0] > 0]
    is_log = log_y and len(lit) > 0
    floor = lit.min() / 3 if is_log else 0.0
    grey = ax.stairs(profile[0], edges, fill=True, color=REFERENCE, baseline=floor)
    line = ax.stairs(profile[1], edges, color=SAMPLE, baseline=None)
    if is_log:
        ax.set_yscale("log")
        ax.set_ylim(floor, lit.max() * 3)
    return [grey, line]
