"""Three layers of hexagonal cells around a direction of eta 2, and showers in them that follow a rule."""

from __future__ import annotations

import numpy as np

from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.showers.showers import Showers, direction_from_eta_phi

PITCH = 1.2091
ETA, PHI = 2.0, 1.57
N_LAYERS = 3
LOSS = np.array([5.0, 12.0, 9.0])  # MeV per MIP
MIP = np.array([1e-4, 5e-5, 2e-4])  # GeV


def numbers_of() -> CellNumbers:
    """15 x 15 cells a layer, the lattice 3 mm and 2 mm beside the axis of the first."""
    i, j = np.meshgrid(np.arange(-7, 8), np.arange(-7, 8), indexing="ij")
    radius = 320 / np.sinh(ETA)
    x = radius * np.cos(PHI) + 0.3 + PITCH * (i + j / 2).ravel()
    y = radius * np.sin(PHI) - 0.2 + PITCH * np.sqrt(0.75) * j.ravel()
    z = 320.0 + 4 * np.arange(N_LAYERS)
    layer = np.repeat(np.arange(N_LAYERS), x.size)
    return CellNumbers(
        place=np.stack([np.tile(x, N_LAYERS), np.tile(y, N_LAYERS), z[layer]], axis=1).astype(np.float32),
        layer=(layer + 1).astype(np.int16),
        silicon=np.ones(layer.size, np.uint8),
        section=np.zeros(layer.size, np.uint8),
        weight=(1e-3 * LOSS / MIP)[layer].astype(np.float32),
        mip=MIP[layer].astype(np.float32),
        sections=("CE-E",),
        n_layers=N_LAYERS,
    )


def ruled_showers(n_cells: int, n_hits: int = 60, n_showers: int = 4, unit: float = 2e-6) -> Showers:
    """Hit i of shower j: cell 7 i + 11 j modulo the number of cells, 0.5 + (13 i + 5 j) modulo 29 times `unit`."""
    i, j = np.meshgrid(np.arange(n_hits), np.arange(n_showers))
    x, y, z = direction_from_eta_phi(np.full(n_showers, ETA), np.full(n_showers, PHI))
    columns = {
        "offsets": n_hits * np.arange(n_showers + 1),
        "cell": ((7 * i + 11 * j) % n_cells).ravel(),
        "energy": (unit * (0.5 + (13 * i + 5 * j) % 29)).astype(np.float32).ravel(),
        "incident_energy": 1.0 + np.arange(n_showers),
        "pdg_id": np.full(n_showers, 22),
        "direction_x": x,
        "direction_y": y,
        "direction_z": z,
    }
    return Showers.from_columns(columns)
