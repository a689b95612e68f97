"""The Gabriel rule in space, for layers that are neither flat nor round.

On a sphere of crystals or on the flat faces of a box no two coordinates keep all right angles. There two cells are
neighbours if no other centre of the layer lies in the ball that has their link as diameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from hgcal_gnn.geometry.neighbours.edges import unique_pairs

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I64

CANDIDATES = 32  # nearest cells among which the neighbours are sought
CHUNK = 2048
ROUND = 1e-5  # relative, see `gabriel`


def ball_pairs(points: F64, *, corners: bool) -> tuple[I64, I64]:
    """Link cells by the Gabriel rule in space, each pair once.

    Parameters
    ----------
    points
        Centres of the cells of one layer, [n, 3] in cm.
    corners
        Cells that face each other across the corner of a square count as neighbours too.
    """
    n_near = min(CANDIDATES, len(points))
    tree = cKDTree(points)
    first, second = [], []
    for start in range(0, len(points), CHUNK):
        here = points[start : start + CHUNK]
        near = np.asarray(tree.query(here, k=n_near)[1]).reshape(len(here), n_near)
        step = points[near] - here[:, None]
        # A cell q sees the link to k under a right angle or more if (k - q).q >= 0.
        inside = np.einsum("nkd,nqd->nkq", step, step) - np.einsum("nqd,nqd->nq", step, step)[:, None]
        size = np.linalg.norm(step, axis=2)
        apart = np.linalg.norm(step[:, :, None] - step[:, None], axis=3)
        slack = (ROUND if corners else -ROUND) * size[:, None] * apart
        hides = (inside > slack) & (size[:, None] > 0) & (apart > 0)
        cell, place = np.nonzero((size > 0) & ~hides.any(axis=2))
        first.append(start + cell)
        second.append(near[cell, place])
    return unique_pairs(np.concatenate(first), np.concatenate(second))
