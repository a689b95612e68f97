"""Outlines of cells in the surface of their layer, and what follows from them: area and size.

Every cell gets the first outline that its table can tell: corner columns; stated sizes; for silicon a
hexagon of the pitch and direction of its wafer; for scintillator a tile in r and phi; else a rectangle
measured from the neighbouring cells. Only the layers asked for are looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.cells import CMS_SUBDETECTORS
from hgcal_gnn.geometry.shapes.hexagons import cut_at_wafer_edge, hexagon_corners
from hgcal_gnn.geometry.shapes.lattice import fit_wafers, measure_lattice
from hgcal_gnn.geometry.shapes.polygons import polygon_area
from hgcal_gnn.geometry.shapes.sectors import Sectors, measure_tiles, sector_corners
from hgcal_gnn.geometry.shapes.sizes import grid_corners, stated_corners

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable


CMS_TILE_WIDTH = 2 * np.pi / 288  # rad (CMSSW, hgcalCons.xml: NPhiBinBH)
CHUNK = 250_000  # cells whose corners are held at a time where only a number per cell is wanted


class Outlines(NamedTuple):
    """Corners of cells in the coordinates of their layer: (x, y) on a disk, (r phi, z) on a barrel.

    Attributes
    ----------
    corners : float64 [n, k, 2]
        In cm, in order around the cell; cells with fewer than k corners repeat their last one, so that
        areas, distances and pictures need no mask.
    n_corners : int64 [n]
    """

    corners: NDArray[np.float64]
    n_corners: NDArray[np.int64]


def outlines(table: CellTable, rows: NDArray[np.int64] | slice | None = None, *, cut: bool = False) -> Outlines:
    """Return the outlines of some cells (all, if `rows` is None), in the order of `rows`.

    Parameters
    ----------
    rows
        Row numbers [n] or a slice. Memory grows with n only (100 to 200 bytes a cell, more while at work
        on a layer), so ask for 6 million cells in pieces.
    cut
        Fit the silicon cells on the rim of a wafer to its outline where wafer and cell (u, v) are known.
        Otherwise all cells of a wafer are whole hexagons and overlap those of the next wafer a little:
        that is how CMSSW gives their corners, and what the published border rule was made for.

    Raises
    ------
    InputError
        If a cell stands alone in its layer, so that nothing tells its size.
    """
    index = _row_numbers(table, rows)
    parts = [(chosen, _layer_outlines(cells, local, cut=cut)) for chosen, cells, local in _by_layer(table, index)]
    return _join(len(index), parts)


def cell_area(
    table: CellTable, rows: NDArray[np.int64] | slice | None = None, *, cut: bool = False
) -> NDArray[np.float64]:
    """Return the area of cells in their layer, [n], cm2: the column `area` if the table has it, else by outline.

    `cut` as in `outlines`. Raises `InputError` as `outlines` does.
    """
    index = _row_numbers(table, rows)
    if "area" in table.extra:
        return np.asarray(table.extra["area"][index], np.float64)
    area = np.empty(len(index))
    for start in range(0, len(index), CHUNK):
        piece = slice(start, start + CHUNK)
        area[piece] = polygon_area(outlines(table, index[piece], cut=cut).corners)
    return area


def cell_size(table: CellTable, rows: NDArray[np.int64] | slice | None = None) -> NDArray[np.float64]:
    """Return the size of cells, [n], cm: the pitch (width across flats) of hexagons, else the square root of the area.

    Raises
    ------
    InputError
        As `outlines` does.
    """
    index = _row_numbers(table, rows)
    size = np.empty(len(index))
    for start in range(0, len(index), CHUNK):
        piece = slice(start, start + CHUNK)
        found = outlines(table, index[piece])
        # A regular hexagon of width p across flats has the area sqrt(3)/2 p^2.
        hexagon = (found.n_corners == 6) & (table.is_silicon[index[piece]] != 0)
        factor = np.where(hexagon, 2.0 / np.sqrt(3.0), 1.0)
        size[piece] = np.sqrt(factor * polygon_area(found.corners))
    return size


def surface_coordinates(cells: CellTable) -> NDArray[np.float64]:
    """Return the centres of cells of one layer in its surface, [n, 2], cm: (x, y) or (r phi, z), r the mean."""
    x, y = cells.x.astype(np.float64), cells.y.astype(np.float64)
    if cells.z_side[0]:
        return np.stack([x, y], axis=1)
    return np.stack([np.hypot(x, y).mean() * np.arctan2(y, x), cells.z.astype(np.float64)], axis=1)


def _row_numbers(table: CellTable, rows: NDArray[np.int64] | slice | None) -> NDArray[np.int64]:
    if rows is None or isinstance(rows, slice):
        return np.arange(table.n_cells)[rows or slice(None)]
    index = np.asarray(rows)
    if index.dtype.kind not in "iu" or index.ndim != 1:
        msg = f"rows must be row numbers of shape [n] or a slice, got {index.dtype} {list(index.shape)}"
        raise UsageError(msg)
    if len(index) and not 0 <= index.min() <= index.max() < table.n_cells:
        msg = f"rows must lie in 0..{table.n_cells - 1}, got {index.min()}..{index.max()}"
        raise UsageError(msg)
    return index.astype(np.int64)


def _by_layer(
    table: CellTable, index: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], CellTable, NDArray[np.int64]]]:
    """Give for each layer asked for: the places in `index`, all its cells, and the rows among them."""
    starts = table.layer_starts
    ends = np.append(starts[1:], table.n_cells)
    layer = np.searchsorted(starts, index, side="right") - 1
    order = np.argsort(layer, kind="stable")
    for chosen in np.split(order, np.flatnonzero(np.diff(layer[order])) + 1):
        if len(chosen):
            number = layer[chosen[0]]
            start = int(starts[number])
            yield chosen, table.select(slice(start, int(ends[number]))), index[chosen] - start


def _join(n_cells: int, parts: list[tuple[NDArray[np.int64], Outlines]]) -> Outlines:
    """Put the outlines of several groups of cells to their places, padded to one number of corners."""
    most = max((part.corners.shape[1] for _, part in parts), default=0)
    corners = np.empty((n_cells, most, 2))
    n_corners = np.empty(n_cells, np.int64)
    for places, part in parts:
        k = part.corners.shape[1]
        corners[places, :k] = part.corners
        corners[places, k:] = part.corners[:, -1:]
        n_corners[places] = part.n_corners
    return Outlines(corners, n_corners)


def _layer_outlines(cells: CellTable, rows: NDArray[np.int64], *, cut: bool) -> Outlines:
    """Outlines of some cells of one layer, given all cells of the layer."""
    if "corner_x_0" in cells.extra and cells.z_side[0]:
        return _given(cells.select(rows))
    centre = surface_coordinates(cells)
    stated = stated_corners(cells, centre, rows)
    if stated is not None:
        return _of_one_kind(stated)
    silicon = cells.is_silicon != 0
    parts = []
    for kind in (True, False):
        chosen = np.flatnonzero(silicon[rows] == kind)
        if len(chosen):
            members = np.flatnonzero(silicon == kind)
            local = np.searchsorted(members, rows[chosen])
            alike, middle = cells.select(members), centre[members]
            hexagons = _hexagons(alike, middle, local, cut=cut) if kind else None
            parts.append((chosen, hexagons or _tiles_or_grid(alike, middle, local, beside_silicon=bool(silicon.any()))))
    found = _join(len(rows), parts)
    _check_known(found, cells)
    return found


def _given(cells: CellTable) -> Outlines:
    """Outlines from corner columns; corners may come in any order around the (convex) cell, NaN where unused."""
    names = [name for name in (f"corner_x_{k}" for k in range(len(cells.extra))) if name in cells.extra]
    x = np.stack([cells.extra[name] for name in names], axis=1).astype(np.float64)
    y = np.stack([cells.extra[name.replace("_x_", "_y_")] for name in names], axis=1).astype(np.float64)
    n_corners = (np.isfinite(x) & np.isfinite(y)).sum(axis=1)
    angle = np.arctan2(y - np.nanmean(y, axis=1, keepdims=True), x - np.nanmean(x, axis=1, keepdims=True))
    order = np.argsort(angle, axis=1, kind="stable")  # NaN comes last
    order = np.where(
        np.arange(len(names)) < n_corners[:, None], order, order[np.arange(len(x)), n_corners - 1][:, None]
    )
    corners = np.stack([np.take_along_axis(values, order, axis=1) for values in (x, y)], axis=2)
    return Outlines(corners, n_corners)


def _hexagons(cells: CellTable, centre: NDArray[np.float64], rows: NDArray[np.int64], *, cut: bool) -> Outlines | None:
    """Hexagons of silicon cells; None if they stand on no hexagonal lattice."""
    fit = fit_wafers(cells)
    lattice = measure_lattice(cells, rows, fit)
    if lattice is None:
        return None
    corners = hexagon_corners(centre[rows], lattice)
    if fit is None or not cut:
        return _of_one_kind(corners)
    return Outlines(*cut_at_wafer_edge(corners, rows, centre[rows], fit))


def _tiles_or_grid(
    cells: CellTable, centre: NDArray[np.float64], rows: NDArray[np.int64], *, beside_silicon: bool
) -> Outlines:
    """Tiles in r and phi for the scintillator of a disk, rectangles for anything else."""
    name = cells.subdetector_names.get(int(cells.subdetector[0]), "")
    in_rings = beside_silicon or "scintillator" in name or bool({"ring", "iphi"} & cells.extra.keys())
    if cells.z_side[0] and in_rings and not cells.is_silicon.any():
        nominal = CMS_TILE_WIDTH if name == CMS_SUBDETECTORS[10] else np.nan
        tiles = measure_tiles(centre[:, 0], centre[:, 1], nominal)
        return _of_one_kind(sector_corners(Sectors(*(bound[rows] for bound in tiles))))
    return _of_one_kind(grid_corners(centre)[rows])


def _of_one_kind(corners: NDArray[np.float64]) -> Outlines:
    return Outlines(corners, np.full(len(corners), corners.shape[1]))


def _check_known(found: Outlines, cells: CellTable) -> None:
    lone = int(np.isnan(found.corners).any(axis=(1, 2)).sum())
    if lone:
        msg = (
            f"layer {cells.layer[0]}: {lone} of {cells.n_cells} cells have no other cell of their kind in it, so "
            "nothing tells their size; add columns for it (dx and dy, dr and dphi, or corner_x_0, corner_y_0, ...)"
        )
        raise InputError(msg)
