"""HDF5 files in a conversion: the map from voxels or points to the rows of the geometry."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors import DETECTORS, voxel_map
from hgcal_gnn.showers.cell_lookup import CellLookup
from hgcal_gnn.showers.hdf5 import SHOWERDATA, find_layout, read_hdf5, write_hdf5
from hgcal_gnn.showers.hdf5.showerdata import LayerGrid, read_showerdata, write_showerdata
from hgcal_gnn.showers.hdf5.slots import slots_of_table
from hgcal_gnn.showers.input_rules import InputRules, apply_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.file_report import FileReport
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers

SLOT = "slot"  # column of a geometry table that numbers the cells of a layer as the file does


@dataclass(frozen=True, eq=False)
class Hdf5Options:
    """How to read and write HDF5 showers.

    Attributes
    ----------
    layout
        Name of the layout to read ("calochallenge", "hgcal", "lcd", "getting_high", "calogan", "showerdata"); "":
        found from the datasets of each file.
    output_layout
        Name of the layout to write; "": `layout`.
    voxels
        Row of the cell of each voxel, one integer array per dataset (`hdf5_voxels.read_voxels`); by default
        from the column "slot" of the geometry, or from the built-in detector the geometry names.
    pdg_id
        Incident particle, where the file does not tell it.
    threshold
        Voxels below it [GeV] are left out.
    origin_x, origin_y
        Where x = y = 0 of a showerdata file lies in the geometry [cm].
    """

    layout: str = ""
    output_layout: str = ""
    voxels: tuple[NDArray[np.integer], ...] | None = None
    pdg_id: int = 0
    threshold: float = 0.0
    origin_x: float = 0.0
    origin_y: float = 0.0

    def settings(self) -> dict[str, str | float]:
        """Return what a result depends on, as JSON can hold it."""
        digest = hashlib.sha256()
        for part in self.voxels or ():
            digest.update(repr(part.shape).encode() + np.ascontiguousarray(part, "<i8").data)
        return {
            "layout": self.layout,
            "voxels_sha256": digest.hexdigest() if self.voxels is not None else "",
            "pdg_id": self.pdg_id,
            "threshold": self.threshold,
            "origin_x": self.origin_x,
            "origin_y": self.origin_y,
        }


def read_showers(
    path: str,
    cells: CellTable,
    options: Hdf5Options,
    rules: InputRules,
    report: FileReport,
    metadata: ShowerMetadata,
) -> Iterator[Showers]:
    """Read the showers of an HDF5 file and count them in `report`.

    Raises
    ------
    InputError
        If the file cannot be used.
    UsageError
        If nothing tells the cells of its voxels.
    """
    layout = options.layout or find_layout(path)
    drop_unknown = rules.unknown == "drop"
    if drop_unknown and {rules.not_finite, rules.negative} != {"drop"}:
        msg = f"{path}: HDF5 voxels without a cell can only be dropped together with bad energies (all three: drop)"
        raise UsageError(msg)
    # those kept are judged here, so that they are counted
    invalid: Literal["drop", "keep"] = "drop" if drop_unknown else "keep"
    if layout == SHOWERDATA:
        grid = LayerGrid(cells, origin_x=options.origin_x, origin_y=options.origin_y)
        chunks = read_showerdata(path, grid, invalid=invalid, metadata=metadata)
    else:
        chunks = read_hdf5(
            path,
            cell_of_voxel(cells, options),
            layout=layout,
            pdg_id=options.pdg_id,
            threshold=options.threshold,
            invalid=invalid,
            metadata=metadata,
        )
    for showers in chunks:
        n_events = len(showers)
        yield apply_rules(showers, rules, report)
        report.events += n_events


def write_hdf5_showers(
    showers: Iterable[Showers], path: Path, cells: CellTable, options: Hdf5Options, *, overwrite: bool = False
) -> None:
    """Write chunks of showers in a layout.

    Raises
    ------
    UsageError
        If no layout is given or nothing tells the voxels of the cells.
    """
    layout = options.output_layout or options.layout
    if not layout:
        msg = f"{path}: name the layout of the HDF5 file (--layout calochallenge, hgcal, showerdata, ...)"
        raise UsageError(msg)
    if layout == SHOWERDATA:
        grid = LayerGrid(cells, origin_x=options.origin_x, origin_y=options.origin_y)
        write_showerdata(showers, path, grid, overwrite=overwrite)
    else:
        write_hdf5(showers, path, cell_of_voxel(cells, options), layout=layout, overwrite=overwrite)


def cell_of_voxel(cells: CellTable, options: Hdf5Options) -> list[NDArray[np.integer]]:
    """Return the row of the cell of each voxel, one array per dataset; -1 where the geometry has none.

    Raises
    ------
    UsageError
        If neither the options nor the geometry tell.
    """
    if options.voxels is not None:
        return list(options.voxels)
    if SLOT in cells.extra:
        return [slots_of_table(cells)]
    if cells.detector not in DETECTORS:
        msg = (
            f"the geometry ({cells.detector}) does not say which cell each voxel is: use a built-in detector with "
            f"voxels, or a table with a column {SLOT}"
        )
        raise UsageError(msg)
    lookup = CellLookup(cells.cell_id)
    # the id of a cell of these detectors is its row in the whole one + 1 (`VoxelMap`)
    return [
        lookup.rows((rows.ravel() + 1).astype(np.uint64)).reshape(rows.shape)
        for rows in voxel_map(cells.detector).rows.values()
    ]
