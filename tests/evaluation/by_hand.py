"""A calorimeter of five cells and a shower in it whose observables are worked out on paper."""

from __future__ import annotations

import numpy as np

from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.showers.showers import Showers

# on the line through the origin along (1, 0, 3), two cells 4 cm beside it; layer 3 has none
NUMBERS = CellNumbers(
    place=np.array([[100, 0, 300], [103, 4, 309], [103, -4, 309], [110, 0, 330], [0, 0, 330]], np.float32),
    layer=np.array([1, 2, 2, 4, 4], np.int16),
    silicon=np.array([1, 1, 1, 0, 0], np.uint8),
    section=np.array([0, 1, 1, 2, 2], np.uint8),
    weight=np.array([1000, 500, 500, 100, 100], np.float32),
    mip=np.array([1e-4, 5e-4, 5e-4, 1e-2, 1e-2], np.float32),
    sections=("CE-E", "CE-H silicon", "CE-H scintillator"),
    n_layers=4,
)
CELLS = (0, 1, 2, 3)
DEPOSITS = (1e-3, 2e-3, 2e-3, 1e-2)  # GeV: 1 GeV calibrated each, 10, 4, 4 and 1 E_MIP


def showers_of(*hits, **columns) -> Showers:
    """Showers of (cells, deposits)."""
    return Showers.from_columns(
        {
            "offsets": np.cumsum([0, *(len(cells) for cells, _ in hits)]),
            "cell": np.concatenate([np.asarray(cells, np.int32) for cells, _ in hits]),
            "energy": np.concatenate([np.asarray(deposits, np.float32) for _, deposits in hits]),
            "incident_energy": np.full(len(hits), 5.0),
            **columns,
        },
        invalid="keep",
    )
