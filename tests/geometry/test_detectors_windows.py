"""Windows of eta, phi, layers and side: what they hold and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors.windows import Window


def point(phi: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([np.cos(phi)]), np.array([np.sin(phi)]), np.array([1.0])


@pytest.mark.parametrize(
    ("limits", "phi", "inside"),
    [
        ((0.0, 1.0), 0.5, True),
        ((0.0, 1.0), 1.5, False),
        ((3.0, -3.0), 3.1, True),  # through pi
        ((3.0, -3.0), 0.0, False),
        ((3.0, 3.5), -3.1, True),
        ((-0.5, 0.5), 6.2, True),
        ((1.0, -1.0), 0.0, False),  # the long way round
        ((1.0, -1.0), 3.0, True),
        ((0.0, 7.0), 5.0, True),  # more than a turn is everything
    ],
)
def test_phi_goes_counter_clockwise_from_the_first_limit(limits, phi, inside):
    held = Window(phi=limits).holds(*point(phi))
    assert held is None if limits[1] - limits[0] > 2 * np.pi else bool(held[0]) is inside


def test_eta_has_a_sign_and_the_axis_is_far_forward():
    x, y, z = np.array([1.0, 1.0, 0.0]), np.zeros(3), np.array([3.6, -3.6, 1.0])
    assert Window(eta=(1.0, 3.0)).holds(x, y, z).tolist() == [True, False, False]
    assert Window(eta=(-3.0, 3.0)).holds(x, y, z).tolist() == [True, True, False]


@given(
    centre=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    shift=st.tuples(st.floats(0, 16.7), st.floats(-4, 4)),
    eta=st.floats(0.5, 4),
    phi=st.floats(-4, 4),
    size=st.tuples(st.floats(0.001, 2), st.floats(0.001, 6)),
)
def test_no_module_with_a_cell_inside_is_skipped(centre, shift, eta, phi, size):
    window = Window(eta=(eta, eta + size[0]), phi=(phi, phi + size[1]))
    x, y = (np.array([value]) for value in centre)
    cell_x, cell_y = x + shift[0] * np.cos(shift[1]), y + shift[0] * np.sin(shift[1])
    if window.holds(cell_x, cell_y, np.array([350.0]))[0]:
        assert window.may_hold(x, y, 350.0, 16.76)[0]


def test_an_open_window_holds_everything():
    assert Window().holds(*point(1.0)) is None
    assert Window(layers=(2, 3)).may_hold(*point(1.0)[:2], 1.0, 0.1) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"eta": (2.0, 1.0)}, "eta must be"),
        ({"eta": (1.0, float("nan"))}, "eta must be two numbers"),
        ({"eta": (1.0,)}, "eta must be two numbers"),
        ({"layers": (5, 2)}, "layers must be"),
        ({"phi": (1.0, 1.0)}, "phi must span"),
        ({"phi": (0.0, float("inf"))}, "phi must be two numbers"),
        ({"side": 0}, r"side must be \+1 or -1"),
        ({"side": -1, "eta": (1.9, 2.1)}, r"lies on side \+1, not on -1"),
    ],
)
def test_malformed_windows_are_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        Window(**wrong)


def test_layers_and_sides_must_exist():
    with pytest.raises(UsageError, match=r"layers must lie in 1\.\.47, got 40\.\.48"):
        Window(layers=(40, 48)).layer_numbers(47)
    assert Window(layers=(40, 47)).layer_numbers(47) == range(40, 48)
    with pytest.raises(UsageError, match="no side -1"):
        Window(side=-1).sides((1,))
