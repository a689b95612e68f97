"""The picture of profiles at single energies shows what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.evaluation.beams import BeamCheck
from hgcal_gnn.plotting.beams import beams_figure, cells_figure


@pytest.mark.parametrize("log_y", [True, False])
def test_profiles_are_drawn(log_y: bool):
    profiles = (np.array([[1.0, 4.0, 0.0], [2.0, 3.0, 0.0]]), np.zeros((2, 5)))
    checks = [BeamCheck(energy, (2, 2), 1.1, 0.1, 0.9, profiles, np.ones((2, 2)), ()) for energy in (100.0, 400.0)]
    figure = beams_figure(checks, ("y", "layer"), log_y=log_y)
    panels = figure.axes
    assert len(panels) == 4
    assert panels[0].patches[0].get_data().values.tolist() == [1.0, 4.0, 0.0]
    assert panels[0].patches[1].get_data().values.tolist() == [2.0, 3.0, 0.0]
    assert "400 GeV: response 1.100" in panels[2].get_title(loc="left")
    assert panels[3].get_xlabel() == "layer"
    figure.canvas.draw()


def test_cell_response_is_drawn_along_the_axis_asked_for():
    cells = np.array([[[1e-3, 2e-3], [3e-3, np.nan]], [[4e-3, 5e-3], [6e-3, 7e-3]]])
    checks = [
        BeamCheck(energy, (2, 2), 1.0, 0.1, 1.0, (), np.ones((2, 2)), (np.zeros((2, 2, 5)), energy / 100 * cells))
        for energy in (100.0, 150.0, 300.0)
    ]
    panels = cells_figure(checks, ("y", "layer"), "layer").axes
    assert len(panels) == 6
    reference, generated = panels[0].lines
    assert reference.get_ydata() == pytest.approx([1.0, 2.0])  # MeV
    assert generated.get_ydata() == pytest.approx([4.0, 5.0])
    assert panels[3].lines[1].get_ydata() == pytest.approx([6.0, 7.0])
    assert panels[3].get_xlabel() == "layer"
    assert panels[2].get_title(loc="left") == "300 GeV"
    assert panels[0].get_ylim()[0] == 0
    assert panels[0].get_ylim()[1] > 15.0  # the row has room for its largest panel
