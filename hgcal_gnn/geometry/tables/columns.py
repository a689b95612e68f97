"""From the columns of a file to the columns of a geometry table: names, derived columns, layers, neighbours."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import as_cell_ids
from hgcal_gnn.geometry.tables.formats import RawTable, explain_text, first_rows, has_numbers
from hgcal_gnn.geometry.tables.names import NEEDED_IN_EVERY_ROW, NameMatch, is_reference, match_names
from hgcal_gnn.geometry.tables.neighbour_lists import lists_in_text, spread_lists, unsigned_references
from hgcal_gnn.geometry.tables.subdetectors import settle_subdetectors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_NEEDED = frozenset(("cell_id", "layer", "x", "y", "z"))
_WORDS = ("detector", "subdetid", "subdetector")
_TEXT_ALLOWED = frozenset((*_WORDS, "neighbours", "cell_type"))


@dataclass
class Columns:
    """Columns under our names, and the names of subdetectors the file states or implies."""

    values: dict[str, NDArray[Any]]
    subdetector_names: dict[int, str] = field(default_factory=dict)
    file_names: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


def table_columns(raw: RawTable, wanted: Mapping[str, str], source: str) -> Columns:
    """Give a file's columns their names in the geometry table and derive what follows from others.

    Neighbour lists become columns n0, n1, ... with 0 for none. Columns whose meaning is unknown are
    carried along under their own names.

    Parameters
    ----------
    raw
        What the file holds; its arrays may be taken over.
    wanted
        What the user says about names (see `match_names`).
    source
        The file, named in error messages.

    Raises
    ------
    InputError
        For a needed column that is missing or holds text, or an angle that is not in radians.
    """
    match = match_names(raw.names, wanted, source)
    match = _choose_ids(raw, match, source)
    _check_present(raw, match, source)
    _check_text(raw, match, source)
    columns = Columns({}, file_names=match.source, units=match.units)
    columns.values["cell_id"] = as_cell_ids(raw.numbers.pop(match.source["cell_id"]), source, match.source["cell_id"])
    n_rows = len(columns.values["cell_id"])
    _leave_out_other_lengths(raw, match, n_rows)
    for ours, name in match.source.items():
        if name in raw.numbers:
            columns.values[ours] = raw.numbers[name]
    for ours, value in match.constants.items():
        columns.values[ours] = np.full(n_rows, value)
    _add_others(raw, match, columns)
    _add_neighbour_lists(raw, match, columns.values, source)
    _check_lengths(columns.values, source)
    unsigned_references(columns.values, source)
    _add_cartesian(columns.values, source)
    texts = {ours: raw.texts.pop(match.source[ours]) for ours in _WORDS if match.source.get(ours) in raw.texts}
    columns.subdetector_names = settle_subdetectors(columns.values, texts)
    _add_sides(columns.values)
    _report(raw, match, source)
    return columns


def _choose_ids(raw: RawTable, match: NameMatch, source: str) -> NameMatch:
    """Of several columns that may be the cell id take the first whose whole numbers never repeat."""
    if len(match.id_candidates) > 1:
        for name in match.id_candidates:
            values = raw.numbers.get(name)
            if values is not None and values.dtype.kind in "iu" and len(np.unique(values)) == len(values):
                logger.info("%s: cell ids are taken from %s (of %s)", source, name, ", ".join(match.id_candidates))
                return replace(match, source={**match.source, "cell_id": name})
    return match


def _check_present(raw: RawTable, match: NameMatch, source: str) -> None:
    missing = match.missing
    if not missing:
        return
    found = ", ".join([*raw.names, *(f"{name} (not read: {why})" for name, why in raw.skipped.items())])
    hint = " or, if all cells are of one layer, --column layer=1" if "layer" in missing else ""
    msg = (
        f"{source}: missing column {', '.join(missing)} (found: {found}); name the column that holds it with "
        f"--column {missing[0]}=NAME{hint}"
    )
    raise InputError(msg)


def _check_text(raw: RawTable, match: NameMatch, source: str) -> None:
    """Refuse text and lists where a number per cell is needed, or where some values are numbers."""
    for ours, name in match.source.items():
        needed = ours in _NEEDED
        if name in raw.texts and ours not in _TEXT_ALLOWED and (needed or has_numbers(raw.texts[name])):
            what = "whole numbers" if ours in NEEDED_IN_EVERY_ROW or is_reference(ours) else "numbers"
            raise explain_text(source, name, raw.texts[name], what)
        if name in raw.lists and needed:
            msg = f"{source}: column {name} holds a list in every row, one number is needed"
            raise InputError(msg)


def _add_others(raw: RawTable, match: NameMatch, columns: Columns) -> None:
    """Carry along what has no meaning here, under its own name; a name that is taken gets an ending."""
    used = set(match.source.values())
    for name, values in raw.numbers.items():
        if name not in used:
            columns.values[name if name not in columns.values else f"{name}_in_file"] = values


def _add_neighbour_lists(raw: RawTable, match: NameMatch, values: dict[str, NDArray[Any]], source: str) -> None:
    """Turn a column of neighbour lists, also as text, into columns n0, n1, ..., unless the file has these."""
    name = match.source.get("neighbours")
    if name is None or "n0" in values or name not in {*raw.lists, *raw.texts}:
        return
    lists = raw.lists.pop(name) if name in raw.lists else lists_in_text(raw.texts.pop(name), name, source)
    values.update(spread_lists(lists, values["cell_id"], name, source))


def _leave_out_other_lengths(raw: RawTable, match: NameMatch, n_rows: int) -> None:
    """Note columns of another length (tracks beside cells in one ROOT tree); a needed one is refused later."""
    needed = {name for ours, name in match.source.items() if ours in _NEEDED}
    for name in [name for name, values in raw.numbers.items() if len(values) != n_rows and name not in needed]:
        raw.skipped[name] = f"it has {len(raw.numbers.pop(name))} values for {n_rows} cells"
    for name in [name for name, values in raw.lists.items() if len(values) != n_rows]:
        raw.skipped[name] = f"it has {len(raw.lists.pop(name))} lists for {n_rows} cells"


def _check_lengths(columns: Mapping[str, NDArray[Any]], source: str) -> None:
    n_rows = len(columns["cell_id"])
    for name, values in columns.items():
        if len(values) != n_rows:
            msg = f"{source}: column {name} has {len(values)} rows, the cell ids have {n_rows}"
            raise InputError(msg)


def _add_cartesian(columns: dict[str, NDArray[Any]], source: str) -> None:
    """Compute x and y from r and phi, z from r and eta, where the file has no Cartesian coordinates."""
    if "phi" in columns and ("x" not in columns or "y" not in columns):
        phi = columns["phi"]
        bad = np.flatnonzero(np.abs(phi) > 2 * np.pi + 1e-3)
        if len(bad):
            msg = (
                f"{source}: column phi has {len(bad)} values beyond 2 pi, first in rows {first_rows(bad)} "
                "(counted from 0); angles must be in radians"
            )
            raise InputError(msg)
        columns["x"] = columns["r"] * np.cos(phi)
        columns["y"] = columns["r"] * np.sin(phi)
    if "z" not in columns:
        with np.errstate(over="ignore"):  # what overflows is refused as not finite
            columns["z"] = columns["r"] * np.sinh(columns["eta"])


def _add_sides(columns: dict[str, NDArray[Any]]) -> None:
    """Take barrel (0) and endcap (the sign of z) from a column that says which cells are of the barrel."""
    barrel = columns.get("is_barrel")
    if barrel is not None and "z_side" not in columns and np.isin(barrel, (0, 1)).all():
        columns["z_side"] = np.where(barrel.astype(bool), 0, np.where(columns["z"] < 0, -1, 1)).astype(np.int8)


def _report(raw: RawTable, match: NameMatch, source: str) -> None:
    """Say which columns were read under another name and which were left out."""
    renamed = [f"{name} as {ours}" for ours, name in match.source.items() if name != ours]
    if renamed:
        logger.info("%s: read %s", source, ", ".join(renamed))
    left = raw.skipped | dict.fromkeys(raw.lists, "it holds lists") | dict.fromkeys(raw.texts, "it holds text")
    if left:
        logger.info("%s: left out %s", source, ", ".join(f"{name} ({why})" for name, why in left.items()))
