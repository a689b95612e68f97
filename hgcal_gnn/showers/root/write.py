"""Write showers as a ROOT tree with the branches of a preset, so that reading them gives the same showers."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
import uproot

from hgcal_gnn.errors import UsageError
from hgcal_gnn.files import atomic_path, check_writable
from hgcal_gnn.showers.ragged import offsets_of
from hgcal_gnn.showers.root.branches import ENERGY_IN_GEV, LENGTH_IN_CM, TIME_IN_NS, BranchMap, load_branch_map
from hgcal_gnn.showers.root.particles import DIRECTION, VERTEX
from hgcal_gnn.showers.root.tree import METADATA_KEY
from hgcal_gnn.showers.showers import Showers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

SHOWERS_PER_BASKET = 1000
COMPRESSIONS = {
    "zstd": uproot.ZSTD(3),
    "zlib": uproot.ZLIB(1),
    "lz4": uproot.LZ4(4),
    "lzma": uproot.LZMA(4),
    "none": None,
}
EVENT_COLUMNS = ("event_id", "weight", "first_layer", "f_em", "leaked_energy")


def write_root(
    showers: Showers | Iterable[Showers],
    path: Path | str,
    cells: CellTable,
    *,
    branches: str | Path | BranchMap = "hgcal",
    compression: str = "zstd",
    overwrite: bool = False,
) -> None:
    """Write showers, or chunks of them, as a ROOT tree.

    Hits get the ids, layers and positions of their cells, incident particles become lists of one (of none
    where the incident energy is not known). Columns without a name in the branch map are left out.

    Parameters
    ----------
    cells
        The geometry the showers were made with.
    branches
        Preset "hgcal" or "cmssw-reco", a YAML file or a map, with an entry `write_tree`.
    compression
        "zstd", "zlib", "lz4", "lzma" or "none".

    Raises
    ------
    UsageError
        If the branch map is for reading only, or the compression is not known.
    GeometryMismatchError
        If the showers were made with another geometry.
    OutputError
        If `path` exists (unless `overwrite`) or cannot be written; nothing is left behind then.
    """
    names = load_branch_map(branches)
    if not names.write_tree:
        msg = "these branch names are for reading only (no entry write_tree); choose hgcal or cmssw-reco"
        raise UsageError(msg)
    if compression not in COMPRESSIONS:
        msg = f"no compression {compression!r}; there are {', '.join(COMPRESSIONS)}"
        raise UsageError(msg)
    check_writable(Path(path), overwrite=overwrite)
    pieces = iter((showers,) if isinstance(showers, Showers) else showers)
    first = next(pieces, Showers.empty())
    first.metadata.check_geometry(cells.sha256, source=first.metadata.source or "showers")
    with (
        atomic_path(Path(path), overwrite=overwrite) as temporary,
        uproot.recreate(temporary, compression=COMPRESSIONS[compression]) as file,
    ):
        file[METADATA_KEY] = json.dumps(asdict(first.metadata) | {"cells_sha256": cells.sha256}, sort_keys=True)
        id_type = np.uint64 if int(cells.cell_id.max(initial=0)) >= 2**32 else np.uint32
        columns = tree_columns(first, cells, names, id_type)
        tree = file.mktree(
            names.write_tree,
            {group: array.type.content for group, array in columns.items()},
            counter_name=lambda group: f"n{group}",
            field_name=lambda _group, branch: branch,  # whole names, not group_branch
        )
        for piece in (first, *pieces):
            for chunk in piece.chunks(SHOWERS_PER_BASKET):
                tree.extend(tree_columns(chunk, cells, names, id_type))


def tree_columns(
    showers: Showers, cells: CellTable, names: BranchMap, id_type: type[np.unsignedinteger[Any]]
) -> dict[str, ak.Array]:
    """Return what `mktree` takes: groups of list branches (hits, particles) and branches with one value per event."""
    event = {name: values for name, values in showers.columns().items() if name in EVENT_COLUMNS}
    if "leaked_energy" in event:
        event["leaked_energy"] = _in_units(event["leaked_energy"], ENERGY_IN_GEV[names.energy_unit])
    known = ~np.isnan(showers.incident_energy)
    particles = {name: values[known] for name, values in _particles(showers, names).items()}
    hits = _hits(showers, cells, names) | {"cell_id": cells.cell_id[showers.cell].astype(id_type)}
    return {
        _prefix(names.hits.energy, "hits"): _lists(_named(hits, names.hits), showers.offsets),
        _prefix(names.particles.energy, "particles"): _lists(_named(particles, names.particles), offsets_of(known)),
        **{branch: ak.Array(values) for branch, values in _named(event, names.event).items()},
    }


def _hits(showers: Showers, cells: CellTable, names: BranchMap) -> dict[str, NDArray[Any]]:
    """Return the hits (but for their ids) under the entries of the branch map, [n_hits] each, in its units."""
    rows = showers.cell
    length = LENGTH_IN_CM[names.length_unit]
    hits: dict[str, NDArray[Any]] = {
        "energy": _in_units(showers.energy, ENERGY_IN_GEV[names.energy_unit]),
        "layer": cells.layer[rows].astype(np.int32),
        **{axis: _in_units(getattr(cells, axis)[rows], length) for axis in ("x", "y", "z")},
    }
    if showers.time is not None:
        hits["time"] = _in_units(showers.time, TIME_IN_NS[names.time_unit])
    return hits


def _particles(showers: Showers, names: BranchMap) -> dict[str, NDArray[Any]]:
    """Return the incident particles under the entries of the branch map, [n_showers] each, in its units."""
    length = LENGTH_IN_CM[names.length_unit]
    return {
        "energy": _in_units(showers.incident_energy, ENERGY_IN_GEV[names.energy_unit]),
        "pdg_id": showers.pdg_id,
        "eta": showers.eta,
        "phi": showers.phi,
        "particle_index": showers.particle_index,
        **{name: getattr(showers, name) for name in DIRECTION},
        **{name: _in_units(getattr(showers, name), length) for name in VERTEX},
    }


def _named(columns: dict[str, NDArray[Any]], group: Any) -> dict[str, NDArray[Any]]:
    """Replace entries of the branch map by the first branch name each has; leave out those without."""
    return {getattr(group, entry)[0]: values for entry, values in columns.items() if getattr(group, entry)}


def _lists(columns: dict[str, NDArray[Any]], offsets: NDArray[np.int64]) -> ak.Array:
    """Return lists of records; they share one counter branch in the tree."""
    records = ak.contents.RecordArray([ak.contents.NumpyArray(values) for values in columns.values()], list(columns))
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), records))


def _prefix(branches: tuple[str, ...], otherwise: str) -> str:
    """Return the part of a branch name before its first underscore; the counter branch is called n + that."""
    return branches[0].split("_")[0] if branches and "_" in branches[0] else otherwise


def _in_units(values: NDArray[Any], factor: float) -> NDArray[np.float32]:
    return (values.astype(np.float64) / factor).astype(np.float32) if factor != 1.0 else values.astype(np.float32)
