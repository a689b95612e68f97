"""Point clouds in the HDF5 layout of the library showerdata (FLC-QU-hep), read and written without it.

A file holds `showers` (one float32 array per shower: x, y, layer, energy and maybe time of each point, one
point after the other), `energies` [n, 1], `directions` [n, 3], `pdg` [n], `shower_ids` [n], `num_points` [n],
`shape` = (showers, most points of a shower, values per point). x and y are in mm, the third coordinate is the
layer counted from 0, energies are in GeV (showerdata 0.7.0: core.py, observables.py, detector.py).
"""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np
from scipy.spatial import cKDTree

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.checks import first
from hgcal_gnn.showers.hdf5.files import check_equal_lengths, create_hdf5, dataset, open_hdf5, reading
from hgcal_gnn.showers.ragged import offsets_of
from hgcal_gnn.showers.showers import Showers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.metadata import ShowerMetadata

logger = logging.getLogger(__name__)

ROWS = 1024  # showers read or written at once
MM = 0.1  # cm
MOST_AXES = 8  # entries read of the dataset shape
REACH = 0.75  # the corner of a square cell is 0.71 of the pitch away, that of a hexagon 0.58
FORMAT = "0.7.0"  # version of showerdata whose files these are


class LayerGrid:
    """Cells of a geometry by layer, to find the cell under a point.

    x and y of a file are those of the cells in an endcap; in a barrel x is measured along its surface, from the
    middle of the table, and y along z. The layers of a file are those of one endcap: of a table with two, showers
    fly into the one their direction points to.

    Parameters
    ----------
    table
        The cells; where the layers count through ECAL and HCAL, so do those of the file.
    origin_x, origin_y
        Where x = y = 0 of the file lies in the geometry [cm].
    """

    def __init__(self, table: CellTable, *, origin_x: float = 0.0, origin_y: float = 0.0) -> None:
        x, y = (table.x, table.y) if table.z_side.any() else _along_barrel(table)
        self.x, self.y = x - origin_x, y - origin_y
        self.layer = table.layer.astype(np.int64) - 1
        self.has_two_sides = bool((table.z_side > 0).any() and (table.z_side < 0).any())
        self._plane = _plane(self.layer, table.z_side < 0) if self.has_two_sides else self.layer

    def cells(
        self,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        layer: NDArray[np.integer],
        backward: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the row of the nearest cell in the layer and whether the point lies inside it, [n_points].

        Inside means: not farther from its centre than `REACH` times the distance to the next centre. `backward` marks
        points in the endcap at negative z, if the table has both.
        """
        plane = _plane(layer, backward) if self.has_two_sides and backward is not None else layer
        distance, row = self._tree.query(np.stack([x, y, plane * self._gap], axis=1))
        row = np.asarray(row, dtype=np.int64)
        return row, np.asarray(distance <= self._reach[row])

    @cached_property
    def _gap(self) -> float:
        """Distance at which layers are put: farther than any inside one, so that one tree serves all [cm]."""
        return 4 * float(np.hypot(np.ptp(self.x), np.ptp(self.y))) + 1.0

    @cached_property
    def _centres(self) -> NDArray[np.float64]:
        return np.stack([self.x, self.y, self._plane * self._gap], axis=1)

    @cached_property
    def _tree(self) -> cKDTree[Any]:
        return cKDTree(self._centres)

    @cached_property
    def _reach(self) -> NDArray[np.float64]:
        to_neighbour = np.asarray(self._tree.query(self._centres, k=[2])[0], dtype=np.float64)[:, 0]
        reach: NDArray[np.float64] = REACH * np.minimum(to_neighbour, self._gap / 2)
        return reach


def _plane(layer: NDArray[np.integer], backward: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return 0, 1, ... for the layers of one endcap, -2, -3, ... for the other: a layer too many is in neither."""
    return np.where(backward, -2 - layer, layer).astype(np.int64)


def _along_barrel(table: CellTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return tangential position, from the middle of the table, and z [cm]."""
    x, y = table.x.astype(np.float64), table.y.astype(np.float64)
    middle = np.arctan2(y.mean(), x.mean())
    return y * np.cos(middle) - x * np.sin(middle), table.z.astype(np.float64)


def read_showerdata(
    path: Path | str,
    grid: LayerGrid,
    *,
    invalid: Literal["refuse", "keep", "drop"] = "refuse",
    metadata: ShowerMetadata | None = None,
) -> Iterator[Showers]:
    """Iterate over the showers of a point-cloud file; points of one cell are summed.

    Parameters
    ----------
    path
    grid
        Finds the cell of each point.
    invalid
        What to do with points of NaN or negative energy (see `Showers.from_columns`); "drop" also drops
        points outside the geometry, which are refused otherwise.

    Raises
    ------
    InputError
        If the file is damaged, lacks a dataset, contradicts itself, or holds points as above.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        names = {"showers": 1, "energies": 1, "directions": 2, "pdg": 1, "num_points": 1}
        data = {
            name: dataset(file, name, path, at_least=axes, ragged=name == "showers") for name, axes in names.items()
        }
        width = _values_per_point(dataset(file, "shape", path), path)
        if (axes := data["directions"].shape[1:]) != (3,):
            msg = f"{path}: directions must be three numbers a shower, they are {list(axes)}"
            raise InputError(msg)
        n_showers = check_equal_lengths({name: values.shape[0] for name, values in data.items()}, path)
        for start in range(0, n_showers, ROWS):
            source = f"{path} (showers from {start})"
            with reading(path):
                block = {name: values[start : start + ROWS] for name, values in data.items()}
            columns = _points_of(block, width, source)
            backward = np.repeat(block["directions"][:, 2] < 0, np.diff(columns["offsets"]))
            columns = _cells_of(columns, grid, backward, source, drop=invalid == "drop")
            columns |= _incident_of(block, start)
            yield Showers.from_columns(columns, metadata=metadata, source=source, invalid=invalid).merged()


def write_showerdata(showers: Iterable[Showers], path: Path | str, grid: LayerGrid, *, overwrite: bool = False) -> None:
    """Write showers as point clouds: one point at the centre of each hit cell.

    Parameters
    ----------
    showers
        Chunks of any size, `ShowerStore.chunks` for instance.
    grid
        The cells, as they were for reading.

    Raises
    ------
    OutputError
        If `path` exists (unless `overwrite`) or cannot be written; nothing is left behind then.
    """
    with create_hdf5(Path(path), overwrite=overwrite) as (file, raw):
        file.attrs["showerdata_version"] = FORMAT
        columns = {
            "showers": file.create_dataset("showers", (0,), h5py.vlen_dtype(np.dtype("f4")), maxshape=(None,)),
            "energies": file.create_dataset("energies", (0, 1), "f4", maxshape=(None, 1)),
            "directions": file.create_dataset("directions", (0, 3), "f4", maxshape=(None, 3)),
            "pdg": file.create_dataset("pdg", (0,), "i4", maxshape=(None,)),
            "shower_ids": file.create_dataset("shower_ids", (0,), "i4", maxshape=(None,)),
            "num_points": file.create_dataset("num_points", (0,), "i4", maxshape=(None,)),
        }
        done, most_points, width = 0, 0, 4
        for chunk in showers:
            for piece in chunk.chunks(ROWS):
                width = 4 if piece.time is None else 5
                for name, values in _block_of(piece, grid, done).items():
                    columns[name].resize(done + len(piece), axis=0)
                    columns[name][done:] = values
                done += len(piece)
                raw.check()
                most_points = max(most_points, int(piece.n_hits.max(initial=0)))
        file.create_dataset("shape", data=np.array([done, most_points, width]))


def _values_per_point(shape: h5py.Dataset, path: Path) -> int:
    """Return the last entry of the dataset shape."""
    stated = np.ravel(shape[:MOST_AXES])
    if not len(stated) or stated[-1] not in (4, 5):
        msg = (
            f"{path}: points have {stated[-1] if len(stated) else 'no'} values each (dataset shape), "
            "4 or 5 are known: x, y, layer, energy, time"
        )
        raise InputError(msg)
    return int(stated[-1])


def _points_of(block: Mapping[str, Any], width: int, source: str) -> dict[str, NDArray[Any]]:
    """Return offsets and x, y, layer, energy, time of the points of a block."""
    clouds = block["showers"]
    sizes = np.fromiter(map(len, clouds), dtype=np.int64, count=len(clouds))
    stated = np.ravel(block["num_points"]).astype(np.int64)
    wrong = np.flatnonzero(sizes != stated * width)
    if len(wrong):
        msg = (
            f"{source}: {len(wrong)} showers do not hold {width} values for each of the points that num_points "
            f"states, first {first(wrong)} (counted from 0); the file is damaged"
        )
        raise InputError(msg)
    values = np.concatenate([*clouds, np.zeros(0, np.float32)]).reshape(-1, width)
    names = ("x", "y", "layer", "energy", "time")[:width]
    return {"offsets": offsets_of(stated), **{name: values[:, i] for i, name in enumerate(names)}}


def _cells_of(
    points: dict[str, NDArray[Any]], grid: LayerGrid, backward: NDArray[np.bool_], source: str, *, drop: bool
) -> dict[str, NDArray[Any]]:
    """Replace positions by cells."""
    layer = np.rint(points.pop("layer")).astype(np.int64)
    cell, inside = grid.cells(points.pop("x") * MM, points.pop("y") * MM, layer, backward)
    if not inside.all():
        summary = f"{source}: {int((~inside).sum())} of {len(inside)} points lie in no cell of the geometry"
        if not drop:
            msg = f'{summary}; is this the right detector and origin? Drop them with invalid="drop"'
            raise InputError(msg)
        logger.warning("%s; dropped", summary)
        kept = np.concatenate([[0], np.cumsum(inside)])
        points = {name: values if name == "offsets" else values[inside] for name, values in points.items()}
        points["offsets"] = kept[points["offsets"]]
        cell = cell[inside]
    return {**points, "cell": cell}


def _incident_of(block: Mapping[str, Any], start: int) -> dict[str, NDArray[Any]]:
    direction = block["directions"]
    return {
        "incident_energy": np.ravel(block["energies"]),
        "pdg_id": np.ravel(block["pdg"]),
        "event_id": start + np.arange(len(direction)),
        **{f"direction_{axis}": direction[:, i] for i, axis in enumerate("xyz")},
    }


def _block_of(showers: Showers, grid: LayerGrid, start: int) -> dict[str, Any]:
    """Return the datasets of a piece of the file."""
    # hits of energy 0 would count as padding
    hits = showers.merged().where(showers.merged().energy > 0)
    values = [grid.x[hits.cell] / MM, grid.y[hits.cell] / MM, grid.layer[hits.cell], hits.energy]
    values += [] if hits.time is None else [hits.time]
    points = np.stack(values, axis=1).astype(np.float32)
    # a list: object arrays of equal lengths are taken for tables (github.com/h5py/h5py/issues/2429)
    clouds = [cloud.ravel() for cloud in np.split(points, hits.offsets[1:-1])]
    return {
        "showers": clouds,
        "energies": hits.incident_energy[:, np.newaxis],
        "directions": np.stack([hits.direction_x, hits.direction_y, hits.direction_z], axis=1),
        "pdg": hits.pdg_id,
        "shower_ids": start + np.arange(len(hits)),
        "num_points": hits.n_hits,
    }
