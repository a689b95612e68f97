"""Lines of a grid: cells of a layer that stand in rows and columns, or in rings, but for small shifts.

Positions as built or as rounded in a file put the cells of a rectangular grid a little off their lines. The Gabriel
rule is sensitive to that: of the two diagonals of a square that is not quite square it takes the shorter one. So
coordinates that gather on lines are moved onto them before the rule is applied, and a grid of rings is unrolled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64
    from hgcal_gnn.geometry.stations import Stations

THICK = 0.8  # a line may be this thick, of the distance to the next
SHIFT = 0.5  # no cell moves by more than this, of the pitch: modules far from each other are no lines
FEWEST = 50  # cells; fewer gather by chance
APART = 3.0  # the narrowest gap between two lines is this many times the widest within one
CELLS_PER_LINE = 4  # on average at least
NOTHING = 1e-9  # of the extent of a layer: closer values are equal


def on_lines(stations: Stations, pitch: F32) -> Stations:
    """Move the cells of every layer onto the lines of its grid, if it has one.

    Layers across the beam whose cells stand in rings get the coordinates R ln(r / R) and R phi, R being their mean
    radius: these keep all angles, and make rings and columns straight.

    Parameters
    ----------
    pitch : float32 [n_cells]
        Usual distance to the nearest cell [cm].
    """
    a, b, radius = stations.a.copy(), stations.b.copy(), stations.radius.copy()
    for station in range(stations.n_stations):
        every = stations.rows(station)
        for part in np.unique(stations.part[every]).tolist():
            rows = every[stations.part[every] == part]
            if len(rows) < FEWEST:
                continue
            least = float(pitch[rows].min())
            lines_a, lines_b = snap(a[rows], 0.0, least), snap(b[rows], 2 * np.pi * radius[station], least)
            if stations.kind[station] == "disk" and len(rows) == len(every) and (lines_a is None or lines_b is None):
                unrolled = _rings(a[rows], b[rows], least)
                if unrolled is not None:
                    a[rows], b[rows], radius[station] = unrolled
                    break
            moved = a[rows] if lines_a is None else lines_a, b[rows] if lines_b is None else lines_b
            if _as_many_places(a[rows], b[rows], *moved):
                a[rows], b[rows] = moved
    return replace(stations, a=a, b=b, radius=radius)


def _as_many_places(a: F64, b: F64, moved_a: F64, moved_b: F64) -> bool:
    """Tell whether no two cells were moved to one place."""
    return len(np.unique(moved_a + 1j * moved_b)) == len(np.unique(a + 1j * b))


def _rings(x: F64, y: F64, pitch: float) -> tuple[F64, F64, float] | None:
    """Coordinates R ln(r / R) and R phi of cells on a grid of rings, and R; None if it is none."""
    r = np.hypot(x, y)
    mean = float(r.mean())
    if mean == 0.0:
        return None
    ring = snap(mean * np.log(np.maximum(r / mean, 1e-6)), 0.0, pitch)
    column = None if ring is None else snap(mean * np.arctan2(y, x), 2 * np.pi * mean, pitch)
    if ring is None or column is None or not _as_many_places(x, y, ring, column):
        return None
    return ring, column, mean


def snap(values: F64, turn: float, pitch: float) -> F64 | None:
    """Replace values that gather at few places by the mean of each place, None if they do not.

    Parameters
    ----------
    values
        Shape [n].
    turn
        Period of the values, 0 for none.
    pitch
        Usual distance of neighbouring cells.
    """
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    gaps = np.diff(ascending)
    if turn > 0 and len(gaps):  # cut the circle in its widest gap
        around = np.append(gaps, turn - (ascending[-1] - ascending[0]))
        cut = int(np.argmax(around)) + 1
        if cut < len(values):
            order = np.roll(order, -cut)
            ascending = np.concatenate([ascending[cut:], ascending[:cut] + turn])
            gaps = np.diff(ascending)
    extent = float(ascending[-1] - ascending[0])
    most = len(values) // CELLS_PER_LINE
    if extent == 0 or most < 2:
        return values if extent == 0 else None
    widest = np.maximum(-np.sort(-gaps)[:most], NOTHING * extent)
    falls = widest[:-1] / widest[1:]
    n_gaps = int(np.argmax(falls)) + 1
    if falls[n_gaps - 1] < APART:
        return None
    starts = np.flatnonzero(np.append(True, gaps >= widest[n_gaps - 1]))
    sizes = np.diff(np.append(starts, len(values)))
    places = np.add.reduceat(ascending, starts) / sizes
    thick = ascending[starts + sizes - 1] - ascending[starts]
    steps = np.diff(places)
    if len(starts) < 2 or (thick > THICK * np.minimum(np.append(steps, np.inf), np.append(np.inf, steps))).any():
        return None
    snapped, along = np.empty_like(values), np.repeat(places, sizes)
    if np.abs(along - ascending).max() > SHIFT * pitch:
        return None
    snapped[order] = along
    return snapped - turn * np.round(snapped / turn) if turn > 0 else snapped
