"""What reconstruction needs to know of each cell, side by side: place, layer, section, sensor, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.geometry.material import calibration, sensor_kinds

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, I16, U8
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.material import MaterialProfile


@dataclass(frozen=True, eq=False)
class CellNumbers:
    """What the features need to know of each cell.

    Attributes
    ----------
    place : float32 [n_cells, 3]
        [cm]
    layer : int16 [n_cells]
    silicon : uint8 [n_cells]
    section : uint8 [n_cells]
        Number of the subdetector in `sections`.
    weight : float32 [n_cells]
        Calibrated energy per deposit.
    mip : float32 [n_cells]
        E_MIP [GeV].
    sections : tuple of str
        Names of the subdetectors, in the order of their first layer, silicon first: CE-E, CE-H silicon, CE-H
        scintillator; ECAL, HCAL.
    n_layers
        Layers of the detector, those that a window lacks included.
    polar : float32 [n_cells, 3], optional
        Of cylinders of (r, alpha) voxels: middle of the voxel, r [cm] and alpha [rad], and its opening [rad].
    detector
        Name, as the cell table gives it.
    """

    place: F32
    layer: I16
    silicon: U8
    section: U8
    weight: F32
    mip: F32
    sections: tuple[str, ...]
    n_layers: int
    polar: F32 | None = None
    detector: str = ""

    @classmethod
    def of(cls, cells: CellTable, material: MaterialProfile) -> CellNumbers:
        """Read them from a cell table and its material.

        Raises
        ------
        InputError
            If the material does not fit the table.
        """
        mips = np.array([sensor.mip for sensor in material.sensors], dtype=np.float32)
        codes = np.flatnonzero(np.bincount(cells.subdetector)).tolist()
        first = {code: int(cells.layer[cells.subdetector == code].min()) for code in codes}
        ordered = sorted(codes, key=lambda code: (first[code], code))
        number = np.zeros(256, dtype=np.uint8)
        number[ordered] = np.arange(len(ordered))
        polar = [cells.extra[name] for name in ("r", "phi", "dphi") if name in cells.extra]
        return cls(
            place=cells.positions.astype(np.float32),
            layer=cells.layer,
            silicon=cells.is_silicon,
            section=number[cells.subdetector],
            weight=calibration(cells, material).astype(np.float32),
            mip=mips[sensor_kinds(cells, material)] * np.float32(1e-3),
            sections=tuple(cells.subdetector_names.get(code, str(code)) for code in ordered),
            n_layers=material.n_layers,
            polar=np.stack(polar, axis=1).astype(np.float32) if len(polar) == 3 else None,
            detector=cells.detector,
        )
