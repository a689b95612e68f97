"""Cylinders of (r, alpha) voxels: the detectors of the CaloChallenge.

Rows of the cell table run over layers, then alpha, then r, as the voxels of the public files do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors.numbers import numbers
from hgcal_gnn.geometry.detectors.stacks import SUBDETECTOR_NAMES, SUBDETECTORS
from hgcal_gnn.geometry.detectors.voxels import VoxelMap

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Ring:
    """One layer of sectors; lengths in cm.

    Attributes
    ----------
    edges : float64 [n_r + 1]
        Radial edges.
    z, dz : float
        Middle and thickness.
    label : str
        Name of the layer's voxels; layers of one label form one array.
    """

    section: str
    silicon: bool
    n_alpha: int
    edges: NDArray[np.float64]
    z: float
    dz: float
    label: str

    @property
    def n_r(self) -> int:
        """Number of radial bins."""
        return len(self.edges) - 1


def rings(name: str) -> list[Ring]:
    """Return the layers of a CaloChallenge detector."""
    listed = numbers("calochallenge")
    of_detector = listed["detectors"][name]
    layers = of_detector["layers"] * of_detector.get("repeat", 1)
    found = []
    for number, layer in enumerate(layers):
        if "sampling" in layer:
            front, back = listed["sampling_mm"][layer["sampling"]]
            label = f"layer_{layer['sampling']}"
        else:
            front = listed["front_mm"] + number * listed["layer_mm"]
            back = front + listed["layer_mm"]
            label = "showers"
        edges = np.array(layer["r_mm"], np.float64) / 10
        middle, thickness = (front + back) / 20, (back - front) / 10
        found.append(
            Ring(layer["section"], of_detector["silicon"], layer["alpha"], edges, middle, thickness, label)
        )  # fmt: skip
    return found


def ring_table(name: str) -> CellTable:
    """Return the cells of a CaloChallenge detector; ids are the voxels' numbers in the files plus 1.

    x, y are the centroid of the sector (the axis, for a ring that is not divided in alpha); the middle of the bin
    is in the columns r and phi, its size in dr, dphi, dz.
    """
    layers = rings(name)
    sizes = [ring.n_alpha * ring.n_r for ring in layers]
    joined = [np.concatenate(column) for column in zip(*(_sectors(ring) for ring in layers), strict=True)]
    x, y, r, phi, dr, dphi = (column.astype(np.float32) for column in joined)

    def spread(values: list[Any], dtype: type[np.generic]) -> NDArray[Any]:
        return np.repeat(np.array(values, dtype), sizes)

    columns: dict[str, NDArray[Any]] = {
        "cell_id": np.arange(1, sum(sizes) + 1, dtype=np.uint64),
        "layer": spread(list(range(1, len(layers) + 1)), np.int16),
        "subdetector": spread([SUBDETECTORS[ring.section] for ring in layers], np.uint8),
        "z_side": np.ones(sum(sizes), np.int8),
        "is_silicon": spread([ring.silicon for ring in layers], np.uint8),
        "x": x,
        "y": y,
        "z": spread([ring.z for ring in layers], np.float32),
        "r": r,
        "phi": phi,
        "dr": dr,
        "dphi": dphi,
        "dz": spread([ring.dz for ring in layers], np.float32),
    }
    return CellTable.from_columns(columns, source=name, subdetector_names=SUBDETECTOR_NAMES, detector=name)


def _sectors(ring: Ring) -> tuple[NDArray[np.float64], ...]:
    """Return x, y of the centroids, and r, phi, dr, dphi of the bins of a layer, [n_alpha n_r] each."""
    inner, outer = ring.edges[:-1], ring.edges[1:]
    opening = 2 * np.pi / ring.n_alpha
    alpha = -np.pi + (np.arange(ring.n_alpha) + 0.5) * opening
    # Centroid of a sector: 2/3 (R^3 - r^3) / (R^2 - r^2) sin(opening / 2) / (opening / 2).
    narrowing = 0.0 if ring.n_alpha == 1 else np.sin(opening / 2) / (opening / 2)
    distance = 2 / 3 * (outer**3 - inner**3) / (outer**2 - inner**2) * narrowing
    return (
        np.outer(np.cos(alpha), distance).ravel(),
        np.outer(np.sin(alpha), distance).ravel(),
        np.tile((inner + outer) / 2, ring.n_alpha),
        np.repeat(alpha, ring.n_r),
        np.tile(outer - inner, ring.n_alpha),
        np.full(ring.n_alpha * ring.n_r, opening),
    )


def ring_voxels(name: str) -> VoxelMap:
    """Return the voxels of a CaloChallenge detector.

    Data sets 2 and 3: one array "showers" (layer, alpha, r). Data set 1: "layer_0", ... by ATLAS sampling,
    each (alpha, r).
    """
    layers = rings(name)
    rows: dict[str, NDArray[np.int64]] = {}
    start = 0
    for label in dict.fromkeys(ring.label for ring in layers):
        alike = [ring for ring in layers if ring.label == label]
        shape: tuple[int, ...] = (alike[0].n_alpha, alike[0].n_r)
        if label == "showers":
            shape = (len(alike), *shape)
        rows[label] = np.arange(start, start + int(np.prod(shape))).reshape(shape)
        start += rows[label].size
    return VoxelMap(name, rows, {label: ("layer", "alpha", "r")[-number.ndim :] for label, number in rows.items()})
