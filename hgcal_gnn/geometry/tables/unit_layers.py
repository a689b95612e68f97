"""Cells of one layer, or layers of one detector, whose lengths are a power of ten off against the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np
from scipy.spatial import cKDTree

from hgcal_gnn.geometry.tables.unit_report import FEWEST, UnitReport, layer_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

SAME = 0.05  # |log10| within which two lengths are equal but for a power of ten; staves of a barrel vary by 0.03
SAME_PLANE = 0.02  # the same for |z| of one plane
ALIKE = 0.15  # the same for the extents of neighbouring layers
STEP = 0.3  # |log10| of an ordinary step from layer to layer
SPREAD = 5.0  # largest over smallest depth in a layer from which on it is looked at
FAR_STEP = 5.0  # distance of layers of different units over that of the layers beside
GAP = 3.0  # cells of another unit lie at least this factor beyond the last one
SPARSE = 5.0  # cells of another unit lie at least this many times farther apart
BESIDE = 0.5  # neighbouring cells lie at least this share of the usual spacing apart
FEWEST_ODD = 3  # cells that lie far apart
SAMPLED = 5000  # odd cells that are brought back on trial
SMALLEST_LAYER = 200
LARGEST_LAYER = 100_000  # layers up to here are searched for cells that lie too far apart
LAYERS_SEARCHED = 5


def check_within_layers(report: UnitReport) -> None:
    """Look for cells of one layer whose depth or distance is a power of ten beyond that of the others.

    Raises
    ------
    InputError
        With the layer, the number of cells and the unit they seem to be in.
    """
    for rows in layer_rows(report.table):
        if len(rows) < FEWEST:
            continue
        x, y, z = (getattr(report.table, axis)[rows].astype(np.float64) for axis in "xyz")
        r, height = np.hypot(x, y), np.abs(z)
        distance = np.hypot(r, height)
        for name, values, tolerance in (("|z|", height, SAME_PLANE), ("r", r, SAME), ("r", distance, None)):
            if not _is_spread(values):
                continue
            decades = _far_group(values) if tolerance is None else _decades_off(values, tolerance)
            if decades is not None:
                _refuse_if_explained(report, rows, decades, name)


def check_spacing(report: UnitReport) -> None:
    """Look for cells of a layer that lie far apart until their x and y are divided by a power of ten.

    Raises
    ------
    InputError
        With the layer, the number of cells and the unit they seem to be in.
    """
    table = report.table
    layers = [rows for rows in layer_rows(table) if SMALLEST_LAYER <= len(rows) <= LARGEST_LAYER]
    for rows in layers[:: max(1, len(layers) // LAYERS_SEARCHED)]:
        spacing = _spacing(np.stack([table.x[rows], table.y[rows]], axis=1).astype(np.float64))
        usual = np.quantile(spacing, 0.25)
        sparse = spacing > SPARSE * usual
        between = (spacing > 0.5 * SPARSE * usual) & ~sparse  # cells that grow outwards have every size
        if FEWEST_ODD <= sparse.sum() <= len(rows) - FEWEST and between.sum() < 0.1 * sparse.sum():
            for decades in (1, 2):
                _refuse_if_explained(report, rows, np.where(sparse, decades, 0), "x and y")


def check_between_layers(report: UnitReport) -> None:
    """Look for whole layers a power of ten larger or deeper than their neighbours of the same subdetector.

    Raises
    ------
    InputError
        With the layers, the number of cells and the unit they seem to be in.
    """
    table = report.table
    layers = [rows for rows in layer_rows(table) if len(rows) >= FEWEST]
    kind = np.array([table.subdetector[rows[0]] for rows in layers])
    number = np.array([table.layer[rows[0]] for rows in layers])
    for subdetector in np.unique(kind).tolist():
        members = np.flatnonzero(kind == subdetector)
        members = members[np.argsort(number[members])]
        if len(members) < 2:
            continue
        jumps = _jumps(np.log10([_extents(table, layers[i]) for i in members]))
        if jumps.any():
            _refuse_layers(report, [layers[i] for i in members], jumps)


def _refuse_if_explained(report: UnitReport, rows: NDArray[np.int64], decades: NDArray[np.int64], what: str) -> None:
    """Refuse the cells whose power of ten is not the commonest if, brought back, they fill the others' gaps.

    Two disks of one layer number, or large cells around small ones, would come to lie on other cells.
    """
    table = report.table
    points = np.stack([getattr(table, axis)[rows] for axis in "xyz"], axis=1).astype(np.float64)
    powers, counts = np.unique(decades, return_counts=True)
    usual = powers[np.argmax(counts)]
    odd = powers[powers != usual][0]
    step = int(odd - usual)
    others = points[decades == usual]
    moved = points[decades == odd][:SAMPLED]
    scale = 10.0**step
    divisors = ((scale, scale, scale), (1.0, 1.0, scale), (scale, scale, 1.0))
    if any(_fills_gaps(others, moved / np.array(divisor)) for divisor in divisors):
        where = f"{what} in layer {table.layer[rows[0]]}"
        report.refuse(rows[decades == odd], f"{where} differs by a factor of {10 ** abs(step)} among the cells", step)


def _fills_gaps(others: NDArray[np.float64], moved: NDArray[np.float64]) -> bool:
    """Tell whether cells lie beside the others, neither on top of them nor far away."""
    usual = float(np.quantile(_spacing(others), 0.25)) if len(others) > 1 else 0.0
    nearest: NDArray[np.float64] = np.asarray(cKDTree(others).query(moved)[0])
    return bool(np.quantile(nearest, 0.1) > BESIDE * usual and np.quantile(nearest, 0.9) < SPARSE * usual)


def _spacing(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each point to the nearest other one."""
    distances: NDArray[np.float64] = np.asarray(cKDTree(points).query(points, k=2)[0])
    return distances[:, 1]


