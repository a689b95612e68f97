"""Exported neighbours in a table: lists spread over columns n0, n1, ..., ids unsigned, 0 for none.

Where a cell has the id 0 and the file has another sign for none (-1, nothing, the end of a list), 2^64 - 1 (-1) stands
for none and 0 for that cell.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import NOBODY, as_cell_ids
from hgcal_gnn.geometry.tables.formats import MOST_ITEMS, Lists, first_rows
from hgcal_gnn.geometry.tables.names import is_reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

LARGEST_EXACT = 2**53  # whole numbers up to here survive in float64


def spread_lists(lists: Lists, cell_id: NDArray[np.uint64], name: str, source: str) -> dict[str, NDArray[np.uint64]]:
    """Spread one list of neighbours per cell over columns n0, n1, ..., filled with none where a list is shorter.

    Raises
    ------
    InputError
        For lists longer than those of any detector, or of numbers that are no cell ids.
    """
    lengths = np.diff(lists.offsets)
    most = int(lengths.max(initial=0))
    if most > MOST_ITEMS:
        msg = f"{source}: column {name} names up to {most} neighbours of a cell, at most {MOST_ITEMS} are expected"
        raise InputError(msg)
    none = NOBODY if (cell_id == 0).any() else np.uint64(0)
    values = _unsigned(lists.values, name, source, none, negatives_are_ids=_has_high_ids(cell_id))
    columns = {}
    for number in range(most):
        has = lengths > number
        column = np.full(len(lists), none, dtype=np.uint64)
        column[has] = values[lists.offsets[:-1][has] + number]
        columns[f"n{number}"] = column
    return columns


def lists_in_text(texts: pa.Array, name: str, source: str) -> Lists:
    """Read lists of whole numbers written as text: "[3, 17]", "3 17" or "3;17".

    Raises
    ------
    InputError
        If something between the separators is no whole number of 64 bits.
    """
    spaced = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.fill_null(texts, ""), r"[\s,;|\[\](){}]+", " "))
    empty = pc.equal(spaced, "").to_numpy(zero_copy_only=False)
    parts = pc.split_pattern(spaced, " ")
    lengths = np.where(empty, 0, pc.list_value_length(parts).to_numpy(zero_copy_only=False))
    words = pc.list_flatten(parts)
    words = words.filter(pc.not_equal(words, ""))
    signed = bool(pc.any(pc.starts_with(words, "-")).as_py())
    try:
        values = words.cast(pa.int64() if signed else pa.uint64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        msg = f"{source}: column {name} should hold lists of cell ids: {error}"
        raise InputError(msg) from error
    return Lists(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))


def unsigned_references(columns: dict[str, NDArray[Any]], source: str) -> None:
    """Bring neighbour columns to unsigned ids, whatever stood for none (0, -1, NaN).

    Parameters
    ----------
    columns
        Our names to arrays [n_cells], with `cell_id`; changed in place.

    Raises
    ------
    InputError
        For numbers that are no cell ids.
    """
    high = _has_high_ids(columns["cell_id"])
    names = [name for name in columns if is_reference(name)]
    none = np.uint64(0)
    if names and (columns["cell_id"] == 0).any():
        if any(_has_sign_for_none(columns[name]) for name in names):
            none = NOBODY
        else:
            logger.warning("%s: a cell has the id 0, which stands for none in the columns %s", source, ", ".join(names))
    for name in names:
        columns[name] = _unsigned(columns[name], name, source, none, negatives_are_ids=high)


def _has_high_ids(cell_id: NDArray[np.uint64]) -> bool:
    """Whether 32-bit ids have their top bit set, so that a signed export shows them negative."""
    return bool(len(cell_id)) and 2**31 <= int(cell_id.max()) < 2**32


def _has_sign_for_none(values: NDArray[Any]) -> bool:
    """Whether a column marks none by something else than 0."""
    if values.dtype.kind == "u":
        return bool((values == NOBODY).any())
    return values.dtype.kind in "if" and bool(((values == -1) | np.isnan(values)).any())


def _unsigned(
    values: NDArray[Any], name: str, source: str, none: np.uint64, *, negatives_are_ids: bool
) -> NDArray[Any]:
    """Convert references to unsigned ids; -1 and NaN become `none`."""
    if values.dtype.kind == "u":
        return values
    if values.dtype.kind == "f":
        known = np.nan_to_num(values, nan=-1.0, posinf=0.5, neginf=0.5)
        if ((known != np.floor(known)) | (np.abs(known) > LARGEST_EXACT)).any():
            msg = f"{source}: column {name} holds numbers that are no cell ids; export it as whole numbers"
            raise InputError(msg)
        values = known.astype(np.int64)
    if values.dtype.kind != "i":
        msg = f"{source}: column {name} holds {values.dtype} values, cell ids are needed"
        raise InputError(msg)
    nobody = values == -1
    bad = np.flatnonzero((values < 0) & ~nobody) if not negatives_are_ids else np.zeros(0, dtype=np.int64)
    if len(bad):
        msg = f"{source}: column {name} has {len(bad)} negative ids, first in rows {first_rows(bad)} (counted from 0)"
        raise InputError(msg)
    ids = as_cell_ids(np.where(nobody, values.dtype.type(0), values), source, name)
    return np.where(nobody, none, ids)
