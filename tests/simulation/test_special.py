"""The incomplete gamma function against SciPy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaincc

from hgcal_gnn.simulation.special import upper_gamma


@given(st.floats(0.5, 30.0), st.floats(0.0, 200.0))
def test_agrees_with_scipy(a, x):
    assert upper_gamma(a, x) == pytest.approx(gammaincc(a, x), rel=1e-6, abs=1e-9)
