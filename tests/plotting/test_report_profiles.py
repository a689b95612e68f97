"""Profiles of a report: the panel below shows what can be read."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.evaluation.report.curves import Curve
from hgcal_gnn.plotting.observables import profile_figure


@pytest.mark.parametrize(
    ("mean", "panel", "drawn"),
    [((2.0, 1.0, 4.0), "ratio", (1.05, 1.1, 1.025)), ((-0.1, 0.1, 0.05), "difference", (0.1, 0.1, 0.1))],
)
def test_means_around_0_have_differences_below_others_ratios(mean, panel, drawn):
    place, error = np.arange(1.0, 4.0), np.full(3, 0.01)
    reference, moved = (Curve(place, np.array(mean) + shift, error) for shift in (0.0, 0.1))
    below = profile_figure(reference, {"moved": moved}, xlabel="layer", ylabel="mean").axes[1]
    assert below.get_ylabel() == panel
    line = [patch for patch in below.patches if not patch.get_fill()]
    assert line[0].get_data().values.tolist() == pytest.approx(drawn)
    low, high = below.get_ylim()
    assert all(low < value < high for value in drawn)
