"""A geometry table from the hits of ROOT files, where nobody exported one: every cell that was ever hit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import CellTable, as_cell_ids
from hgcal_gnn.geometry.detid import HGCAL_EE, HGCAL_HSC, detector_of
from hgcal_gnn.showers.root.arrays import ragged
from hgcal_gnn.showers.root.branches import LENGTH_IN_CM
from hgcal_gnn.showers.root.encoding import parse_encoding, read_encodings
from hgcal_gnn.showers.root.read import RootOptions
from hgcal_gnn.showers.root.tree import detect_branches, find_branches, find_tree, open_root, reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from hgcal_gnn.showers.root.encoding import BitField

POSITION = ("x", "y", "z")
SAME_CELL = 5.0  # cm: hits further apart than this are not in one cell, whatever their id


@dataclass
class _Cells:
    """Different cells, ascending by id: columns [n_cells]."""

    columns: dict[str, NDArray[Any]]

    def add(self, columns: dict[str, NDArray[Any]], source: str) -> None:
        """Add the cells of hits, columns [n_hits]; a cell keeps the place of its first hit.

        Raises
        ------
        InputError
            If hits of one id are not in one place.
        """
        joined = {name: np.concatenate([self.columns[name], values]) for name, values in columns.items()}
        ids, first, of_hit = np.unique(joined["cell_id"], return_index=True, return_inverse=True)
        self.columns = {name: values[first] for name, values in joined.items()}
        away = np.max([np.abs(joined[axis] - self.columns[axis][of_hit]) for axis in POSITION], axis=0)
        bad = np.unique(of_hit[away > SAME_CELL])
        if len(bad):
            msg = (
                f"{source}: {len(bad)} cell ids have hits more than {SAME_CELL:g} cm apart, for instance "
                f"{ids[bad[0]]}: these ids name no single cells; read fewer collections (--collection)"
            )
            raise InputError(msg)


def table_from_hits(
    paths: Iterable[Path | str],
    options: RootOptions | None = None,
    *,
    encodings: Mapping[str, str] | None = None,
    detector: str = "from hits",
) -> CellTable:
    """Collect the cells of all hits of some files into a geometry table.

    Layer and subdetector come from the layer branch and the DetId (CMS), or from the fields "layer" and
    "system" of the cell ids as the file (EDM4hep) or `encodings` describes them; a cell lies where its first
    hit does. Memory is bounded by the number of different cells.

    Parameters
    ----------
    paths
        Files, or addresses such as ``root://server//file``.
    options
        Branches, tree and step (see `RootOptions`).
    encodings
        Id specification by name of collection ("" for plain ntuples), for files that do not carry it.

    Raises
    ------
    InputError
        If ids, positions or layers are missing, or one id occurs in different places.
    """
    options = options or RootOptions()
    cells: _Cells | None = None
    for path in paths:
        for columns in _hits_of(str(path), options, dict(encodings or {})):
            cells = cells or _Cells({name: values[:0] for name, values in columns.items()})
            cells.add(columns, str(path))
    if cells is None or not len(cells.columns["cell_id"]):
        msg = "no hits in these files, so there are no cells to make a geometry of"
        raise InputError(msg)
    code = detector_of(cells.columns["cell_id"])
    if ((code >= HGCAL_EE) & (code <= HGCAL_HSC)).all():
        cells.columns["detector"] = code
    return CellTable.from_columns(cells.columns, source="hits", detector=detector)


def _hits_of(path: str, options: RootOptions, encodings: dict[str, str]) -> Iterator[dict[str, NDArray[Any]]]:
    """Give id, place, layer and subdetector of the hits of one file, step by step."""
    with open_root(path) as file:
        names = options.branches or detect_branches(file, path, options.tree)
        tree = find_tree(file, path, names, options.tree)
        known = read_encodings(file, path) | encodings
        by_id = names.has_collections or "" in known
        wanted = ("cell_id", *POSITION, *(() if by_id else ("layer",)))
        found = find_branches(tree, path, names, wanted=wanted, need_particles=False)
        collections = found.collections or ("",)
        fields = [_fields(known, name, path) if by_id else None for name in collections]
        steps = tree.iterate(found.hit_names, step_size=options.step)
        while True:
            with reading(path, f"tree {tree.name}"):
                arrays = next(steps, None)
            if arrays is None:
                return
            for branches, layout in zip(found.hits, fields, strict=True):
                hits = {entry: ragged(arrays[branch], branch).values for entry, branch in branches.items()}
                yield _columns(hits, layout, LENGTH_IN_CM[names.length_unit], path)


def _columns(
    hits: Mapping[str, NDArray[Any]], fields: Mapping[str, BitField] | None, length: float, path: str
) -> dict[str, NDArray[Any]]:
    """Return the columns of a geometry table, one row per hit, in cm."""
    ids = as_cell_ids(hits["cell_id"], path)
    columns = {"cell_id": ids} | {axis: length * hits[axis].astype(np.float64) for axis in POSITION}
    if fields is None:
        return columns | {"layer": hits["layer"]}
    return columns | {"layer": fields["layer"].decode(ids), "subdetector": fields["system"].decode(ids)}


def _fields(encodings: Mapping[str, str], collection: str, path: str) -> dict[str, BitField]:
    """Return the fields of the ids of a collection; "layer" and "system" must be among them."""
    if collection not in encodings:
        msg = (
            f"{path}: does not say how the cell ids of {collection} are made; give their specification "
            "(encodings), as in 'system:5,side:-2,layer:9,x:32:-16'"
        )
        raise InputError(msg)
    fields = parse_encoding(encodings[collection])
    if not {"layer", "system"} <= set(fields):
        msg = f"{path}: cell ids of {collection} have no field 'layer' or 'system', but {', '.join(fields)}"
        raise InputError(msg)
    return fields
