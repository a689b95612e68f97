"""What can be wrong with showers, checked once at the door."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.columns import COLUMNS, SHOWER_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hgcal_gnn.showers.showers import Showers

NEEDED = ("offsets", "cell", "energy", "incident_energy")
FIRST_BAD = 5  # showers named in a message
UNIT_VECTOR_TOLERANCE = 1e-3
AT_THE_DOOR = 'correct the source, or drop or keep these hits with invalid="drop" or "keep"'

logger = logging.getLogger(__name__)


def check_names(columns: Mapping[str, Any], source: str) -> None:
    """Refuse columns nobody knows and the lack of those nobody can guess."""
    missing = [name for name in NEEDED if columns.get(name) is None]
    unknown = [name for name in columns if name not in COLUMNS and name != "offsets"]
    if missing or unknown:
        what = f"missing {', '.join(missing)}" if missing else f"unknown {', '.join(unknown)}"
        msg = f"{source}: column {what}; given {', '.join(columns)}; known: offsets, {', '.join(COLUMNS)}"
        raise InputError(msg)


def check_array(name: str, values: Any, dtype: np.dtype[Any], length: int | None) -> None:
    """Refuse an array of another type or shape; `length` None accepts any one-dimensional array."""
    expected = "any length" if length is None else str(length)
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.ndim != 1:
        found = f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
        msg = f"{name} must be a NumPy array {dtype} [{expected}], got {found}; use Showers.from_columns to convert"
        raise InputError(msg)
    if length is not None and len(values) != length:
        msg = f"{name} must have shape [{length}], got [{len(values)}]"
        raise InputError(msg)


def as_type(name: str, values: Any, dtype: np.dtype[Any], source: str) -> NDArray[Any]:
    """Convert to `dtype`; whole-number columns accept only whole numbers in range."""
    array = np.asarray(values)
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "biuf":
        msg = f"{source}: column {name} holds {array.dtype} values, numbers are needed"
        raise InputError(msg)
    if dtype.kind == "f":
        return array.astype(dtype)
    limits = np.iinfo(dtype)
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~((array >= limits.min) & (array <= limits.max) & (array == np.floor(array))))
    if len(bad):
        msg = (
            f"{source}: column {name} has {len(bad)} values that are not whole numbers in "
            f"{limits.min}..{limits.max}, first at {first(bad)} (counted from 0)"
        )
        raise InputError(msg)
    return array.astype(dtype)


def typed_columns(columns: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Convert given columns to their types and fill in those that may be missing."""
    check_names(columns, source)
    offsets = as_type("offsets", columns["offsets"], np.dtype(np.int64), source)
    n_showers = max(len(offsets) - 1, 0)
    typed: dict[str, Any] = {"offsets": offsets}
    for name, column in COLUMNS.items():
        values = columns.get(name)
        if values is not None:
            typed[name] = as_type(name, values, column.dtype, source)
        elif name in SHOWER_NAMES and not column.optional:
            typed[name] = np.arange(n_showers) if name == "event_id" else column.filled(n_showers)
    return typed


def check_values(showers: Showers, source: str, n_cells: int | None) -> None:
    """Refuse descending offsets, cells outside the geometry, impossible incident particles."""
    _refuse(np.flatnonzero(np.diff(showers.offsets) < 0), source, "offsets descend")
    outside = showers.cell < 0
    if n_cells is not None:
        outside |= showers.cell >= n_cells
    bad_hits = np.flatnonzero(outside)
    if len(bad_hits):
        known = f"0..{n_cells - 1}" if n_cells else "0.."
        msg = (
            f"{source}: {len(bad_hits)} hits lie in cells outside {known}, for instance {showers.cell[bad_hits[0]]}, "
            f"first in showers {first(_showers_of(showers, bad_hits))} (counted from 0); is this the right geometry?"
        )
        raise InputError(msg)
    energy = showers.incident_energy
    bad_energy = np.flatnonzero(~(np.isfinite(energy) & (energy >= 0)))
    _refuse(bad_energy, source, "incident_energy is NaN, infinite or negative")
    norm = np.hypot(np.hypot(showers.direction_x, showers.direction_y), showers.direction_z)
    _refuse(np.flatnonzero(np.abs(norm - 1) > UNIT_VECTOR_TOLERANCE), source, "the direction is not a unit vector")


def usable_hits(showers: Showers, source: str, *, refuse: bool, remedy: str = AT_THE_DOOR) -> NDArray[np.bool_] | None:
    """Mark hits of finite, non-negative energy, [n_hits]; None if all are.

    Raises
    ------
    InputError
        If some are not and `refuse` is set; else their number is logged.
    """
    usable = np.isfinite(showers.energy) & (showers.energy >= 0)
    bad = np.flatnonzero(~usable)
    if len(bad) == 0:
        return None
    n_negative = int((showers.energy[bad] < 0).sum())
    summary = (
        f"{source}: {len(bad)} of {len(usable)} hits have a bad energy ({n_negative} negative, "
        f"{len(bad) - n_negative} NaN or infinite), first in showers {first(_showers_of(showers, bad))} "
        "(counted from 0)"
    )
    if refuse:
        msg = f"{summary}; {remedy}"
        raise InputError(msg)
    logger.warning("%s; dropped", summary)
    return usable


def first(rows: NDArray[np.int64]) -> str:
    """List the first few numbers."""
    return ", ".join(str(row) for row in rows[:FIRST_BAD].tolist()) + (", ..." if len(rows) > FIRST_BAD else "")


def _showers_of(showers: Showers, hits: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(np.searchsorted(showers.offsets, hits, side="right") - 1)


def _refuse(bad: NDArray[np.int64], source: str, what: str) -> None:
    if len(bad):
        msg = f"{source}: {what} in {len(bad)} showers, first {first(bad)} (counted from 0)"
        raise InputError(msg)
