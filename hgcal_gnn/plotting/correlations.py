"""Correlation matrices of observables: reference, sample and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.plotting.style import INK, blank_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from hgcal_gnn.arrays import F64

COLOURS = "RdBu_r"
MOST_NAMES = 36  # so many names fit beside a matrix
SMALLEST_SCALE = 0.1


def correlation_figure(reference: F64, generated: F64, names: Sequence[str], *, labels: tuple[str, str]) -> Figure:
    """Draw two correlation matrices [n, n] and their difference, which has a scale of its own.

    Parameters
    ----------
    names
        Of the observables; written if they are few.
    labels
        Of the reference and the sample.
    """
    few = len(names) <= MOST_NAMES
    fig = blank_figure(11.0, 5.4 if few else 3.9)
    axes = fig.subplots(1, 3)
    difference = generated - reference
    finite = np.abs(difference[np.isfinite(difference)])
    scale = max(float(finite.max(initial=0.0)), SMALLEST_SCALE)
    drawn = [
        draw_matrix(ax, values, title=title, scale=one)
        for ax, values, title, one in zip(
            axes, (reference, generated, difference), (*labels, "difference"), (1.0, 1.0, scale), strict=True
        )
    ]
    for number, ax in enumerate(axes):
        if few:
            ax.set_xticks(range(len(names)), names, rotation=90, fontsize=7, color=INK)
            ax.set_yticks(range(len(names)), names if number == 0 else [""] * len(names), fontsize=7, color=INK)
        else:
            ax.set_xticks([])
            ax.set_yticks([])
    for image, ax, label in ((drawn[1], axes[1], "correlation"), (drawn[2], axes[2], "difference")):
        bar = fig.colorbar(image, ax=ax, shrink=0.8, pad=0.02)
        bar.set_label(label, color=INK, fontsize=8)
        bar.ax.tick_params(labelsize=7, colors=INK)
        bar.outline.set_visible(False)
    return fig


def draw_matrix(ax: Axes, values: F64, *, title: str = "", scale: float = 1.0) -> AxesImage:
    """Draw a matrix in colours from -`scale` (blue) over 0 (white) to `scale` (red)."""
    image = ax.imshow(values, cmap=COLOURS, vmin=-scale, vmax=scale, interpolation="nearest")
    ax.set_title(title, fontsize=10, loc="left", color=INK)
    ax.tick_params(length=0, colors=INK)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return image
