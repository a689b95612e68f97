"""Areas and distances of polygons, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.shapes.polygons import corner_distance, polygon_area, polygon_distance

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
TRIANGLE = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])  # padded to four corners


def distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    return float(corner_distance(a[None], b[None])[0]), float(polygon_distance(a[None], b[None])[0])


@pytest.mark.parametrize(
    ("shift", "corner", "polygon"),
    [
        ((3.0, 0.0), 2.0, 2.0),  # side facing side, corners level
        ((3.0, 0.5), np.hypot(2.0, 0.5), 2.0),  # side facing side, corners not level
        ((4.0, 5.0), 5.0, 5.0),  # corner facing corner: legs 3 and 4
        ((1.0, 0.5), 0.5, 0.0),  # touching along half a side
        ((1.0, 1.0), 0.0, 0.0),  # touching in a corner
        ((0.25, 0.0), 0.25, 0.0),  # overlapping
    ],
)
def test_two_squares(shift: tuple[float, float], corner: float, polygon: float) -> None:
    assert distances(SQUARE, SQUARE + shift) == pytest.approx((corner, polygon))


def test_square_inside_a_square() -> None:
    # corners are 1 * sqrt(2) apart although the polygons overlap entirely
    assert distances(SQUARE, 3 * SQUARE - 1) == pytest.approx((np.sqrt(2.0), 0.0))


def test_corner_before_a_slanted_side() -> None:
    # (2, 2) lies sqrt(2) before the side x + y = 2, whose ends are 2 away; padding adds no phantom edge
    assert distances(TRIANGLE, SQUARE + 2) == pytest.approx((2.0, np.sqrt(2.0)))


def test_polygons_apart_though_their_boxes_overlap() -> None:
    # two slanted strips: only the slanted edge separates them
    other = np.array([[2.0, 1.0], [2.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    assert distances(TRIANGLE, other)[1] == pytest.approx(0.5 * np.sqrt(2.0))


def test_areas() -> None:
    near = np.stack([SQUARE, TRIANGLE, SQUARE[::-1]])
    assert polygon_area(near + np.array([200.0, -300.0])) == pytest.approx([1.0, 2.0, 1.0], rel=1e-12)


def test_shapes_are_checked() -> None:
    with pytest.raises(UsageError, match=r"got \[4, 2\] and \[1, 4, 2\]"):
        corner_distance(SQUARE, SQUARE[None])
    with pytest.raises(UsageError):
        polygon_distance(SQUARE[None], np.stack([SQUARE, SQUARE]))


def regular(n: int, angle: float, x: float, y: float) -> NDArray[np.float64]:
    turn = angle + 2 * np.pi * np.arange(n) / n
    return np.stack([x + np.cos(turn), y + np.sin(turn)], axis=1)


@settings(deadline=None)  # the first call compiles
@given(
    n_a=st.integers(3, 7),
    n_b=st.integers(3, 7),
    angle=st.floats(0, 6),
    x=st.floats(-4, 4),
    y=st.floats(-4, 4),
    turn=st.floats(0, 6),
)
def test_distance_properties(n_a: int, n_b: int, angle: float, x: float, y: float, turn: float) -> None:
    a, b = regular(n_a, 0.0, 0.0, 0.0), regular(n_b, angle, x, y)
    corner, polygon = distances(a, b)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    moved = [corners @ rotation + [50.0, -70.0] for corners in (a, b)]
    assert distances(*moved) == pytest.approx((corner, polygon), abs=1e-9)
    assert distances(b[::-1], a) == pytest.approx((corner, polygon), abs=1e-9)
    assert polygon <= corner + 1e-12
    apart = np.hypot(x, y)
    assert max(apart - 2.0, 0.0) - 1e-9 <= polygon <= apart  # within the unit circles around both
