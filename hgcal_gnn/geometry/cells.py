"""CellTable: every cell of a calorimeter, one array per property, checked once at the door."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.sides import find_sides

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CMS_SUBDETECTORS = MappingProxyType({8: "CE-E", 9: "CE-H silicon", 10: "CE-H scintillator"})
CMS_DEPTH = (280.0, 560.0)  # cm: |z| of the HGCAL with room to spare (3.2 to 5.2 m, CMS-TDR-019)
REQUIRED = ("cell_id", "layer", "x", "y", "z")
CORE = (*REQUIRED, "subdetector", "z_side", "is_silicon", "cell_type")
NOBODY = np.uint64(2**64 - 1)  # a reference to no cell, where 0 is a cell
FIRST_BAD = 5  # rows shown in an error message


@dataclass(frozen=True, eq=False)
class CellTable:
    """Cells sorted by (z side, layer, subdetector, cell id), so that row numbers mean the same everywhere.

    Build one with `CellTable.from_columns`, which checks, derives and sorts; the constructor only
    checks that the arrays fit together.

    Attributes
    ----------
    cell_id : uint64 [n_cells]
    layer : int16 [n_cells]
        Ordinal 1..L, counted through CE-E and CE-H.
    subdetector : uint8 [n_cells]
        8 CE-E, 9 CE-H silicon, 10 CE-H scintillator for CMS, codes as given elsewhere.
    z_side : int8 [n_cells]
        +1, -1 for endcap layers, 0 for barrel layers.
    is_silicon : uint8 [n_cells]
    cell_type : int16 [n_cells]
        CMS: 0, 1, 2 are 120, 200, 300 um silicon.
    x, y, z : float32 or float64 [n_cells]
        Centre [cm], in the precision of the source.
    extra : mapping of name to array [n_cells]
        Further columns under their table names (corner_x_0, area, thickness, wafer_u, n0, ...).
    subdetector_names : mapping of code to name
    detector : str
        Name of the detector, "unknown" if nobody said.
    """

    cell_id: NDArray[np.uint64]
    layer: NDArray[np.int16]
    subdetector: NDArray[np.uint8]
    z_side: NDArray[np.int8]
    is_silicon: NDArray[np.uint8]
    cell_type: NDArray[np.int16]
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    z: NDArray[np.floating]
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    subdetector_names: Mapping[int, str] = field(default_factory=dict)
    detector: str = "unknown"

    def __post_init__(self) -> None:
        for name in CORE:
            _check_length(name, getattr(self, name), self.n_cells)
        for name, values in self.extra.items():
            _check_length(name, values, self.n_cells)

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, NDArray[Any]],
        *,
        source: str = "table",
        subdetector_names: Mapping[int, str] | None = None,
        detector: str = "unknown",
    ) -> CellTable:
        """Check columns, derive what is missing, sort the rows.

        Parameters
        ----------
        columns
            Arrays [n_cells] under the names of the geometry table; lengths in cm. Needed: cell_id, layer,
            x, y, z. Optional: detector (8, 9, 10 of CMS become the subdetector, see `is_hgcal`), subdetector, z_side,
            is_silicon, cell_type; all others are carried along in `extra`.
        source
            Where they come from, named in error messages.

        Raises
        ------
        InputError
            For a missing column, no rows, unequal lengths, ids that are not whole numbers, NaN or
            infinite values, or repeated ids: with the column, the count and the first bad rows.
        """
        missing = [name for name in REQUIRED if name not in columns]
        if missing:
            msg = (
                f"{source}: missing column {', '.join(missing)} (found: {', '.join(columns)}); "
                f"name the column that holds it with --column {missing[0]}=NAME"
            )
            raise InputError(msg)
        n_cells = len(columns["cell_id"])
        if n_cells == 0:
            msg = f"{source}: the table has no rows"
            raise InputError(msg)
        for name, values in columns.items():
            _check_length(name, values, n_cells, source)
        for name in ("x", "y", "z"):
            _check_finite(name, columns[name], source)

        core = _core_columns(columns, source)
        order = _row_order(core)
        if order is not None:
            core = {name: values[order] for name, values in core.items()}
        _check_unique(core["cell_id"], order, source)
        extra = {
            name: values if order is None else values[order] for name, values in columns.items() if name not in CORE
        }
        codes = np.flatnonzero(np.bincount(core["subdetector"], minlength=1)).tolist()
        names = dict(subdetector_names or {})
        if is_hgcal(columns.get("detector"), core["cell_id"], core["z"]):
            names = {**CMS_SUBDETECTORS, **names}
        names = {code: names.get(code, f"subdetector {code}") for code in codes}
        return cls(**core, extra=extra, subdetector_names=names, detector=detector)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.cell_id)

    def __len__(self) -> int:
        return self.n_cells

    @property
    def is_cms(self) -> bool:
        """True for a table of the CMS HGCAL, whose ids are DetIds."""
        return bool(self.subdetector_names) and all(
            CMS_SUBDETECTORS.get(code) == name for code, name in self.subdetector_names.items()
        )

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return every column under its table name, core columns first."""
        return {name: getattr(self, name) for name in CORE} | dict(self.extra)

    def select(self, rows: NDArray[Any] | slice) -> CellTable:
        """Return the table of some rows (boolean mask, slice or increasing row numbers)."""
        core = {name: getattr(self, name)[rows] for name in CORE}
        extra = {name: values[rows] for name, values in self.extra.items()}
        return CellTable(**core, extra=extra, subdetector_names=self.subdetector_names, detector=self.detector)

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """Centres [n_cells, 3] in cm, rounded to float32: what the graph stores is what its edges are made from."""
        return np.stack([a.astype(np.float32).astype(np.float64) for a in (self.x, self.y, self.z)], axis=1)

    @cached_property
    def layer_starts(self) -> NDArray[np.int64]:
        """First row of each (z side, layer, subdetector), [n_layers] (see `surfaces`)."""
        change = np.ones(self.n_cells, dtype=bool)
        change[1:] = (
            (self.z_side[1:] != self.z_side[:-1])
            | (self.layer[1:] != self.layer[:-1])
            | (self.subdetector[1:] != self.subdetector[:-1])
        )
        return np.flatnonzero(change)

    @cached_property
    def sha256(self) -> str:
        """Hash of cell_id (little-endian uint64), layer (int16), x, y, z (float32) in row order: `cells_sha256`."""
        return cells_sha256(self.cell_id, self.layer, self.x, self.y, self.z)


