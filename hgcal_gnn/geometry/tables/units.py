"""Lengths are cm inside the package; here they are converted, once, where a file is read."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CM_PER = MappingProxyType({"mm": 0.1, "cm": 1.0, "m": 100.0})
LENGTH_COLUMN = re.compile(r"[xyzr]|d[xyzr]|corner_[xyz]_\d+|thickness")
AREA_COLUMN = re.compile(r"area")
FARTHEST = 1e6  # cm: nothing in a calorimeter is 10 km away; larger numbers are damage


def check_unit(unit: str) -> None:
    """Refuse a length unit other than mm, cm, m.

    Raises
    ------
    UsageError
        With the units there are.
    """
    if unit not in CM_PER:
        msg = f"unknown length unit {unit}; choose one of {', '.join(CM_PER)}"
        raise UsageError(msg)


def to_cm(columns: Mapping[str, NDArray[Any]], unit: str) -> dict[str, NDArray[Any]]:
    """Convert the columns that hold lengths to cm and areas to cm2; pass the others on as they are.

    Parameters
    ----------
    columns
        Arrays under their names in the geometry table.
    unit
        "mm", "cm" or "m".
    """
    check_unit(unit)
    if unit == "cm":
        return dict(columns)
    return {name: _scaled(name, values, unit) for name, values in columns.items()}


def check_magnitude(columns: Mapping[str, NDArray[Any]], source: str) -> None:
    """Refuse coordinates beyond 10 km, before anything is computed from them.

    Raises
    ------
    InputError
        With the column, the count and the first rows.
    """
    for name in ("x", "y", "z"):
        values = columns[name]
        if values.dtype.kind not in "iuf":
            continue
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(np.isfinite(values) & ((values > FARTHEST) | (values < -FARTHEST)))
        if len(rows):
            msg = (
                f"{source}: column {name} has {len(rows)} values beyond 10 km, first {values[rows[0]]:.4g} cm in row "
                f"{rows[0]} (counted from 0); correct or remove these rows, or state the unit with --length-unit"
            )
            raise InputError(msg)


def _scaled(name: str, values: NDArray[Any], unit: str) -> NDArray[Any]:
    power = 1 if LENGTH_COLUMN.fullmatch(name) else 2 if AREA_COLUMN.fullmatch(name) else 0
    if power == 0 or values.dtype.kind not in "iuf":
        return values
    lengths = values if values.dtype.kind == "f" else values.astype(np.float64)
    with np.errstate(over="ignore"):  # a float32 that overflows becomes infinite and is refused as such
        # A division by ten is rounded once, a factor of 0.1 twice.
        scaled: NDArray[Any] = lengths / 10**power if unit == "mm" else lengths * 100**power
    return scaled
