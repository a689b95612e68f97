"""Endcap or barrel: what the coordinates of every layer show.

A layer is a plane across the beam (an endcap), a surface around it (a barrel), or both under one number: a can,
whose wall is the barrel and whose ends are the endcaps. What is none of these closes around the beam like
a sphere of crystals and is kept together as side 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.arrays import F64, I8, I64, Bools

FLAT = 0.1  # a layer is a plane (cylinder) if |z| (r) varies by less than this share of its mean
ACROSS = 1 / 3  # a short piece of a barrel: r varies little, and z no less than this share of it
RING = 1e-3  # a single ring, r the same all around: a barrel if it lies farther from the beam than from z = 0
CAN_CELLS = 1000  # cells of a layer that the can is fitted to ...
CAN_SIZES = 40  # ... among this many radii and lengths
CAN_REST = 0.05  # share of cells that may lie off the can
EXACT = 1e-3  # relative: the wall and the end are straight at least to this; else to three times what is seen
STEP = 3.0  # the planes next to z = 0 are one stack if they lie within this many usual steps


def find_sides(
    subdetector: NDArray[np.uint8],
    layer: NDArray[np.int16],
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    z: NDArray[np.floating],
) -> I8:
    """Tell endcap cells (+1, -1) from barrel cells (0) by what the coordinates of each layer show.

    A stack of planes that merely crosses z = 0 (a prism in its own coordinates) has one side, +1.

    Parameters
    ----------
    subdetector, layer, x, y, z
        Shape [n_cells]; lengths in cm.

    Returns
    -------
    int8 [n_cells]
    """
    key = subdetector.astype(np.int64) << 32 | (layer.astype(np.int64) + 2**15)
    _, group = np.unique(key, return_inverse=True)
    n_groups = int(group.max()) + 1 if len(group) else 0
    r, height = np.hypot(x, y).astype(np.float64), np.abs(z).astype(np.float64)
    plane, barrel = _simple_surfaces(group, n_groups, r, z.astype(np.float64))
    in_disk = plane[group]
    for mixed in np.flatnonzero(~plane & ~barrel):
        members = np.flatnonzero(group == mixed)
        for half in (members[z[members] >= 0], members[z[members] < 0]):
            in_disk[half] = _ends_of_can(r[half], height[half])
    side = np.where(in_disk, np.where(z < 0, -1, 1), 0).astype(np.int8)
    return _join_crossing_stack(side, group, z, r)


def _simple_surfaces(group: I64, n_groups: int, r: F64, z: F64) -> tuple[Bools, Bools]:
    """Mark the groups that are planes across the beam, or else barrels."""
    r_mean, r_spread = _moments(group, n_groups, r)
    z_mean, z_spread = _moments(group, n_groups, np.abs(z))
    signed_spread = _moments(group, n_groups, z)[1]
    plane = signed_spread <= FLAT * np.maximum(r_spread, 1e-6)
    round_ = r_spread <= FLAT * r_mean
    piece = round_ & (z_spread > ACROSS * r_spread)
    plane |= (z_spread <= FLAT * z_mean) & (z_spread <= r_spread) & ~piece
    plane &= ~((r_spread <= RING * r_mean) & (z_mean < r_mean))
    return plane, ~plane & round_


def _moments(group: I64, n_groups: int, value: F64) -> tuple[F64, F64]:
    """Mean and standard deviation of `value` in each group, [n_groups]."""
    count = np.bincount(group, minlength=n_groups)
    mean = np.bincount(group, value, n_groups) / count
    spread = np.sqrt(np.bincount(group, (value - mean[group]) ** 2, n_groups) / count)
    return mean, spread


def _ends_of_can(r: F64, height: F64) -> Bools:
    """Mark the cells on the end of a can; none if the cells are not on a can.

    Near the rim both the wall and the end are close. There a cell goes with the one whose straight continuation
    it lies on, and if it lies on both or none, with the nearest cell that is sure.
    """
    nothing = np.zeros(len(r), dtype=bool)
    if len(r) < 2:
        return nothing
    sample = np.unique(np.linspace(0, len(r) - 1, CAN_CELLS).astype(np.int64))
    off_wall, off_end = _best_can(r[sample], height[sample], r, height)
    if (np.minimum(off_wall, off_end) > FLAT).mean() > CAN_REST:
        return nothing
    sure_wall, sure_end = (off_wall <= FLAT) & (off_end > FLAT), (off_end <= FLAT) & (off_wall > FLAT)
    if not sure_wall.any() or not sure_end.any():
        return nothing if sure_wall.any() else ~nothing
    on_wall, on_end = _continues(height, r, sure_wall), _continues(r, height, sure_end)
    points = np.column_stack([r, height])
    sure = np.flatnonzero(sure_wall | sure_end)
    unsure = np.flatnonzero(~(sure_wall | sure_end))
    nearest_end = sure_end[sure[cKDTree(points[sure]).query(points[unsure])[1]]]
    sure_end[unsure] = np.where(on_wall[unsure] == on_end[unsure], nearest_end, on_end[unsure])
    return sure_end


def _continues(along: F64, across: F64, sure: Bools) -> Bools:
    """Mark what lies on the straight line through the cells that are sure."""
    middle = along[sure].mean()
    slope, level = np.polyfit(along[sure] - middle, across[sure], 1) if np.ptp(along[sure]) > 0 else (0.0, across[sure])
    off = np.abs(across - np.mean(level) - slope * (along - middle))
    near: Bools = off <= max(3.0 * float(off[sure].std()), EXACT * float(across[sure].mean()))
    return near


def _best_can(r_sample: F64, height_sample: F64, r: F64, height: F64) -> tuple[F64, F64]:
    """Fit radius and half length of a can; return how far each cell is off its wall and its end, relative."""
    share = np.linspace(0, 1, CAN_SIZES)
    radii, lengths = np.maximum(np.quantile(r_sample, share), 1e-9), np.maximum(np.quantile(height_sample, share), 1e-9)
    off_wall, off_end = np.abs(r_sample / radii[:, None] - 1), np.abs(height_sample / lengths[:, None] - 1)
    off = np.minimum(off_wall[:, None, :], off_end[None, :, :])
    # Fewest cells off the can; of equally good ones the closest.
    cost = (off > FLAT).mean(axis=2) + np.minimum(off, FLAT).mean(axis=2)
    radius, length = np.unravel_index(np.argmin(cost), cost.shape)
    return np.abs(r / radii[radius] - 1), np.abs(height / lengths[length] - 1)


def _join_crossing_stack(side: I8, group: I64, z: NDArray[np.floating], r: F64) -> I8:
    """Give one side to a stack of planes that goes through z = 0: no plane at both signs, no hole at the middle."""
    n_groups = int(group.max()) + 1 if len(group) else 0
    negative = np.bincount(group, side < 0, n_groups) > 0
    positive = np.bincount(group, side > 0, n_groups) > 0
    if not negative.any() or not positive.any() or (negative & positive).any() or (side == 0).any():
        return side
    depth = np.sort(_moments(group, n_groups, z.astype(np.float64))[0])
    steps = np.diff(depth)
    middle = int(np.searchsorted(depth, 0.0)) - 1
    others = np.delete(steps, middle)
    usual = float(others.max()) if len(others) else float(r.max())
    return np.abs(side) if steps[middle] <= STEP * usual else side