def _is_spread(values: NDArray[np.float64]) -> bool:
    known = values[values > 1e-6]
    return len(known) >= FEWEST and float(known.max()) > SPREAD * float(known.min())


def _decades_off(values: NDArray[np.float64], tolerance: float) -> NDArray[np.int64] | None:
    """Power of ten by which each value differs from a typical one, None if they differ by other factors too."""
    logs = np.log10(np.maximum(values, 1e-12))
    off = logs - np.partition(logs, len(logs) // 2)[len(logs) // 2]
    decades = np.rint(off)
    agree = (np.abs(off - decades) <= tolerance) & (np.abs(decades) <= 3)
    if agree.mean() < 0.99 or len(np.unique(decades[agree])) < 2:
        return None
    return np.where(agree, decades, 0).astype(np.int64)


def _far_group(values: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Mark a group far beyond all others that one power of ten brings back among them."""
    ascending = np.sort(values)
    ratio = ascending[1:] / np.maximum(ascending[:-1], 1e-12)
    cut = int(np.argmax(ratio))
    near, far = ascending[: cut + 1], ascending[cut + 1 :]
    if ratio[cut] < GAP or len(near) < FEWEST:
        return None
    for decades in (1, 2, 3):
        if near[0] <= far[0] / 10.0**decades and far[-1] / 10.0**decades <= near[-1]:
            return np.where(values >= far[0], decades, 0)
    return None


def _extents(table: CellTable, rows: NDArray[np.int64]) -> tuple[float, float, float]:
    """Largest |x|, largest |y| and mean |z| of some cells, never zero."""
    x, y, z = (np.abs(getattr(table, axis)[rows]) for axis in "xyz")
    return max(float(x.max()), 1e-6), max(float(y.max()), 1e-6), max(float(z.mean()), 1e-6)


def _jumps(sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Power of ten between each layer and the next that no real detector explains, [n_layers - 1].

    Real neighbours may differ by a factor of ten in one way: in depth near the origin, in width between a
    forward and an outer part. So x, y and z must jump together, or z alone and much farther than the layers
    beside, or x and y alone and back again.

    Parameters
    ----------
    sizes
        log10 of the largest |x|, the largest |y| and the mean |z|, [n_layers, 3].
    """
    steps = np.diff(sizes, axis=0)
    decades = np.rint(steps).astype(np.int64)
    near = np.abs(steps - decades) <= ALIKE
    lateral = near[:, :2].all(axis=1) & (decades[:, 0] == decades[:, 1]) & (decades[:, 0] != 0)
    together = lateral & near[:, 2] & (decades[:, 2] == decades[:, 0])
    ordinary = np.abs(steps) < STEP
    distance = np.abs(np.diff(10.0 ** sizes[:, 2]))
    usual = np.where(ordinary[:, 2], distance, np.inf)  # of the steps before and after, where these are ordinary
    beside = np.minimum(np.append(usual[1:], np.inf), np.append(np.inf, usual[:-1]))
    deep = (np.abs(steps[:, 2] - decades[:, 2]) <= SAME) & (decades[:, 2] != 0) & ordinary[:, :2].all(axis=1)
    deep &= distance > FAR_STEP * beside
    returns = lateral[1:] & lateral[:-1] & (decades[1:, 0] == -decades[:-1, 0])
    there_and_back = np.append(returns, False) | np.append(False, returns)
    return np.where(together | there_and_back, decades[:, 0], np.where(deep, decades[:, 2], 0))


def _refuse_layers(report: UnitReport, layers: list[NDArray[np.int64]], jumps: NDArray[np.int64]) -> NoReturn:
    """Refuse the layers whose power of ten is not the commonest."""
    level = np.concatenate([[0], np.cumsum(jumps)])
    powers, counts = np.unique(level, return_counts=True)
    usual = powers[np.argmax(counts)]
    odd = np.flatnonzero(level == level[level != usual][0])
    step = int(level[odd[0]] - usual)
    named = ", ".join(str(report.table.layer[layers[i][0]]) for i in odd[:5]) + (", ..." if len(odd) > 5 else "")
    what = f"coordinates in layer {named} differ by a factor of {10 ** abs(step)} from the other layers"
    report.refuse(np.concatenate([layers[i] for i in odd]), what, step)
