"""The surface each layer lies in: an endcap disk, spanned by (x, y), or a barrel, spanned by (z, r phi)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

FLAT = 0.1  # a layer is a plane (cylinder) if |z| (r) varies by less than this share of its mean


@dataclass(frozen=True)
class Surface:
    """One layer of one subdetector on one side: rows `start` to `stop` of the sorted table.

    Attributes
    ----------
    kind
        "disk" (neighbours are sought in x, y) or "barrel" (in z, r phi, closed in phi).
    depth
        Mean |z| of a disk, mean r of a barrel [cm].
    """

    kind: Literal["disk", "barrel"]
    z_side: int
    layer: int
    subdetector: int
    start: int
    stop: int
    depth: float

    @property
    def rows(self) -> slice:
        """Rows of the layer in the table."""
        return slice(self.start, self.stop)


def surfaces(table: CellTable) -> list[Surface]:
    """List the layers of a table in row order, each with the surface its cells show."""
    starts = table.layer_starts
    stops = np.append(starts[1:], table.n_cells)
    found = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        side = int(table.z_side[start])
        rows = slice(start, stop)
        depth = float(np.abs(table.z[rows]).mean()) if side else float(np.hypot(table.x[rows], table.y[rows]).mean())
        found.append(
            Surface(
                kind="disk" if side else "barrel",
                z_side=side,
                layer=int(table.layer[start]),
                subdetector=int(table.subdetector[start]),
                start=start,
                stop=stop,
                depth=depth,
            )
        )
    return found


def find_sides(
    subdetector: NDArray[np.uint8],
    layer: NDArray[np.int16],
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    z: NDArray[np.floating],
) -> NDArray[np.int8]:
    """Tell endcap cells (+1, -1) from barrel cells (0) by what the coordinates of each layer show.

    A layer whose |z| hardly varies is an endcap disk, one whose r hardly varies is a barrel; where one
    layer number holds both, the planes that reach over a range of r are the endcaps. A stack of planes
    that merely crosses z = 0 (a prism in its own coordinates) has one side, +1.

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
    r = np.hypot(x, y).astype(np.float64)
    height = np.abs(z).astype(np.float64)
    r_mean, r_spread = _moments(group, n_groups, r)
    z_mean, z_spread = _moments(group, n_groups, height)

    signed_spread = _moments(group, n_groups, z.astype(np.float64))[1]
    flat_plane = signed_spread <= FLAT * np.maximum(np.maximum(r_spread, 1e-6), 1e-9)
    plane = flat_plane | (z_spread <= FLAT * np.maximum(z_mean, 1e-9)) & (z_spread <= r_spread)
    barrel = ~plane & (r_spread <= FLAT * r_mean)
    in_disk = plane[group]
    for mixed in np.flatnonzero(~plane & ~barrel):
        members = np.flatnonzero(group == mixed)
        in_disk[members] = _on_endcap_plane(height[members], r[members])

    side = np.where(in_disk, np.where(z < 0, -1, 1), 0).astype(np.int8)
    return _join_crossing_stack(side, group, n_groups)


def _moments(
    group: NDArray[np.int64], n_groups: int, value: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of `value` in each group, [n_groups]."""
    count = np.bincount(group, minlength=n_groups)
    mean = np.bincount(group, value, n_groups) / count
    spread = np.sqrt(np.bincount(group, (value - mean[group]) ** 2, n_groups) / count)
    return mean, spread


def _on_endcap_plane(height: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the cells that share their |z| (to 1 mm) with cells at very different r: those of one barrel row do not."""
    _, plane = np.unique(np.round(height, 1), return_inverse=True)
    mean, spread = _moments(plane, int(plane.max()) + 1, r)
    return (spread > FLAT * mean)[plane]


def _join_crossing_stack(side: NDArray[np.int8], group: NDArray[np.int64], n_groups: int) -> NDArray[np.int8]:
    """Give one side to a stack of planes none of which exists at both signs of z although the stack does."""
    negative = np.bincount(group, side < 0, n_groups) > 0
    positive = np.bincount(group, side > 0, n_groups) > 0
    crosses = negative.any() and positive.any() and not (negative & positive).any()
    return np.abs(side) if crosses else side
