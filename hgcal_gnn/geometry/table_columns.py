"""From the columns of a file to the columns of a geometry table: names, derived columns, layers, neighbours."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import CMS_SUBDETECTORS, as_cell_ids
from hgcal_gnn.geometry.table_formats import MOST_ITEMS, Lists, RawTable, explain_text, first_rows, has_numbers
from hgcal_gnn.geometry.table_names import NEEDED_IN_EVERY_ROW, NameMatch, is_reference, match_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

CODES = range(256)  # subdetector codes are uint8
LARGEST_EXACT = 2**53  # whole numbers up to here survive in float64
_NEEDED = frozenset(("cell_id", "layer", "x", "y", "z"))
_TEXT_ALLOWED = frozenset(("detector", "subdetector", "subdetid", "neighbours", "cell_type"))


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
    for ours, name in match.source.items():
        if name in raw.numbers:
            columns.values[ours] = raw.numbers[name]
    for ours, value in match.constants.items():
        columns.values[ours] = np.full(n_rows, value)
    _add_others(raw, match, columns)
    _add_neighbour_lists(raw, match, columns, source)
    _check_lengths(columns.values, source)
    _unsigned_references(columns.values, source)
    _add_cartesian(columns.values, source)
    _add_subdetector(raw, match, columns)
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


def _add_neighbour_lists(raw: RawTable, match: NameMatch, columns: Columns, source: str) -> None:
    """Spread one list of neighbours per cell over columns n0, n1, ..., 0 where a list is shorter."""
    name = match.source.get("neighbours")
    if name is None or "n0" in columns.values:
        return
    lists = raw.lists.get(name)
    if name in raw.texts:
        lists = _lists_in_text(raw.texts[name])
    if lists is None:
        return
    lengths = np.diff(lists.offsets)
    most = int(lengths.max(initial=0))
    if most > MOST_ITEMS:
        msg = f"{source}: column {name} names up to {most} neighbours of a cell, at most {MOST_ITEMS} are expected"
        raise InputError(msg)
    values = _unsigned(lists.values, name, source, negatives_are_ids=_has_high_ids(columns.values["cell_id"]))
    for number in range(most):
        has = lengths > number
        column = np.zeros(len(lists), dtype=np.uint64)
        column[has] = values[lists.offsets[:-1][has] + number]
        columns.values[f"n{number}"] = column
    raw.lists.pop(name, None)
    raw.texts.pop(name, None)


def _lists_in_text(texts: Any) -> Lists:
    """Read lists of whole numbers written as text: "[3, 17]", "3 17" or "3;17"."""
    spaced = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.fill_null(texts, ""), r"[^0-9\-]+", " "))
    empty = pc.equal(spaced, "").to_numpy(zero_copy_only=False)
    parts = pc.split_pattern(spaced, " ")
    lengths = np.where(empty, 0, pc.list_value_length(parts).to_numpy(zero_copy_only=False))
    words = pc.list_flatten(parts)
    words = words.filter(pc.not_equal(words, ""))
    signed = bool(pc.any(pc.starts_with(words, "-")).as_py())
    values = words.cast("int64" if signed else "uint64").to_numpy(zero_copy_only=False)
    return Lists(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))


def _check_lengths(columns: Mapping[str, NDArray[Any]], source: str) -> None:
    n_rows = len(columns["cell_id"])
    for name, values in columns.items():
        if len(values) != n_rows:
            msg = f"{source}: column {name} has {len(values)} rows, the cell ids have {n_rows}"
            raise InputError(msg)


def _has_high_ids(cell_id: NDArray[np.uint64]) -> bool:
    """Whether 32-bit ids have their top bit set, so that a signed export shows them negative."""
    return bool(len(cell_id)) and 2**31 <= int(cell_id.max()) < 2**32


def _unsigned_references(columns: dict[str, NDArray[Any]], source: str) -> None:
    """Bring neighbour columns to unsigned ids with 0 for none, whatever stood for none (-1, NaN)."""
    high = _has_high_ids(columns["cell_id"])
    names = [name for name in columns if is_reference(name)]
    for name in names:
        columns[name] = _unsigned(columns[name], name, source, negatives_are_ids=high)
    if names and (columns["cell_id"] == 0).any():
        logger.warning("%s: a cell has the id 0, which stands for none in the columns %s", source, ", ".join(names))


def _unsigned(values: NDArray[Any], name: str, source: str, *, negatives_are_ids: bool) -> NDArray[Any]:
    if values.dtype.kind == "u":
        return values
    if values.dtype.kind == "f":
        known = np.nan_to_num(values, nan=0.0, posinf=-2.0, neginf=-2.0)
        if ((known != np.floor(known)) | (np.abs(known) > LARGEST_EXACT)).any():
            msg = f"{source}: column {name} holds numbers that are no cell ids; export it as whole numbers"
            raise InputError(msg)
        values = known.astype(np.int64)
    if values.dtype.kind != "i":
        msg = f"{source}: column {name} holds {values.dtype} values, cell ids are needed"
        raise InputError(msg)
    none = values == -1
    if not negatives_are_ids:
        bad = np.flatnonzero((values < 0) & ~none)
        if len(bad):
            msg = (
                f"{source}: column {name} has {len(bad)} negative ids, first in rows {first_rows(bad)} (counted from 0)"
            )
            raise InputError(msg)
    return as_cell_ids(np.where(none, values.dtype.type(0), values), source, name)


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


def _add_subdetector(raw: RawTable, match: NameMatch, columns: Columns) -> None:
    """Settle `detector` and `subdetector`: codes for texts and for wide numbers, CMS from the ids."""
    values = columns.values
    for name in ("detector", "subdetid", "subdetector"):  # the last one that is there gives the codes
        if match.source.get(name) in raw.texts:
            values[name], columns.subdetector_names = _numbered_words(raw.texts.pop(match.source[name]))
        elif name in values:
            columns.subdetector_names = {}
    in_ids = _detectors_in_ids(values["cell_id"])
    detector = values.get("detector")
    if in_ids is not None and detector is None and not {"subdetector", "subdetid"} & set(values):
        values["detector"] = detector = in_ids
        logger.info("the cell ids are CMS DetIds: the subdetector is read off them")
    if in_ids is not None and "subdetector" in values and np.array_equal(in_ids, values["subdetector"]):
        columns.subdetector_names = dict(CMS_SUBDETECTORS)
    if detector is not None and np.isin(detector, list(CMS_SUBDETECTORS)).all():
        return
    if "subdetector" not in values and "subdetid" in values:
        values["subdetector"] = values["subdetid"]
        if detector is not None and (detector != detector[0]).any():
            values["subdetector"] = values["detector"].astype(np.int64) << 32 | values["subdetid"].astype(np.int64)
    _number_codes(columns)


def _numbered_words(texts: Any) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Give the words of a column numbers in alphabetical order."""
    words = pc.fill_null(texts, "").dictionary_encode()
    known, place = np.unique(np.array(words.dictionary.to_pylist(), dtype=str), return_inverse=True)
    return place[words.indices.to_numpy(zero_copy_only=False)], dict(enumerate(known.tolist()))


