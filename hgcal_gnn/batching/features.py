"""Which numbers of cells and hits a batch carries, and the columns of showers that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.showers.columns import HIT_NAMES, SHOWER_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hgcal_gnn.arrays import F32, Array
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers

VECTORS = ("direction", "vertex")
HIT_FEATURES = tuple(name for name in HIT_NAMES if name != "cell")


def cell_table(cells: CellTable, names: Sequence[str]) -> F32:
    """Return columns of the cell table side by side, float32 [n_cells, n_features], in the units of the table.

    Raises
    ------
    UsageError
        For a column that does not exist or is no number; ids are none, since float32 cannot hold them.
    """
    columns = {name: values for name, values in cells.columns().items() if values.dtype.kind in "biuf"}
    columns.pop("cell_id")
    unknown = [name for name in names if name not in columns]
    if unknown:
        msg = f"no cell features {', '.join(unknown)}; there are {', '.join(columns)}"
        raise UsageError(msg)
    table = np.empty((cells.n_cells, len(names)), dtype=np.float32)
    for number, name in enumerate(names):
        table[:, number] = columns[name]
    return table


def check_hit_features(names: Sequence[str]) -> None:
    """Refuse columns of hits that do not exist.

    Raises
    ------
    UsageError
    """
    unknown = [name for name in names if name not in HIT_FEATURES]
    if unknown:
        msg = f"no hit features {', '.join(unknown)}; there are {', '.join(HIT_FEATURES)}"
        raise UsageError(msg)


def hit_column(showers: Showers, name: str) -> F32:
    """Return a column of the hits, float32 [n_hits].

    Raises
    ------
    InputError
        If the showers do not have it.
    """
    values: F32 | None = getattr(showers, name)
    if values is None:
        msg = f"{showers.metadata.source or 'showers'}: the hits have no {name}; leave it out of the features"
        raise InputError(msg)
    return values


def shower_arrays(showers: Showers) -> dict[str, Array]:
    """Return what is known of each shower: arrays [n_showers], `direction` and `vertex` [n_showers, 3].

    `particle_index` stays out: PyTorch Geometric shifts attributes with "index" in their name.
    """
    columns = {name: values for name, values in showers.columns().items() if name in SHOWER_NAMES}
    arrays = {name: _widened(values) for name, values in columns.items() if name.partition("_")[0] not in VECTORS}
    del arrays["particle_index"]
    for vector in VECTORS:
        arrays[vector] = np.stack([columns[f"{vector}_{axis}"] for axis in "xyz"], axis=1)
    return arrays


def shower_columns(showers: Showers | Mapping[str, Array]) -> dict[str, Array]:
    """Return the columns of showers without those of their hits, to make new showers with."""
    columns = showers if not hasattr(showers, "columns") else showers.columns()
    return {name: values for name, values in columns.items() if name in SHOWER_NAMES}


def _widened(values: Array) -> Array:
    """Return a copy, whole numbers in 64 bits: torch takes neither read-only arrays nor all types of numbers."""
    return values.astype(np.int64 if values.dtype.kind in "iu" else values.dtype)
