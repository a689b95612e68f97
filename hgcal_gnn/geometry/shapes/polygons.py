"""Polygons as padded arrays: area and the two distances that decide on border edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def polygon_area(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area of each polygon by the shoelace formula, [n], cm2.

    Parameters
    ----------
    corners
        Shape [n, k, 2] in cm, in order around the polygon, padded by repeating the last corner (which
        adds no area).
    """
    moved = corners - corners[:, :1]  # cells lie metres from the origin: keep the digits
    x, y = moved[..., 0], moved[..., 1]
    cross = x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y
    return np.asarray(0.5 * np.abs(cross.sum(axis=1)))


def corner_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest distance between a corner of `a` and a corner of `b`, [n], cm.

    Parameters
    ----------
    a, b
        Corners of the two polygons of each pair, [n, k_a, 2] and [n, k_b, 2] in cm, padded by repeating
        the last corner.
    """
    _check_pairs(a, b)
    return np.asarray(_corner_distance(a, b))


def polygon_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance between two convex polygons, [n], cm: 0 where they touch or overlap.

    Parameters
    ----------
    a, b
        Corners of the two polygons of each pair, [n, k_a, 2] and [n, k_b, 2] in cm, in order around the
        polygon (either way), padded by repeating the last corner.
    """
    _check_pairs(a, b)
    return np.asarray(_polygon_distance(a, b))


def _check_pairs(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    if a.ndim != 3 or b.ndim != 3 or a.shape[2] != 2 or b.shape[2] != 2 or len(a) != len(b):
        msg = f"corners of pairs must have shapes [n, k_a, 2] and [n, k_b, 2], got {list(a.shape)} and {list(b.shape)}"
        raise UsageError(msg)


@njit(cache=True)
def _corner_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    nearest = np.empty(len(a))
    for pair in range(len(a)):
        square = np.inf
        for i in range(a.shape[1]):
            for j in range(b.shape[1]):
                square = min(square, (a[pair, i, 0] - b[pair, j, 0]) ** 2 + (a[pair, i, 1] - b[pair, j, 1]) ** 2)
        nearest[pair] = np.sqrt(square)
    return nearest


@njit(cache=True)
def _polygon_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    nearest = np.zeros(len(a))
    for pair in range(len(a)):
        if _edge_separates(a[pair], b[pair]) or _edge_separates(b[pair], a[pair]):
            nearest[pair] = np.sqrt(min(_corner_to_edge(a[pair], b[pair]), _corner_to_edge(b[pair], a[pair])))
    return nearest


@njit(cache=True)
def _edge_separates(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Tell whether, seen along an edge of `a`, all of `b` lies beyond all of `a`.

    Two convex polygons are apart exactly if an edge of either separates them (separating axis theorem).
    """
    for i in range(len(a)):
        x, y = a[i]
        next_x, next_y = a[(i + 1) % len(a)]
        normal_x, normal_y = next_y - y, x - next_x
        low_a, high_a, low_b, high_b = 0.0, 0.0, np.inf, -np.inf
        for corner in range(len(a)):
            along = (a[corner, 0] - x) * normal_x + (a[corner, 1] - y) * normal_y
            low_a, high_a = min(low_a, along), max(high_a, along)
        for corner in range(len(b)):
            along = (b[corner, 0] - x) * normal_x + (b[corner, 1] - y) * normal_y
            low_b, high_b = min(low_b, along), max(high_b, along)
        if low_b > high_a or low_a > high_b:
            return True
    return False


@njit(cache=True)
def _corner_to_edge(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Smallest squared distance from a corner of `a` to an edge of `b`."""
    nearest = np.inf
    for i in range(len(b)):
        x, y = b[i]
        edge_x, edge_y = b[(i + 1) % len(b), 0] - x, b[(i + 1) % len(b), 1] - y
        length = edge_x * edge_x + edge_y * edge_y
        for corner in range(len(a)):
            to_x, to_y = a[corner, 0] - x, a[corner, 1] - y
            share = 0.0
            if length > 0.0:  # a repeated corner (padding) makes an edge of no length
                share = min(max((to_x * edge_x + to_y * edge_y) / length, 0.0), 1.0)
            nearest = min(nearest, (to_x - share * edge_x) ** 2 + (to_y - share * edge_y) ** 2)
    return nearest
