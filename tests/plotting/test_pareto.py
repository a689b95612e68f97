"""Quality against time: the front, and that every point is where it belongs."""

from __future__ import annotations

import numpy as np

from hgcal_gnn.plotting.pareto import ParetoPanel, ParetoPoint, draw_pareto, pareto_figure, pareto_front
from hgcal_gnn.plotting.style import figure

METHODS = {
    "cells": [ParetoPoint(8.0, 0.05, 0.01, "4 steps"), ParetoPoint(2.0, 0.20, 0.01, "1 step")],
    "gan": [ParetoPoint(0.5, 0.30)],
    "bib_ae": [ParetoPoint(9.0, 0.10)],
}


def test_nothing_on_the_front_is_beaten():
    front = pareto_front([point for points in METHODS.values() for point in points])
    assert [(point.ms, point.quality) for point in front] == [(0.5, 0.30), (2.0, 0.20), (8.0, 0.05)]
    assert pareto_front([ParetoPoint(1, 0.2), ParetoPoint(1, 0.1), ParetoPoint(2, 0.1)]) == [ParetoPoint(1, 0.1)]
    assert pareto_front([]) == []


def test_points_of_a_method_are_joined_by_time():
    _, ax = figure()
    drawn = draw_pareto(ax, METHODS, "AUC", reference_ms=20.0)
    assert len(drawn) == 3
    np.testing.assert_allclose(drawn[0].get_xdata(), [2.0, 8.0])
    np.testing.assert_allclose(drawn[0].get_ydata(), [0.20, 0.05])
    assert {text.get_text(): tuple(text.xy) for text in ax.texts if text.get_text()} == {
        "1 step": (2.0, 0.20), "4 steps": (8.0, 0.05)
    }  # fmt: skip
    low, high = ax.get_xlim()
    assert low < 0.5
    assert high > 20.0  # that of the reference


def test_a_panel_for_each_quality():
    """Each from its best value on."""
    panels = [ParetoPanel("separation power", 0.0, METHODS), ParetoPanel("AUC", 0.5, {"gan": [ParetoPoint(0.5, 0.9)]})]
    made = pareto_figure(panels)
    assert [ax.get_ylabel() for ax in made.axes] == ["separation power", "AUC"]
    labels = [text.get_text() for text in made.axes[0].get_legend().get_texts()]
    assert labels == ["cells", "gan", "bib_ae"]
    for ax, panel, highest in zip(made.axes, panels, (0.3, 0.9), strict=True):
        low, high = ax.get_ylim()
        assert panel.best - 0.1 < low < panel.best
        assert high > highest
