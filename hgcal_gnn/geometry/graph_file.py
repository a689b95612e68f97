"""The graph file: one .safetensors file, arrays under public names, one metadata key with sorted JSON.

Others can read it without this package: 8 bytes of header length, a JSON header with the place of every
array, the arrays (https://github.com/huggingface/safetensors, format section). Reading maps the file into
memory, so that opening is immediate and several processes share the pages.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save_file

from hgcal_gnn import __version__
from hgcal_gnn.errors import InputError
from hgcal_gnn.files import atomic_path, check_readable
from hgcal_gnn.geometry.cells import CORE, CellTable
from hgcal_gnn.geometry.graph import CellGraph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hgcal_gnn.arrays import U8, Array

FORMAT = 1
KIND = "cell graph"
METADATA_KEY = "hgcal_gnn"
EDGE_ARRAYS = ("rowptr", "col", "edge_type")
UNITS = {"x": "cm", "y": "cm", "z": "cm"}
EXPORTED_NEIGHBOURS = re.compile(r"n\d+|next|previous|ngapneighbors|nneighbors")  # the edges say it already
STATED = {  # number types that the format promises; kernels rely on them
    "rowptr": "i8", "col": "i4 i8", "edge_type": "u1", "cell_id": "u8", "layer": "i2", "subdetector": "u1",
    "z_side": "i1", "is_silicon": "u1", "cell_type": "i2", "x": "f4", "y": "f4", "z": "f4", "parent_row": "i8",
}  # fmt: skip
DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def save_graph(graph: CellGraph, path: Path, *, overwrite: bool = False) -> None:
    """Write a graph; the same graph always gives the same bytes.

    Raises
    ------
    OutputError
        If the file exists (without `overwrite`) or cannot be written; nothing is left behind then.
    """
    arrays = graph_arrays(graph)
    metadata = {
        "format": FORMAT,
        "version": __version__,
        "kind": KIND,
        "detector": graph.cells.detector,
        "subdetector_names": {str(code): name for code, name in graph.cells.subdetector_names.items()},
        "cells_sha256": graph.cells_sha256,
        "parent_sha256": graph.parent_sha256,
        "units": UNITS,
        "rules": dict(graph.rules),
    }
    with atomic_path(path, overwrite=overwrite) as temporary:
        try:
            save_file(arrays, temporary, metadata={METADATA_KEY: json.dumps(metadata, sort_keys=True)})
        except OSError:
            raise
        except Exception as error:  # safetensors wraps I/O errors in a type of its own
            raise _as_os_error(error) from error


def graph_arrays(graph: CellGraph) -> dict[str, Array]:
    """Arrays of the file under their public names, contiguous and little-endian.

    Text columns and exported neighbour columns (the edges hold them) are left out.
    """
    arrays: dict[str, Array] = {"rowptr": graph.rowptr, "col": graph.col, "edge_type": graph.edge_type}
    for name, values in graph.cells.columns().items():
        if values.dtype.kind not in "buif" or EXPORTED_NEIGHBOURS.fullmatch(name):
            continue
        arrays[name] = values.astype(np.float32, copy=False) if name in UNITS else values
    if graph.parent_row is not None:
        arrays["parent_row"] = graph.parent_row
    return {name: np.ascontiguousarray(values) for name, values in arrays.items()}


def load_graph(path: Path) -> CellGraph:
    """Open a graph file, its arrays mapped into memory (copy on write).

    Raises
    ------
    InputError
        If the file is no graph of ours, is cut short or damaged, or comes from a newer format version.
    """
    check_readable(path)
    header, start = _read_header(path)
    metadata = _read_metadata(header, path)
    # Copy on write: nobody can change the file, and numba need not compile a read-only variant of every kernel.
    data = np.memmap(path, dtype=np.uint8, mode="c").view(np.ndarray)
    arrays = {name: _view(data, start, name, entry, path) for name, entry in header.items() if name != "__metadata__"}
    missing = [name for name in (*EDGE_ARRAYS, *CORE) if name not in arrays]
    if missing:
        msg = f"{path}: the graph lacks the arrays {', '.join(missing)}"
        raise InputError(msg)
    edges = {name: arrays.pop(name) for name in EDGE_ARRAYS}
    parent_row = arrays.pop("parent_row", None)
    core = {name: arrays.pop(name) for name in CORE}
    names = {int(code): name for code, name in metadata["subdetector_names"].items()}
    cells = CellTable(**core, extra=arrays, subdetector_names=names, detector=metadata["detector"])
    cells.__dict__["sha256"] = metadata["cells_sha256"]  # fills the cache; `inspect` recomputes and compares
    _check_edges(edges, cells.n_cells, path)
    return CellGraph(
        cells=cells,
        **edges,
        rules=metadata["rules"],
        parent_row=parent_row,
        parent_sha256=metadata["parent_sha256"],
    )


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the JSON header and the position of the first byte of data."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            msg = f"{path}: not a .safetensors file, or cut short (a header of {length} bytes in a file of {size})"
            raise InputError(msg)
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            msg = f"{path}: not a .safetensors file (its header is not JSON)"
            raise InputError(msg) from error
    if not isinstance(header, dict):
        msg = f"{path}: not a .safetensors file (its header is not a JSON object)"
        raise InputError(msg)
    return header, 8 + length


def _read_metadata(header: Mapping[str, Any], path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads(header["__metadata__"][METADATA_KEY])
        version, kind = int(metadata["format"]), str(metadata["kind"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        msg = f"{path}: a .safetensors file, but not a cell graph (it lacks the metadata key {METADATA_KEY})"
        raise InputError(msg) from error
    if kind != KIND:
        msg = f"{path}: holds a {kind}, a cell graph is needed"
        raise InputError(msg)
    if version > FORMAT:
        msg = (
            f"{path}: written in graph format {version}, this version reads up to {FORMAT}; "
            "upgrade with: pip install --upgrade hgcal-gnn"
        )
        raise InputError(msg)
    texts = all(isinstance(metadata.get(name), str) for name in ("cells_sha256", "parent_sha256", "detector"))
    tables = all(isinstance(metadata.get(name), dict) for name in ("subdetector_names", "rules"))
    if not texts or not tables or not all(code.isdecimal() for code in metadata["subdetector_names"]):
        msg = f"{path}: the metadata of the graph are damaged; copy or build it again"
        raise InputError(msg)
    return dict(metadata)


def _view(data: U8, start: int, name: str, entry: Any, path: Path) -> Array:
    """Map one array, refusing places outside the file and sizes that do not fit."""
    try:
        dtype = np.dtype(DTYPES[entry["dtype"]])
        (n_entries,) = entry["shape"]
        first, last = entry["data_offsets"]
        fits = 0 <= first <= last <= len(data) - start and last - first == n_entries * dtype.itemsize
        fits &= dtype.str[1:] in STATED.get(name, dtype.str[1:])
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        msg = f"{path}: array {name} does not fit in the file; it was cut short or damaged, copy or build it again"
        raise InputError(msg)
    view = data[start + first : start + last].view(dtype)
    return view if view.flags.aligned else view.copy()


def _check_edges(edges: Mapping[str, Array], n_cells: int, path: Path) -> None:
    """Make sure that no edge leads outside the graph: kernels trust these arrays."""
    rowptr, col = edges["rowptr"], edges["col"]
    sound = (
        rowptr.shape == (n_cells + 1,)
        and rowptr[0] == 0
        and rowptr[-1] == len(col) == len(edges["edge_type"])
        and bool((rowptr[1:] >= rowptr[:-1]).all())
        and (len(col) == 0 or (int(col.min()) >= 0 and int(col.max()) < n_cells))
    )
    if not sound:
        msg = f"{path}: the edges are damaged (rows or targets outside the {n_cells} cells); build the graph again"
        raise InputError(msg)


def _as_os_error(error: Exception) -> OSError:
    """Find the system error number in the text of a wrapped I/O error: '... (os error 28)'."""
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number.group(1)), str(error)) if number else OSError(5, str(error))
