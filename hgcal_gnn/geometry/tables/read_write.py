"""Geometry tables: read and write CSV, Parquet and ROOT exports of a calorimeter's cells."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import HgcalError, InputError, OutputError
from hgcal_gnn.files import atomic_path, check_readable
from hgcal_gnn.geometry.cells import CellTable, is_hgcal
from hgcal_gnn.geometry.tables.columns import Columns, table_columns
from hgcal_gnn.geometry.tables.csv_file import read_csv, write_csv
from hgcal_gnn.geometry.tables.formats import (
    RawTable,
    check_content,
    check_suffix_for_writing,
    known_suffixes,
    returned_memory,
    table_format,
)
from hgcal_gnn.geometry.tables.layer_numbers import count_through, unsigned_layers
from hgcal_gnn.geometry.tables.parquet_file import read_parquet, write_parquet
from hgcal_gnn.geometry.tables.root_file import read_root, write_root
from hgcal_gnn.geometry.tables.unit_checks import check_units
from hgcal_gnn.geometry.tables.units import check_magnitude, check_unit, to_cm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


logger = logging.getLogger(__name__)

FORMAT_VERSION = 1


def read_table(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    length_unit: str = "cm",
    tree: str | None = None,
    allow_lone_cells: bool = False,
    detector: str = "unknown",
    cee_layers: int | None = None,
) -> CellTable:
    """Read a geometry table from a CSV (also .gz), Parquet or ROOT file.

    Parameters
    ----------
    path
        The file; its suffix tells the format.
    columns
        Our column name -> name in the file, where the file uses names of its own (see `COLUMN_ALIASES` for
        those that are understood as they are). A whole number as text stands in every row.
    length_unit
        Unit of all lengths in the file: "mm", "cm" or "m".
    tree
        ROOT: the tree to read; None takes the only one that looks like a table of cells.
    allow_lone_cells
        Accept layers that hold a single cell.
    detector
        Name of the detector; "unknown" takes the one a Parquet file states.
    cee_layers
        CMS: number of CE-E layers to add to CE-H layers that start again at 1; None reads it off the table.

    Returns
    -------
    CellTable
        Lengths in cm, rows sorted.

    Raises
    ------
    InputError
        For a file that cannot be used, with what is wrong, where, and what to do.
    UsageError
        For a length unit there is none of, or a column named twice.
    """
    path = Path(path)
    check_unit(length_unit)
    raw = _read_raw(path, tree, columns or {})
    source = str(path)
    names, name = _read_metadata(raw, source)
    found = table_columns(raw, columns or {}, source)
    del raw
    _check_stated_units(found, length_unit, source)
    file_ids: NDArray[np.uint64] = found.values["cell_id"]
    values = to_cm(found.values, length_unit)
    found.values.clear()
    check_magnitude(values, source)
    values["layer"] = _layer_numbers(values, cee_layers, source)
    table = CellTable.from_columns(
        values,
        source=source,
        subdetector_names=found.subdetector_names | names,
        detector=name if detector == "unknown" else detector,
    )
    del values
    table = _own_arrays(table)
    check_units(table, source, length_unit, file_ids)
    if not allow_lone_cells:
        _check_lone_cells(table, source)
    return table


def write_table(table: CellTable, path: Path, *, overwrite: bool = False) -> None:
    """Write a geometry table; the suffix of `path` (.csv, .csv.gz, .parquet, .root) chooses the format.

    Parquet and ROOT keep everything; CSV keeps all values, but neither types nor names of subdetectors.

    Raises
    ------
    UsageError
        For a suffix that names no format.
    OutputError
        If the file exists (without `overwrite`) or cannot be written; nothing is left behind.
    """
    path = Path(path)
    kind = check_suffix_for_writing(path)
    columns = table.columns()
    with atomic_path(path, overwrite=overwrite) as temporary:
        try:
            if kind == "csv":
                write_csv(temporary, columns, compress=path.name.lower().endswith(".gz"))
            elif kind == "parquet":
                write_parquet(temporary, columns, _metadata(table))
            else:
                write_root(temporary, columns, _metadata(table))
        except OSError as error:
            if isinstance(error, HgcalError) or error.errno is not None:
                raise
            msg = f"{path}: could not be written: {error}; nothing was left behind"
            raise OutputError(msg) from error


def _read_raw(path: Path, tree: str | None, columns: Mapping[str, str]) -> RawTable:
    check_readable(path)
    kind = table_format(path)
    if kind is None:
        msg = f"{path}: a geometry table is a file with the suffix {known_suffixes()}"
        raise InputError(msg)
    check_content(path, kind)
    if kind == "root":
        return read_root(path, tree, columns)
    with returned_memory():
        return read_csv(path) if kind == "csv" else read_parquet(path)


def _metadata(table: CellTable) -> dict[str, Any]:
    return {
        "cells_sha256": table.sha256,
        "detector": table.detector,
        "format_version": FORMAT_VERSION,
        "subdetector_names": {str(code): name for code, name in table.subdetector_names.items()},
        "units": {"length": "cm"},
    }


def _read_metadata(raw: RawTable, source: str) -> tuple[dict[int, str], str]:
    """Give the names of subdetectors and detector that a file of ours states."""
    metadata = raw.metadata
    try:
        version = int(metadata.get("format_version", FORMAT_VERSION))
        names = {int(code): str(name) for code, name in metadata.get("subdetector_names", {}).items()}
    except (ValueError, TypeError, AttributeError) as error:
        msg = f"{source}: its description of the table is damaged ({error}); write the file again"
        raise InputError(msg) from error
    if version > FORMAT_VERSION:
        msg = (
            f"{source}: written in version {version} of the table format, this is version {FORMAT_VERSION}; "
            "upgrade with: pip install --upgrade hgcal-gnn"
        )
        raise InputError(msg)
    return names, str(metadata.get("detector", "unknown"))


def _check_stated_units(found: Columns, length_unit: str, source: str) -> None:
    """Refuse columns whose name states another unit (``x [mm]``) than the one to be read."""
    odd = {ours: unit for ours, unit in found.units.items() if unit != length_unit}
    if odd:
        named = ", ".join(found.file_names[ours] for ours in odd)
        units = sorted(set(odd.values()))
        advice = f"use --length-unit {units[0]}" if len(odd) == len(found.units) and len(units) == 1 else "mixed units"
        msg = f"{source}: column {named} is in {' and '.join(units)} by its name, not in {length_unit}; {advice}"
        raise InputError(msg)


def _layer_numbers(values: Mapping[str, NDArray[Any]], cee_layers: int | None, source: str) -> NDArray[Any]:
    layer, z = values["layer"], values["z"]
    if (
        layer.dtype.kind == "f"
        and np.isfinite(layer).all()
        and (np.abs(layer) < 2**31).all()
        and (layer == np.floor(layer)).all()
    ):
        layer = layer.astype(np.int64)
    if layer.dtype.kind not in "iu" or z.dtype.kind not in "iuf":
        return layer  # CellTable says what is wrong with them
    if "z_side" not in values:  # a table that states the side does not need the sign of the layer for it
        layer = unsigned_layers(layer, z, source)
    detector = values.get("detector")
    if not is_hgcal(detector, values["cell_id"], z):
        return layer
    return count_through(layer, detector, z, cee_layers, source)


def _own_arrays(table: CellTable) -> CellTable:
    """Copy arrays that Arrow lends: nobody may write to them, and they keep the whole file in memory."""
    lent: dict[str, Any] = {name: v.copy() for name, v in table.columns().items() if not v.flags.writeable}
    extra = {name: lent.pop(name, values) for name, values in table.extra.items()}
    return replace(table, extra=extra, **lent)


def _check_lone_cells(table: CellTable, source: str) -> None:
    """Refuse layers of a single cell: it can have no neighbour, and no size can be told from it."""
    key = (table.z_side.astype(np.int64) + 1) << 32 | (table.layer.astype(np.int64) + 2**15)
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    lone = starts[np.diff(np.append(starts, len(key))) == 1]
    if len(lone):
        named = ", ".join(f"{table.layer[row]} (cell {table.cell_id[row]})" for row in lone[:5])
        msg = (
            f"{source}: {len(lone)} layers hold a single cell: {named}{', ...' if len(lone) > 5 else ''}; is the layer "
            "column right? If these cells are real, add --allow-lone-cells"
        )
        raise InputError(msg)
