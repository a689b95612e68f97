"""Showers as dense arrays [showers, cells] and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.batching.features import shower_columns
from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.ragged import nonzero_of_rows
from hgcal_gnn.showers.showers import Showers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.arrays import F32, Array
    from hgcal_gnn.showers.metadata import ShowerMetadata


def to_dense(showers: Showers, n_cells: int) -> F32:
    """Return the energy of every cell [GeV], float32 [n_showers, n_cells], of merged showers in rows of the cells."""
    dense = np.zeros((len(showers), n_cells), dtype=np.float32)
    dense.reshape(-1)[showers.shower * n_cells + showers.cell] = showers.energy
    return dense


def from_dense(
    energy: Array,
    of_showers: Showers | Mapping[str, Array],
    metadata: ShowerMetadata,
    *,
    threshold: float = 0.0,
    source: str = "dense showers",
) -> Showers:
    """Return the cells above a threshold as hits.

    Parameters
    ----------
    energy : [n_showers, n_cells]
        [GeV]
    of_showers
        Columns of the showers under their names, `incident_energy` [GeV] at least; or the showers they were made from.
    metadata
        Of the new showers.
    threshold
        Cells of at most this energy [GeV] are empty; what is below 0 is always left out.

    Raises
    ------
    InputError
        For wrong shapes and energies that are not finite.
    """
    columns = shower_columns(of_showers)
    values = np.ascontiguousarray(energy, dtype=np.float32)
    n_showers = len(columns.get("incident_energy", ()))
    if values.ndim != 2 or len(values) != n_showers:
        msg = f"{source}: energies must have shape [{n_showers}, n_cells] as the showers, got {list(values.shape)}"
        raise InputError(msg)
    empty = values <= max(threshold, 0.0)  # False for NaN, which is to be refused
    offsets, cell, deposits = nonzero_of_rows(np.where(empty, np.float32(0), values))
    hits = {"offsets": offsets, "cell": cell, "energy": deposits}
    return Showers.from_columns({**columns, **hits}, metadata=metadata, source=source, n_cells=values.shape[1])
