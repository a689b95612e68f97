"""Stacks of rectangular cells: the regular detectors of the CLIC, ILD and CaloGAN families.

A stack lies like one flat side of a barrel: depth along x, columns of cells along y and z. Rows of the cell table
run over layers, then y, then z.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors.numbers import numbers
from hgcal_gnn.geometry.detectors.voxels import VoxelMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUBDETECTORS = {"ECAL": 1, "HCAL": 2}
SUBDETECTOR_NAMES = {code: name for name, code in SUBDETECTORS.items()}


@dataclass(frozen=True)
class Layer:
    """One layer of boxes; lengths in cm.

    Attributes
    ----------
    section : str
        "ECAL" or "HCAL".
    n_y, n_z : int
        Cells along y and z.
    x : float
        Middle of the sensitive volume.
    dx, dy, dz : float
        Sizes of a cell: the sensitive thickness and the two sides.
    """

    section: str
    silicon: bool
    n_y: int
    n_z: int
    x: float
    dx: float
    dy: float
    dz: float


def stack_table(name: str, layers: list[Layer]) -> CellTable:
    """Return the cells of a stack, ids counting from 1 (0 means "no cell" in exported tables)."""
    sizes = [layer.n_y * layer.n_z for layer in layers]
    y, z = (np.concatenate(axis) for axis in zip(*(_centres(layer) for layer in layers), strict=True))

    def spread(values: list[Any], dtype: type[np.generic]) -> NDArray[Any]:
        return np.repeat(np.array(values, dtype), sizes)

    columns: dict[str, NDArray[Any]] = {
        "cell_id": np.arange(1, sum(sizes) + 1, dtype=np.uint64),
        "layer": spread(list(range(1, len(layers) + 1)), np.int16),
        "subdetector": spread([SUBDETECTORS[layer.section] for layer in layers], np.uint8),
        "z_side": np.zeros(sum(sizes), np.int8),
        "is_silicon": spread([layer.silicon for layer in layers], np.uint8),
        "x": spread([layer.x for layer in layers], np.float32),
        "y": y.astype(np.float32),
        "z": z.astype(np.float32),
        "dx": spread([layer.dx for layer in layers], np.float32),
        "dy": spread([layer.dy for layer in layers], np.float32),
        "dz": spread([layer.dz for layer in layers], np.float32),
    }
    return CellTable.from_columns(columns, source=name, subdetector_names=SUBDETECTOR_NAMES, detector=name)


def _centres(layer: Layer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return y and z of the cells of a layer [n_y n_z], centred on 0, z running faster."""
    y = (np.arange(layer.n_y) - (layer.n_y - 1) / 2) * layer.dy
    z = (np.arange(layer.n_z) - (layer.n_z - 1) / 2) * layer.dz
    return np.repeat(y, layer.n_z), np.tile(z, layer.n_y)


def sampling_layers(family: str, name: str) -> list[Layer]:
    """Return the layers of a sampling calorimeter described by `family`.yaml: clic or ild."""
    listed = numbers(family)
    layers = []
    for section, (n_y, n_z) in listed["detectors"][name].items():
        of_section = listed["sections"][section]
        side = of_section["cell_mm"] / 10
        layers += [
            Layer(section, of_section["silicon"], n_y, n_z, plane / 10, of_section["sensor_mm"] / 10, side, side)
            for plane in _planes_mm(of_section)
        ]
    return layers


def _planes_mm(section: dict[str, Any]) -> list[float]:
    """Return the depth of each sensor: listed, or in the middle of the gap behind each absorber."""
    if "planes_mm" in section:
        return list(section["planes_mm"])
    thickness = np.concatenate([np.full(number, value) for number, value in section["absorbers_mm"]])
    gap = section["gap_mm"]
    behind = section["front_mm"] + np.cumsum(thickness + gap)
    return (behind - gap / 2).tolist()  # type: ignore[no-any-return]


def summed_layers(name: str) -> list[Layer]:
    """Return the layers of a CaloGAN calorimeter, in which absorber and readout are summed."""
    listed = numbers("calogan")
    of_detector = listed["detectors"][name]
    depths = [layer["size_mm"][2] for layer in of_detector["layers"]]
    fronts = listed["front_mm"] + np.cumsum([0.0, *depths])
    return [
        Layer(
            section="ECAL",
            silicon=of_detector["silicon"],
            n_y=layer["cells"][0],
            n_z=layer["cells"][1],
            x=(front + back) / 20,
            dx=(back - front) / 10,
            dy=layer["size_mm"][0] / 10,
            dz=layer["size_mm"][1] / 10,
        )
        for layer, (front, back) in zip(of_detector["layers"], pairwise(fronts.tolist()), strict=True)
    ]


def sampling_voxels(family: str, name: str) -> VoxelMap:
    """Return the voxels of a clic or ild detector: one array per section."""
    axes = tuple(numbers(family)["axes"])
    layers = sampling_layers(family, name)
    rows: dict[str, NDArray[np.int64]] = {}
    start = 0
    for section in dict.fromkeys(layer.section for layer in layers):
        of_section = [layer for layer in layers if layer.section == section]
        shape = (len(of_section), of_section[0].n_y, of_section[0].n_z)
        number = np.arange(start, start + int(np.prod(shape))).reshape(shape)
        rows[section] = number.transpose([("layer", "y", "z").index(axis) for axis in axes])
        start += number.size
    return VoxelMap(name, rows, dict.fromkeys(rows, axes))


def summed_voxels(name: str) -> VoxelMap:
    """Return the voxels of a CaloGAN detector: one image (phi, eta) per layer."""
    rows: dict[str, NDArray[np.int64]] = {}
    start = 0
    for number, layer in enumerate(summed_layers(name)):
        rows[f"layer_{number}"] = np.arange(start, start + layer.n_y * layer.n_z).reshape(layer.n_y, layer.n_z)
        start += layer.n_y * layer.n_z
    return VoxelMap(name, rows, dict.fromkeys(rows, ("phi", "eta")))
