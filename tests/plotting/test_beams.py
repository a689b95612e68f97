"""The picture of profiles at single energies shows what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.evaluation.beams import BeamCheck
from hgcal_gnn.plotting.beams import beams_figure


@pytest.mark.parametrize("log_y", [True, False])
def test_profiles_are_drawn(log_y: bool):
    profiles = (np.array([[1.0, 4.0, 0.0], [2.0, 3.0, 0.0]]), np.zeros((2, 5)))
    checks = [BeamCheck(energy, (2, 2), 1.1, 0.1, 0.9, profiles) for energy in (100.0, 400.0)]
    figure = beams_figure(checks, ("y", "layer"), log_y=log_y)
    panels = figure.axes
    assert len(panels) == 4
    assert panels[0].patches[0].get_data().values.tolist() == [1.0, 4.0, 0.0]
    assert panels[0].patches[1].get_data().values.tolist() == [2.0, 3.0, 0.0]
    assert "400 GeV: response 1.100" in panels[2].get_title(loc="left")
    assert panels[3].get_xlabel() == "layer"
    figure.canvas.draw()
