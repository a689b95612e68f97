"""Generated showers beside reference ones at a glance: energies by layer, of each shower and in the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm

from hgcal_gnn.plotting.style import INK, LINES, blank_figure, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from hgcal_gnn.arrays import F64, Array
    from hgcal_gnn.showers.showers import Showers

SHOWN = 40  # showers drawn one by one
DECADES = 4.0  # of energy that the colours span


def samples_figure(samples: Mapping[str, Showers], layer: Array, *, title: str = "") -> Figure:
    """Draw samples beside each other.

    Above, the energies in the layers of some showers, one column each, those of high visible energy on the right;
    below, the mean energy in each layer with the range of 68 % of the showers.

    Parameters
    ----------
    samples
        Showers by name, the reference first; for the same particles.
    layer : integers [n_cells]
        Layer of each cell, from 1.
    title
    """
    sums = {name: layer_sums(showers, layer) for name, showers in samples.items()}
    fig = blank_figure(3.6 * len(sums) + 0.8, 6.4)
    grid = fig.add_gridspec(2, len(sums), height_ratios=(3, 2))
    # one scale for all, so that colours can be compared
    highest = max((float(values.max(initial=0.0)) for values in sums.values()), default=0.0) or 1.0
    lowest = highest * 10**-DECADES
    norm = LogNorm(lowest, highest)
    above = [fig.add_subplot(grid[0, column]) for column in range(len(sums))]
    for ax, (name, values) in zip(above, sums.items(), strict=True):
        image = draw_showers(values[:SHOWN], ax=ax, norm=norm, title=name)
    faint = any(bool(((values > 0) & (values < lowest)).any()) for values in sums.values())
    fig.colorbar(
        image, ax=above, label="energy in the layer [GeV]; white: none", fraction=0.03,
        extend="min" if faint else "neither",
    )  # fmt: skip
    draw_profiles(sums, ax=fig.add_subplot(grid[1, :]))
    if title:
        fig.suptitle(title, color=INK, fontsize=11)
    return fig


def layer_sums(showers: Showers, layer: Array) -> F64:
    """Return the deposits of each shower in each layer [GeV], float64 [n_showers, n_layers]."""
    n_layers = int(layer.max(initial=1))
    place = showers.shower * n_layers + (layer[showers.cell].astype(np.int64) - 1)
    sums = np.bincount(place, showers.energy, minlength=len(showers) * n_layers)
    return sums.reshape(len(showers), n_layers).astype(np.float64)


def draw_showers(sums: F64, *, ax: Axes, norm: LogNorm, title: str = "") -> AxesImage:
    """Draw the energies of showers by layer, one column per shower."""
    order = np.argsort(sums.sum(axis=1), kind="stable")
    there = np.where(sums[order] > 0, sums[order], np.nan)
    n, n_layers = sums.shape
    image = ax.imshow(
        there.T, norm=norm, cmap="viridis", aspect="auto", interpolation="nearest",
        extent=(0.5, n + 0.5, n_layers + 0.5, 0.5),
    )  # fmt: skip
    tidy(ax, "shower, by visible energy", "layer", title)
    ax.locator_params(axis="y", integer=True)
    return image


def draw_profiles(sums: Mapping[str, F64], *, ax: Axes) -> None:
    """Draw the mean energy by layer, with the range of 68 % of the showers."""
    for colour, (name, values) in zip((INK, *LINES), sums.items(), strict=False):
        if not len(values):
            continue
        edges = 0.5 + np.arange(values.shape[1] + 1)
        low, high = np.quantile(values, [0.16, 0.84], axis=0)
        ax.stairs(high, edges, baseline=low, fill=True, color=colour, alpha=0.15, linewidth=0)
        ax.stairs(values.mean(axis=0), edges, color=colour, linewidth=1.4, label=name)
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    ax.set_ylim(bottom=0)
    ax.locator_params(axis="x", integer=True)
    tidy(ax, "layer", "energy in the layer [GeV]:\nmean and 68 % of showers")
