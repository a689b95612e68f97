"""Lengths that are 10 or 100 times off: a table in mm read as cm, or rows and columns of different units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import CMS_SUBDETECTORS, CellTable
from hgcal_gnn.geometry.tables.unit_layers import check_between_layers, check_spacing, check_within_layers
from hgcal_gnn.geometry.tables.unit_report import FEWEST, UnitReport, layer_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

# HGCAL with room to spare: |z| of the layers and pseudorapidity of the cells (CMS-TDR-019, chapters 1 and 2:
# layers from 3.2 to 5.2 m, |eta| from 1.5 to 3.0; tiles reach out to 1.3, the innermost cells to 3.2).
HGCAL_Z = (300.0, 550.0)
HGCAL_ETA = (1.2, 3.6)
LIKELY = 0.9  # share of the odd cells that another unit must explain
POWERS = (1, -1, 2, -2, 3, -3)
SAMPLED = 20_000  # cells used to measure the spacing of a layer
LAYERS_SAMPLED = 5
COMPARABLE = 0.6  # |log10| of spacing over size that some choice of size (half width, diagonal) explains
DECADE = 0.15  # |log10| beside a power of ten that points to another unit


def check_units(table: CellTable, source: str, unit: str = "cm", file_ids: NDArray[np.uint64] | None = None) -> None:
    """Refuse lengths that are powers of ten off against others or, for CMS DetIds, against the real detector.

    Only what another unit explains is refused; a strange geometry passes.

    Parameters
    ----------
    table
        The cells, lengths already in cm.
    source
        The file, named in error messages.
    unit
        What the file's lengths were taken to be.
    file_ids
        Cell ids in the order of the file, to name rows as the file counts them.

    Raises
    ------
    InputError
        With the number of cells, the first rows and the unit their lengths seem to be in.
    """
    report = UnitReport(table, source, unit, file_ids)
    is_cms = _has_det_ids(table)
    if is_cms:
        _check_envelope(report)
    check_within_layers(report)
    check_between_layers(report)
    if not is_cms:
        check_spacing(report)
    _check_sizes(report)


def _has_det_ids(table: CellTable) -> bool:
    """Tell whether all cell ids are DetIds of the HGCAL (bits 28-31, CMSSW DetId.h)."""
    lowest, highest = min(CMS_SUBDETECTORS) << 28, (max(CMS_SUBDETECTORS) + 1) << 28
    return lowest <= int(table.cell_id.min()) and int(table.cell_id.max()) < highest


def _check_envelope(report: UnitReport) -> None:
    """Compare CMS cells with where the HGCAL is."""
    table = report.table
    height = np.abs(table.z)
    odd = np.flatnonzero((height < HGCAL_Z[0]) | (height > HGCAL_Z[1]))
    for decades in POWERS:
        if len(odd) and _share_within(height[odd] / 10.0**decades, HGCAL_Z) >= LIKELY:
            found = f"|z| of {height[odd].min():.5g} to {height[odd].max():.5g} cm"
            report.refuse(odd, f"{found}, the HGCAL lies at {HGCAL_Z[0]:g} to {HGCAL_Z[1]:g} cm", decades)
    if len(odd):
        return
    sinh_eta = height / np.maximum(np.hypot(table.x, table.y), 1e-9)
    limits = (float(np.sinh(HGCAL_ETA[0])), float(np.sinh(HGCAL_ETA[1])))
    odd = np.flatnonzero((sinh_eta < limits[0]) | (sinh_eta > limits[1]))
    for decades in POWERS:
        if len(odd) and _share_within(sinh_eta[odd] * 10.0**decades, limits) >= LIKELY:
            what = f"x and y do not fit to z: pseudorapidity outside {HGCAL_ETA[0]:g} to {HGCAL_ETA[1]:g}"
            seems = report.unit_off_by(decades) or "another unit"
            report.refuse_some(odd, what, f"their x and y look like {seems}, z like {report.unit}")


def _check_sizes(report: UnitReport) -> None:
    """Compare the spacing of the cells with the sizes the table states."""
    table = report.table
    stated = [name for name in ("dx", "dy", "dz", "area", "corner_x_0") if name in table.extra]
    if not stated:
        return
    layers = sorted(layer_rows(table), key=len)[::-1][:LAYERS_SAMPLED]
    found = [_decades_of_sizes(table, rows) for rows in layers if len(rows) >= FEWEST]
    if not found or found[0] is None or any(decades != found[0] for decades in found):
        return
    ratio = 10.0 ** found[0]
    msg = (
        f"{report.source}: the cells lie {ratio:g} times as far apart as their sizes ({', '.join(stated)}) say; mixed "
        "units: bring coordinates and sizes to one unit and say which with --length-unit"
    )
    raise InputError(msg)


def _decades_of_sizes(table: CellTable, rows: NDArray[np.int64]) -> int | None:
    """Power of ten between spacing and sizes in one layer, None if they agree or differ by something else."""
    points = np.stack([getattr(table, axis)[rows] for axis in "xyz"], axis=1).astype(np.float64)
    if len(rows) > SAMPLED:  # the cells nearest to one of them: a piece of the layer without holes
        middle = points[len(points) // 2]
        near = np.argpartition(((points - middle) ** 2).sum(axis=1), SAMPLED)[:SAMPLED]
        rows, points = rows[near], points[near]
    distances: NDArray[np.float64] = np.asarray(cKDTree(points).query(points, k=2)[0])
    spacing = float(np.median(distances[:, 1]))
    sizes = np.array([size for size in _stated_sizes(table, rows) if np.isfinite(size) and size > 1e-9])
    if not len(sizes) or spacing <= 1e-9:
        return None
    ratios = np.log10(spacing / sizes)
    if (np.abs(ratios) < COMPARABLE).any():
        return None
    decades = np.rint(ratios)
    likely = (np.abs(ratios - decades) <= DECADE) & (np.abs(decades) <= max(POWERS))
    return int(decades[likely][0]) if likely.any() else None


def _stated_sizes(table: CellTable, rows: NDArray[np.int64]) -> list[float]:
    """Typical widths of cells by each column that states one."""
    extra = table.extra
    sizes = [float(np.median(np.abs(extra[name][rows]))) for name in ("dx", "dy", "dz") if name in extra]
    if "area" in extra:
        sizes.append(float(np.sqrt(np.median(np.abs(extra["area"][rows])))))
    if {"corner_x_0", "corner_x_1", "corner_y_0", "corner_y_1"} <= set(extra):
        side = np.hypot(
            extra["corner_x_1"][rows] - extra["corner_x_0"][rows], extra["corner_y_1"][rows] - extra["corner_y_0"][rows]
        )
        sizes.append(float(np.median(side)))
    return sizes


def _share_within(values: NDArray[np.floating], limits: tuple[float, float]) -> float:
    return float(((values >= limits[0]) & (values <= limits[1])).mean())
