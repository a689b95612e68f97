"""Inputs that are a few numbers per shower: computed once, not in every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from hgcal_gnn.regression.batch import ShowerBatch

if TYPE_CHECKING:
    from hgcal_gnn.arrays import I64
    from hgcal_gnn.regression.inputs import RegressionInputs
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.store import ShowerStore

CHUNK = 4096  # showers read at a time


class VariablesInMemory:
    """A sample as its high-level variables; stands where a store stands in a `BatchLoader`.

    Parameters
    ----------
    store
    rows : int64 [n_rows]
        Showers to compute, ascending.
    inputs
        Of a model that sees neither hits nor voxels.

    Raises
    ------
    GeometryMismatchError
        If the showers were made with another geometry.
    """

    def __init__(self, store: ShowerStore, rows: I64, inputs: RegressionInputs) -> None:
        inputs.check(store.metadata, source=str(store.path))
        self.path = store.path
        self.metadata = store.metadata
        self.starts = store.starts
        self._rows = rows
        parts = [inputs(store[rows[first : first + CHUNK]]) for first in range(0, len(rows), CHUNK)]
        self._all = ShowerBatch(
            target=torch.cat([part.target for part in parts]),
            reference=torch.cat([part.reference for part in parts]),
            variables=torch.cat([part.variables for part in parts]),
        )

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, rows: I64) -> ShowerBatch:
        places = torch.from_numpy(np.searchsorted(self._rows, rows))
        return ShowerBatch(self._all.target[places], self._all.reference[places], self._all.variables[places])

    def release(self) -> None:
        """Do nothing: no page of a file is held."""


class AsTheyAre:
    """Makes nothing of batches that are made already (a maker for `BatchLoader`)."""

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Accept everything: the showers were checked when their variables were computed."""

    def __call__(self, batch: ShowerBatch) -> ShowerBatch:
        """Return the batch."""
        return batch
