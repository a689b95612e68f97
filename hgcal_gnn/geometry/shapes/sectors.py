"""Cells bounded by two radii and two azimuths: scintillator tiles, and any cell with dr or deta and dphi."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARC_STEP = np.radians(5.0)  # arcs wider than this get corners in between; the chord then loses 0.1 % of the area
SAME_RING = 0.1  # cm; tiles whose radii differ by less are one ring (layers trim a ring by 0.05 cm)
MISSING_RING = 1.5  # a step to the next ring this much longer than that on the other side skips a ring


class Sectors(NamedTuple):
    """Bounds of cells, each float64 [n]: radii [cm] and azimuths [rad]."""

    r_low: NDArray[np.float64]
    r_high: NDArray[np.float64]
    phi_low: NDArray[np.float64]
    phi_high: NDArray[np.float64]


def sector_corners(sectors: Sectors) -> NDArray[np.float64]:
    """Return the corners of sectors in x, y, [n, k, 2], cm: outer arc anticlockwise, inner arc back.

    k is 4 for narrow sectors; wide ones have corners along their arcs (the same number for all).
    """
    width = float(np.fmax.reduce(sectors.phi_high - sectors.phi_low, initial=0.0))
    n_steps = max(int(np.ceil(width / ARC_STEP - 1e-9)), 1)
    share = np.linspace(0.0, 1.0, n_steps + 1)
    phi = sectors.phi_low[:, None] + (sectors.phi_high - sectors.phi_low)[:, None] * share
    phi = np.concatenate([phi, phi[:, ::-1]], axis=1)
    r = np.repeat(np.stack([sectors.r_high, sectors.r_low], axis=1), n_steps + 1, axis=1)
    return np.stack([r * np.cos(phi), r * np.sin(phi)], axis=2)


def measure_tiles(x: NDArray[np.float64], y: NDArray[np.float64], nominal_width: float = np.nan) -> Sectors:
    """Measure the bounds of the tiles of one layer from their centres, [n] each.

    A ring reaches half way to the rings inside and outside it (as far on both sides where one of them is
    missing); a tile is as wide in phi as the smallest step between tiles of its ring, or, in a ring with
    no two tiles side by side, as the tiles of the other rings. What a small piece of a layer does not show
    is filled in: tiles are about square.

    Parameters
    ----------
    nominal_width
        Width in phi [rad] where there are neither two tiles in a ring nor two rings.

    Returns
    -------
    Sectors
        NaN where nothing tells the size.
    """
    r, phi = np.hypot(x, y), np.arctan2(y, x)
    ring, radius = _find_rings(r)
    inner, outer = _ring_edges(radius)
    width = _phi_width(ring, len(radius), phi)
    width = np.where(np.isnan(width), (outer - inner) / radius, width)
    width = np.where(np.isnan(width), nominal_width, width)
    alone = np.isnan(inner)
    inner = np.where(alone, radius * (1 - 0.5 * width), inner)
    outer = np.where(alone, radius * (1 + 0.5 * width), outer)
    width = width[ring]
    return Sectors(inner[ring], outer[ring], phi - 0.5 * width, phi + 0.5 * width)


def _find_rings(r: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the number of each tile's ring, [n], and the mean radius of each ring, [n_rings], ascending."""
    order = np.argsort(r, kind="stable")
    starts = np.append(False, np.diff(r[order]) > SAME_RING)
    ring = np.empty(len(r), np.int64)
    ring[order] = np.cumsum(starts)
    return ring, np.bincount(ring, r) / np.bincount(ring)


def _ring_edges(radius: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return inner and outer edge of each ring, [n_rings]."""
    half = 0.5 * np.diff(radius)
    below, above = np.append(np.inf, half), np.append(half, np.inf)
    reach = MISSING_RING * np.minimum(below, above)
    below, above = np.where(below > reach, above, below), np.where(above > reach, below, above)
    alone = np.isinf(below)
    below[alone] = above[alone] = np.nan
    return radius - below, radius + above


def _phi_width(ring: NDArray[np.int64], n_rings: int, phi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest step in phi between two tiles of each ring, [n_rings]."""
    order = np.lexsort((phi, ring))
    ring, phi = ring[order], phi[order]
    step = np.diff(phi)
    same = ring[1:] == ring[:-1]
    width = np.full(n_rings, np.inf)
    np.minimum.at(width, ring[1:][same], step[same])
    # The step across phi = pi: from the last tile of a ring on to its first.
    first = np.flatnonzero(np.append(True, ~same))
    last = np.append(first[1:], len(ring)) - 1
    width = np.minimum(width, np.where(last > first, phi[first] + 2 * np.pi - phi[last], np.inf))
    known = np.isfinite(width)
    usual = float(np.median(width[known])) if known.any() else np.nan
    return np.where(width <= MISSING_RING * usual, width, usual)
