"""The geometry map of the HGCal CaloChallenge: which cell sits in which slot of which layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.checks import first
from hgcal_gnn.showers.hdf5.voxels import NO_CELL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable


def slot_map(
    layer: NDArray[np.integer], slot: NDArray[np.integer], row: NDArray[np.integer], source: str = "geometry map"
) -> NDArray[np.int32]:
    """Lay cells out as the file does.

    Parameters
    ----------
    layer : integers [n]
        First axis of the file, from 0.
    slot : integers [n]
        Second axis of the file, from 0.
    row : integers [n]
        Row of that cell in the geometry (`CellLookup.rows` finds it from the cell id).

    Returns
    -------
    int32 [n_layers, n_slots]
        Row of the cell, -1 where a layer has no cell.

    Raises
    ------
    InputError
        If a number is negative (a cell the geometry does not have, for instance), or two cells share a slot.
    """
    for name, values in (("layer", layer), ("slot", slot), ("row", row)):
        bad = np.flatnonzero(values < 0)
        if len(bad):
            msg = f"{source}: {name} is negative in {len(bad)} rows, first {first(bad)} (counted from 0)"
            raise InputError(msg)
    if len(layer) == 0:
        msg = f"{source}: no cells"
        raise InputError(msg)
    n_slots = int(slot.max()) + 1
    place = layer.astype(np.int64) * n_slots + slot
    shared = np.flatnonzero(np.bincount(place) > 1)
    if len(shared):
        layers = shared // n_slots
        msg = (
            f"{source}: {len(shared)} slots hold several cells, the first is slot {shared[0] % n_slots} of layer "
            f"{layers[0]} (counted from 0); give the map of one endcap"
        )
        raise InputError(msg)
    cells = np.full((int(layer.max()) + 1) * n_slots, NO_CELL, dtype=np.int32)
    cells[place] = row
    return cells.reshape(-1, n_slots)


def slots_of_table(table: CellTable, column: str = "slot") -> NDArray[np.int32]:
    """Return the map of a geometry table that has a column of slots (layers count from 1 there, from 0 in the file).

    Raises
    ------
    InputError
        If the table has no such column, or as `slot_map`.
    """
    if column not in table.extra:
        msg = f"the geometry table has no column {column} (further columns: {', '.join(table.extra) or 'none'})"
        raise InputError(msg)
    return slot_map(table.layer - 1, table.extra[column], np.arange(table.n_cells), f"column {column}")
