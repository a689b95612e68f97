"""Pictures of classifier tests: weights, calibration, learning curves; and of amplification, another such curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.plotting.style import FAINT, INK, LINES, MARKERS, figure, plain_log_ticks, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hgcal_gnn.evaluation.amplification import Amplification
    from hgcal_gnn.evaluation.calibration_of_scores import WeightHistogram
    from hgcal_gnn.evaluation.classifier import ClassifierResult

SIZE = (5.6, 3.9)  # inches


def weights_figure(results: Mapping[str, ClassifierResult]) -> Figure:
    """Draw the distribution of the weights a classifier gives to reference and generated showers."""
    fig, ax = figure(*SIZE)
    for number, (name, result) in enumerate(results.items()):
        colour, weights = LINES[number % len(LINES)], result.weights
        ax.stairs(weights.generated, weights.edges, baseline=None, color=colour, label=name, linewidth=1.3)
        ax.stairs(
            weights.reference, weights.edges, baseline=None, color=colour, linestyle=(0, (3, 2)), linewidth=1.0,
            label=f"reference, as against {name}",
        )  # fmt: skip
    ax.axvline(0.0, color=FAINT, linewidth=0.8)
    reach = max(_reach(result.weights) for result in results.values())
    ax.set_xlim(-reach, reach)
    _finish(ax, "ln(reference / generated)", "share of the showers")
    return fig


def calibration_figure(results: Mapping[str, ClassifierResult]) -> Figure:
    """Draw the share of generated showers found against the probability given."""
    fig, ax = figure(*SIZE)
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, zorder=1)
    for number, (name, result) in enumerate(results.items()):
        found = result.calibration
        ax.errorbar(found.given, found.found, found.error, label=name, markersize=5, **_style(number))
    _finish(ax, "probability to be generated", "share of generated showers")
    return fig


def learning_figure(results: Mapping[str, ClassifierResult]) -> Figure:
    """Draw the area under the curve against the number of showers the networks were trained on."""
    fig, ax = figure(*SIZE)
    ax.axhline(0.5, color=FAINT, linewidth=0.8, zorder=1)
    for number, (name, result) in enumerate(results.items()):
        curve = result.learning_curve
        if curve is not None:
            ax.errorbar(
                curve.sizes, curve.auc, curve.error, label=name, markersize=5, linewidth=1.1,
                **_style(number) | {"linestyle": "-"},
            )  # fmt: skip
    ax.set_xscale("log")
    plain_log_ticks(ax.xaxis)
    _finish(ax, "showers in training, both samples", "AUC")
    return fig


def amplification_figure(curves: Mapping[str, Amplification]) -> Figure:
    """Draw the error of generated samples against their size, and that of independent showers."""
    fig, ax = figure(*SIZE)
    first = next(iter(curves.values()))
    longest = max(curves.values(), key=lambda curve: int(curve.sizes[-1]))
    ax.plot(longest.sizes, longest.independent, color=FAINT, linewidth=1.2, label="independent showers", zorder=1)
    ax.plot(
        [first.training_size], [first.training_error], marker="*", markersize=11, linestyle="none", color=INK,
        label=f"the {first.training_size:,} training showers",
    )  # fmt: skip
    for number, (name, curve) in enumerate(curves.items()):
        ax.errorbar(
            curve.sizes, curve.error, curve.error_error, label=name, markersize=5, linewidth=1.1,
            **_style(number) | {"linestyle": "-"},
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    plain_log_ticks(ax.xaxis)
    plain_log_ticks(ax.yaxis)
    _finish(ax, "generated showers", "error of the shares in quantiles")
    return fig


def _reach(weights: WeightHistogram) -> float:
    """Return how far from 0 the histogram is filled."""
    filled = np.flatnonzero((weights.reference > 0) | (weights.generated > 0))
    return max(abs(float(weights.edges[filled[0]])), abs(float(weights.edges[filled[-1] + 1]))) if len(filled) else 1.0


def _style(number: int) -> dict[str, Any]:
    return {"marker": MARKERS[number % len(MARKERS)], "linestyle": "none", "color": LINES[number % len(LINES)]}


def _finish(ax: Axes, xlabel: str, ylabel: str) -> None:
    tidy(ax, xlabel, ylabel)
    ax.legend(frameon=False, fontsize=8, labelcolor=INK)
