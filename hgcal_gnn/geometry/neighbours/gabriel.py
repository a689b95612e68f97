"""Neighbours of cells of which only the centres are known: the Gabriel graph of each layer.

Two cells are neighbours if no other centre lies in the circle that has their link as diameter (Gabriel
and Sokal, Syst. Zool. 18 (1969) 259). It needs no parameter, follows any spacing and is a part of the
Delaunay triangulation, so it is read off that. Links over real gaps are then cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import Delaunay, QhullError

from hgcal_gnn.geometry.neighbours.edges import Pairs, unique_pairs

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I64, U8, Bools
    from hgcal_gnn.geometry.stations import Stations

FAR_LOCAL = 3.0  # a link is far if it is this many times the median link of both its cells ...
FAR_LAYER = 1.5  # ... and this many times the longest links usual in the layer (its 90 % quantile)
ROUND = 1e-5  # relative: four cells of a rectangle lie on one circle but for rounding


def gabriel_pairs(stations: Stations, group: U8, *, corners: bool = False) -> Pairs:
    """Link the cells of each station and group (subdetector) by the Gabriel rule, without far links.

    With `corners`, cells that face each other across the corner of a rectangle count as neighbours too.
    """
    key = stations.number.astype(np.int64) << 8 | group
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    parts = []
    for rows in np.split(order, starts[1:]):
        radius = stations.radius[stations.number[rows[0]]]
        points = np.column_stack([stations.a[rows], stations.b[rows]])
        parts.append(_layer_pairs(rows, points, 2 * np.pi * radius, corners=corners))
    return Pairs.concatenate(parts)


def _layer_pairs(rows: I64, points: F64, turn: float, *, corners: bool) -> Pairs:
    """Gabriel links of one layer; `turn` > 0 closes the second coordinate with that period."""
    index = np.arange(len(rows))
    if turn > 0:
        # A third of a turn repeated on either side is more than any neighbour is away.
        high, low = index[points[:, 1] > turn / 6], index[points[:, 1] < -turn / 6]
        shift = np.array([0.0, turn])
        points = np.concatenate([points, points[high] - shift, points[low] + shift])
        index = np.concatenate([index, high, low])
    first, second = _gabriel_links(points, corners=corners)
    length = np.hypot(*(points[first] - points[second]).T)
    keep = ~_far(index[first], index[second], length, len(rows))
    first, second = unique_pairs(index[first[keep]], index[second[keep]])
    return Pairs.of_type(rows[first], rows[second], 0)


def _gabriel_links(points: F64, *, corners: bool) -> tuple[I64, I64]:
    """Edges of the Delaunay triangulation with no opposite corner inside their circle."""
    try:
        triangles = Delaunay(points).simplices.astype(np.int64)
    except (QhullError, ValueError):
        return _chain(points)  # fewer than three cells, or all on one line
    corner = np.concatenate([triangles[:, k] for k in range(3)])
    a = np.concatenate([triangles[:, k - 2] for k in range(3)])
    b = np.concatenate([triangles[:, k - 1] for k in range(3)])
    to_a, to_b = points[a] - points[corner], points[b] - points[corner]
    # A third cell is inside the circle over ab if it sees ab under more than a right angle.
    cosine = np.sum(to_a * to_b, axis=1) / np.maximum(np.hypot(*to_a.T) * np.hypot(*to_b.T), 1e-300)
    key = np.minimum(a, b) * len(points) + np.maximum(a, b)
    links, which = np.unique(key, return_inverse=True)
    free = np.bincount(which, cosine < (-ROUND if corners else ROUND)) == 0
    first, second = links[free] // len(points), links[free] % len(points)
    if not corners:
        return first, second
    # A rectangle is cut along one diagonal only; its other one joins the two corners that see it squarely.
    square = np.bincount(which, np.abs(cosine) < ROUND)[which] == 2
    facing = corner[square][np.argsort(which[square], kind="stable")].reshape(-1, 2)
    return np.concatenate([first, facing[:, 0]]), np.concatenate([second, facing[:, 1]])


def _chain(points: F64) -> tuple[I64, I64]:
    """Link the cells of a single row one to the next."""
    along = np.lexsort((points[:, 1], points[:, 0]))
    return along[:-1], along[1:]


def _far(first: I64, second: I64, length: F64, n_cells: int) -> Bools:
    """Mark links over a gap: long for both of their cells and long for the layer."""
    if len(length) == 0:
        return np.zeros(0, dtype=bool)
    ends = np.concatenate([first, second])
    both = np.concatenate([length, length])
    order = np.lexsort((both, ends))
    count = np.bincount(ends, minlength=n_cells)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    middle = np.zeros(n_cells)
    linked = count > 0
    middle[linked] = both[order][start[linked] + (count[linked] - 1) // 2]
    usual = np.maximum(middle[first], middle[second])
    return (length > FAR_LOCAL * usual) & (length > FAR_LAYER * np.quantile(length, 0.9))
