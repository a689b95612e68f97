"""The pitch of every cell, measured from the cells themselves: the usual distance to the nearest of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hgcal_gnn.arrays import F32, F64, I32, I64
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.stations import Stations

SAMPLED_CELLS = 2000  # of the layer with most of them: a kind of cell looks alike in every layer
TREE_CELLS = 20_000  # of CMS: rows follow the ids, so these are whole wafers side by side
UNLIKE = 1.25  # cells of one kind are not alike if most distances differ by more
THIRD = 3
SMALLEST = 1e-4  # cm (per cm for tiles): cells on top of each other must not make bins of no width


def cell_pitch(table: CellTable, stations: Stations) -> F32:
    """Measure the pitch of each kind of cell (subdetector, cell type) as a median nearest distance.

    A median forgives the cut cells of touching wafers, which lie closer than their lattice. CMS scintillator
    tiles grow with the distance from the beam (a fixed number per turn), so for them the ratio
    distance / r is measured instead. CMS cells of a kind look alike in every layer; elsewhere every layer
    has a pitch of its own.

    Returns
    -------
    float32 [n_cells], cm
    """
    lowest = int(table.cell_type.min())
    kind = (table.cell_type.astype(np.int32) - lowest) << 8 | table.subdetector
    grows = (table.is_silicon == 0) & table.is_cms
    pitch = np.zeros(table.n_cells, dtype=np.float32)
    for rows in _alike(table, stations, kind):
        scale = np.hypot(table.x[rows], table.y[rows]) if grows[rows[0]] else np.ones(len(rows))
        spacing = _spacings(stations, rows, scale, TREE_CELLS if table.is_cms else len(rows))
        if table.is_cms and not grows[rows[0]] and np.quantile(spacing, 0.9) > UNLIKE * np.quantile(spacing, 0.1):
            pitch[rows] = _one_by_one(stations, rows)  # no column tells the cells of high and of low density apart
        else:
            pitch[rows] = scale * max(float(np.median(spacing)), SMALLEST)
    return pitch


def _alike(table: CellTable, stations: Stations, kind: I32) -> Iterator[I64]:
    """Rows of the cells of each kind, outside of CMS of each kind and layer."""
    if table.is_cms:
        for code in np.flatnonzero(np.bincount(kind)).tolist():
            yield np.flatnonzero(kind == code)
        return
    for station in range(stations.n_stations):
        rows = stations.rows(station)
        for code in np.unique(kind[rows]).tolist():
            yield rows[kind[rows] == code]


def _spacings(stations: Stations, rows: I64, scale: F64, most: int) -> F64:
    """Nearest distance / scale for a sample of the first `most` cells in the most populated station."""
    number = stations.number[rows]
    members = np.flatnonzero(number == np.bincount(number).argmax())[:most]
    if len(members) < 2:
        return np.ones(1)
    points = np.column_stack([stations.a[rows[members]], stations.b[rows[members]]])
    sample = np.unique(np.linspace(0, len(members) - 1, SAMPLED_CELLS).astype(np.int64))
    distance = np.asarray(cKDTree(points, balanced_tree=False, compact_nodes=False).query(points[sample], k=2)[0])
    spacing: F64 = distance[:, 1] / scale[members[sample]]
    return spacing


def _one_by_one(stations: Stations, rows: I64) -> F64:
    """Distance of each cell to its third neighbour in the layer: of the six of a hexagon, two may be of a cut cell."""
    pitch = np.ones(len(rows))
    number = stations.number[rows]
    for station in np.unique(number).tolist():
        members = np.flatnonzero(number == station)
        points = np.column_stack([stations.a[rows[members]], stations.b[rows[members]]])
        if len(points) > THIRD:
            pitch[members] = np.asarray(cKDTree(points).query(points, k=THIRD + 1)[0])[:, THIRD]
    return np.maximum(pitch, SMALLEST)
