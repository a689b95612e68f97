"""HDF5 showers of every known layout: voxels (see `hdf5_layouts`) and showerdata point clouds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.showers.hdf5.files import datasets_of, describe, open_hdf5
from hgcal_gnn.showers.hdf5.layouts import LAYOUTS
from hgcal_gnn.showers.hdf5.voxels import read_voxels, write_voxels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hgcal_gnn.showers.hdf5.layouts import VoxelLayout
    from hgcal_gnn.showers.hdf5.voxels import CellOfVoxel
    from hgcal_gnn.showers.showers import Showers

SHOWERDATA = "showerdata"
SHOWERDATA_SETS = ("showers", "energies", "directions", "pdg", "num_points", "shape")


def find_layout(path: Path | str) -> str:
    """Tell the layout of a file by the datasets it holds.

    Returns
    -------
    str
        A name of `hdf5_layouts.LAYOUTS`, or "showerdata".

    Raises
    ------
    InputError
        If no layout fits (listing what the file holds), or the file cannot be read.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        found = datasets_of(file)
    if all(name in found for name in SHOWERDATA_SETS):
        return SHOWERDATA
    for layout in LAYOUTS.values():
        if all(name in found for name in (*layout.voxels, layout.incident)):
            return layout.name
    known = "; ".join(f"{layout.name}: {', '.join((*layout.voxels, layout.incident))}" for layout in LAYOUTS.values())
    msg = (
        f"{path}: no known layout of showers; the file holds {describe(found)}. Known are {known}; "
        f"{SHOWERDATA}: {', '.join(SHOWERDATA_SETS)}"
    )
    raise InputError(msg)


def layout_named(name: str) -> VoxelLayout:
    """Return a layout of voxels.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name not in LAYOUTS:
        msg = f"unknown layout {name!r}: known are {', '.join((*LAYOUTS, SHOWERDATA))}"
        raise UsageError(msg)
    return LAYOUTS[name]


def read_hdf5(
    path: Path | str,
    cell_of_voxel: CellOfVoxel,
    *,
    layout: str | None = None,
    **options: Any,
) -> Iterator[Showers]:
    """Iterate over the showers of a file of voxels (see `hdf5_voxels.read_voxels` for the options).

    Parameters
    ----------
    layout
        Name of the layout; by default found from the datasets in the file.
    """
    name = layout or find_layout(path)
    return read_voxels(path, layout_named(name), cell_of_voxel, **options)


def write_hdf5(
    showers: Iterable[Showers],
    path: Path | str,
    cell_of_voxel: CellOfVoxel,
    *,
    layout: str,
    overwrite: bool = False,
) -> None:
    """Write chunks of showers as voxels of a layout (see `hdf5_voxels.write_voxels`)."""
    write_voxels(showers, path, layout_named(layout), cell_of_voxel, overwrite=overwrite)