def cells_sha256(cell_id: NDArray[Any], layer: NDArray[Any], x: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> str:
    """Hash what identifies a geometry: one column after the other, little-endian, in row order."""
    digest = hashlib.sha256()
    for values, dtype in ((cell_id, "<u8"), (layer, "<i2"), (x, "<f4"), (y, "<f4"), (z, "<f4")):
        digest.update(np.ascontiguousarray(values, dtype=dtype).data)
    return digest.hexdigest()


def as_cell_ids(values: NDArray[Any], source: str = "table", column: str = "cell_id") -> NDArray[np.uint64]:
    """Return ids as uint64; signed exports of 32-bit DetIds are reinterpreted as unsigned 32 bit.

    Raises
    ------
    InputError
        For floating-point or text ids: floats cannot hold 64 bits, so neighbouring ids would merge.
    """
    ids = np.asarray(values)
    if ids.dtype.kind == "u":
        return ids.astype(np.uint64)
    if ids.dtype.kind != "i":
        msg = (
            f"{source}: column {column} holds {ids.dtype} values, ids must be whole numbers "
            "(export them as 32- or 64-bit integers)"
        )
        raise InputError(msg)
    if ids.dtype.itemsize <= 4:
        return ids.astype(np.int32).view(np.uint32).astype(np.uint64)
    if len(ids) and ids.min() < 0 and ids.min() >= -(2**31) and ids.max() < 2**31:
        return ids.astype(np.int32).view(np.uint32).astype(np.uint64)
    return ids.astype(np.int64).view(np.uint64)


def is_hgcal(detector: NDArray[Any] | None, cell_id: NDArray[np.uint64], z: NDArray[Any]) -> bool:
    """Tell whether detector codes 8, 9, 10 mean the CMS HGCAL: the ids say so too (bits 28-31 of a DetId), or z does.

    Other experiments number their subdetectors from 1 and have an 8, 9 and 10 as well.
    """
    if detector is None or not np.isin(detector, list(CMS_SUBDETECTORS)).all():
        return False
    depth = np.abs(z)
    return bool((cell_id >> np.uint64(28) == detector).all()) or bool(
        ((depth > CMS_DEPTH[0]) & (depth < CMS_DEPTH[1])).all()
    )


def _core_columns(columns: Mapping[str, NDArray[Any]], source: str) -> dict[str, NDArray[Any]]:
    """Bring the core columns to their types and derive those that are missing."""
    n_cells = len(columns["cell_id"])
    core: dict[str, NDArray[Any]] = {"cell_id": as_cell_ids(columns["cell_id"], source)}
    core["layer"] = _as_integer("layer", columns["layer"], np.int16, source)
    detector = columns.get("detector")
    is_cms = is_hgcal(detector, core["cell_id"], columns["z"])
    code = detector if is_cms else columns.get("subdetector", detector)
    core["subdetector"] = (
        np.zeros(n_cells, np.uint8) if code is None else _as_integer("subdetector", code, np.uint8, source)
    )
    for name in ("x", "y", "z"):
        values = columns[name]
        core[name] = values if values.dtype == np.float32 else values.astype(np.float64)
    if "is_silicon" in columns:
        core["is_silicon"] = _as_integer("is_silicon", columns["is_silicon"], np.uint8, source)
    else:
        core["is_silicon"] = ((core["subdetector"] != 10) & is_cms).astype(np.uint8)
    cell_type = columns.get("cell_type")
    core["cell_type"] = (
        np.zeros(n_cells, np.int16) if cell_type is None else _as_integer("cell_type", cell_type, np.int16, source)
    )
    if "z_side" in columns:
        core["z_side"] = _as_integer("z_side", columns["z_side"], np.int8, source)
    elif is_cms:
        core["z_side"] = np.where(core["z"] < 0, -1, 1).astype(np.int8)
    else:
        core["z_side"] = find_sides(core["subdetector"], core["layer"], core["x"], core["y"], core["z"])
    return core


def _row_order(core: Mapping[str, NDArray[Any]]) -> NDArray[np.int64] | None:
    """Order by (z side, layer, subdetector, cell id), or None if the rows are sorted already."""
    side, layer, subdetector = core["z_side"], core["layer"], core["subdetector"]
    group = (side.astype(np.int64) + 2) << 24 | (layer.astype(np.int64) + 2**15) << 8 | subdetector
    ids = core["cell_id"]
    step = np.diff(group)
    if not len(step) or ((step >= 0).all() and bool((ids[1:] > ids[:-1])[step == 0].all())):
        return None
    if int(ids.max()) < 2**32:
        return np.argsort(group.astype(np.uint64) << np.uint64(32) | ids)
    return np.lexsort((ids, group))


def _check_length(name: str, values: NDArray[Any], n_cells: int, source: str = "table") -> None:
    if np.ndim(values) != 1 or len(values) != n_cells:
        msg = f"{source}: column {name} must have shape [{n_cells}], got {list(np.shape(values))}"
        raise InputError(msg)


def _check_finite(name: str, values: NDArray[Any], source: str) -> None:
    if values.dtype.kind not in "iuf":
        msg = f"{source}: column {name} holds text, numbers are needed (is the delimiter right?)"
        raise InputError(msg)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        msg = (
            f"{source}: column {name} has {len(bad)} values that are NaN or infinite, first in rows "
            f"{_first(bad)} (counted from 0); correct or remove these rows"
        )
        raise InputError(msg)


def _check_unique(ids: NDArray[np.uint64], order: NDArray[np.int64] | None, source: str) -> None:
    """Refuse ids that occur twice anywhere in the table; rows are named as the source counts them."""
    by_id = np.argsort(ids, kind="stable") if (ids[1:] < ids[:-1]).any() else None
    ascending = ids if by_id is None else ids[by_id]
    repeated = np.flatnonzero(ascending[1:] == ascending[:-1])
    if len(repeated) == 0:
        return
    rows = repeated + 1 if by_id is None else by_id[repeated + 1]
    rows = rows if order is None else order[rows]
    msg = (
        f"{source}: column cell_id has {len(repeated)} repeated ids, for instance {ascending[repeated[0]]}; "
        f"first repeated in rows {_first(np.sort(rows))} (counted from 0); every cell needs an id of its own"
    )
    raise InputError(msg)


def _as_integer(name: str, values: NDArray[Any], dtype: type[np.integer[Any]], source: str) -> NDArray[Any]:
    """Convert to `dtype`, refusing values that are not whole numbers or do not fit."""
    if values.dtype == dtype:
        return values
    if values.dtype.kind == "b":
        return values.astype(dtype)
    if values.dtype.kind not in "iuf":
        msg = f"{source}: column {name} holds text, whole numbers are needed"
        raise InputError(msg)
    limits = np.iinfo(dtype)
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~((values >= limits.min) & (values <= limits.max) & (values == np.floor(values))))
    if len(bad):
        msg = (
            f"{source}: column {name} has {len(bad)} values that are not whole numbers in "
            f"{limits.min}..{limits.max}, first in rows {_first(bad)} (counted from 0)"
        )
        raise InputError(msg)
    return values.astype(dtype)


def _first(rows: NDArray[np.int64]) -> str:
    shown = ", ".join(str(row) for row in rows[:FIRST_BAD].tolist())
    return shown + (", ..." if len(rows) > FIRST_BAD else "")