def _detectors_in_ids(cell_id: NDArray[np.uint64]) -> NDArray[np.uint8] | None:
    """Read the detector (8, 9, 10) off CMS DetIds, None if some id is none (bits 28-31, DetId.h)."""
    lowest, highest = min(CMS_SUBDETECTORS) << 28, (max(CMS_SUBDETECTORS) + 1) << 28
    if len(cell_id) == 0 or int(cell_id.min()) < lowest or int(cell_id.max()) >= highest:
        return None
    return (cell_id >> np.uint64(28)).astype(np.uint8)


def _number_codes(columns: Columns) -> None:
    """Give subdetectors whose codes do not fit in 0..255 new ones in ascending order, and name them by the old."""
    name = "subdetector" if "subdetector" in columns.values else "detector"
    codes = columns.values.get(name)
    if codes is None or codes.dtype.kind not in "iu" or (len(codes) and codes.min() >= 0 and codes.max() in CODES):
        return
    known, number = np.unique(codes, return_inverse=True)
    if len(known) > len(CODES):
        return  # CellTable refuses these and says why
    columns.values["subdetector"] = number.astype(np.uint8)
    words = [f"{code >> 32}/{code & 0xFFFFFFFF}" if code >= 2**32 else str(code) for code in known.tolist()]
    columns.subdetector_names = {i: f"subdetector {word}" for i, word in enumerate(words)}


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
