"""Stacks of rectangular cells: the regular detectors of the CLIC, ILD and CaloGAN families.

Cells lie in rows along y (phi). CLIC and ILD stacks stand like one flat side of a barrel: depth along x, columns
along z (eta). The toy detector is too wide for that: its layers are pieces of cylinders around z, their rows counted
along the arc. CaloGAN stacks stand like an endcap: depth along z, columns along x. The cell table runs over layers,
then rows, then columns.
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
    n_rows, n_columns : int
        Cells along y, and along z (barrel) or x (endcap).
    depth, thickness : float
        Middle and thickness of the sensitive volume.
    height, width : float
        Sizes of a cell along y and along the columns' axis.
    middle_phi : float or None
        Azimuth of the middle [rad] of a layer that is a piece of a cylinder; None: flat.
    """

    section: str
    silicon: bool
    n_rows: int
    n_columns: int
    depth: float
    thickness: float
    height: float
    width: float
    middle_phi: float | None = None

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.n_rows * self.n_columns


def stack_table(name: str, layers: list[Layer], *, endcap: bool = False) -> CellTable:
    """Return the cells of a stack, ids counting from 1 (0 means "no cell" in exported tables)."""
    sizes = [layer.n_cells for layer in layers]
    across, y = (np.concatenate(axis) for axis in zip(*(_centres(layer) for layer in layers), strict=True))

    def spread(values: list[Any], dtype: type[np.generic] = np.float32) -> NDArray[Any]:
        return np.repeat(np.array(values, dtype), sizes)

    depth_axis, column_axis = ("z", "x") if endcap else ("x", "z")
    columns: dict[str, NDArray[Any]] = {
        "cell_id": np.arange(1, sum(sizes) + 1, dtype=np.uint64),
        "layer": spread(list(range(1, len(layers) + 1)), np.int16),
        "subdetector": spread([SUBDETECTORS[layer.section] for layer in layers], np.uint8),
        "z_side": np.full(sum(sizes), 1 if endcap else 0, np.int8),
        "is_silicon": spread([layer.silicon for layer in layers], np.uint8),
        depth_axis: spread([layer.depth for layer in layers]),
        column_axis: across.astype(np.float32),
        "y": y.astype(np.float32),
        f"d{depth_axis}": spread([layer.thickness for layer in layers]),
        f"d{column_axis}": spread([layer.width for layer in layers]),
        "dy": spread([layer.height for layer in layers]),
    }
    if not endcap and layers[0].middle_phi is not None:
        _bend(columns, spread([layer.middle_phi for layer in layers], np.float64))
    return CellTable.from_columns(columns, source=name, subdetector_names=SUBDETECTOR_NAMES, detector=name)


def _bend(columns: dict[str, NDArray[Any]], middle_phi: NDArray[np.float64]) -> None:
    """Roll upright layers up around z: x becomes the radius, y the arc from `middle_phi` [n_cells] on."""
    radius = columns["x"].astype(np.float64)
    phi = middle_phi + columns["y"] / radius
    columns["x"] = (radius * np.cos(phi)).astype(np.float32)
    columns["y"] = (radius * np.sin(phi)).astype(np.float32)
    columns["dr"], height = columns.pop("dx"), columns.pop("dy")
    columns["dphi"] = (height / radius).astype(np.float32)


def _centres(layer: Layer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the places of the cells of a layer along columns and rows, [n_cells] each, centred on 0."""
    across = (np.arange(layer.n_columns) - (layer.n_columns - 1) / 2) * layer.width
    y = (np.arange(layer.n_rows) - (layer.n_rows - 1) / 2) * layer.height
    return np.tile(across, layer.n_rows), np.repeat(y, layer.n_columns)


def sampling_layers(family: str, name: str) -> list[Layer]:
    """Return the layers of a sampling calorimeter described by `family`.yaml: clic or ild."""
    listed = numbers(family)
    middle_phi = listed.get("cylinders", {}).get(name)
    layers = []
    for section, (n_rows, n_columns) in listed["detectors"][name].items():
        of_section = listed["sections"][section]
        side = of_section["cell_mm"] / 10
        layers += [
            Layer(
                section=section,
                silicon=of_section["silicon"],
                n_rows=n_rows,
                n_columns=n_columns,
                depth=plane / 10,
                thickness=of_section["sensor_mm"] / 10,
                height=side,
                width=side,
                middle_phi=middle_phi,
            )
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
            n_rows=layer["cells"][0],
            n_columns=layer["cells"][1],
            depth=(front + back) / 20,
            thickness=(back - front) / 10,
            height=layer["size_mm"][0] / 10,
            width=layer["size_mm"][1] / 10,
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
        shape = (len(of_section), of_section[0].n_rows, of_section[0].n_columns)
        number = np.arange(start, start + int(np.prod(shape))).reshape(shape)
        rows[section] = number.transpose([("layer", "y", "z").index(axis) for axis in axes])
        start += number.size
    return VoxelMap(name, rows, dict.fromkeys(rows, axes))


def summed_voxels(name: str) -> VoxelMap:
    """Return the voxels of a CaloGAN detector: one image (phi, eta) per layer."""
    rows: dict[str, NDArray[np.int64]] = {}
    start = 0
    for number, layer in enumerate(summed_layers(name)):
        rows[f"layer_{number}"] = np.arange(start, start + layer.n_cells).reshape(layer.n_rows, layer.n_columns)
        start += layer.n_cells
    return VoxelMap(name, rows, dict.fromkeys(rows, ("phi", "eta")))
