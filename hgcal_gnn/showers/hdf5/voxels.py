"""Dense showers in HDF5 files <-> sparse `Showers`, chunk by chunk."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.checks import first
from hgcal_gnn.showers.hdf5.files import (
    CHUNK_BYTES,
    check_equal_lengths,
    create_hdf5,
    dataset,
    open_hdf5,
    reading,
    rows_per_chunk,
)
from hgcal_gnn.showers.ragged import nonzero_of_rows, offsets_of
from hgcal_gnn.showers.showers import Showers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import h5py

    from hgcal_gnn.showers.hdf5.layouts import VoxelLayout
    from hgcal_gnn.showers.metadata import ShowerMetadata

NO_CELL = -1
CHUNK_ROWS = 64  # showers per HDF5 chunk of the files written

CellOfVoxel = NDArray[np.integer] | Sequence[NDArray[np.integer]] | Mapping[str, NDArray[np.integer]]

logger = logging.getLogger(__name__)


class FileVoxels:
    """Which cell each voxel of a file is, and back.

    Parameters
    ----------
    cell_of_voxel
        One integer array per voxel dataset (alone, in a sequence or as the values of a mapping), of its shape
        without the axis of showers: row of the cell in the geometry, -1 where there is none. For the built-in
        detectors: ``geometry.detectors.voxel_map(name).rows``.

    Raises
    ------
    InputError
        If a cell stands for two voxels.
    """

    def __init__(self, cell_of_voxel: CellOfVoxel) -> None:
        listed = cell_of_voxel.values() if isinstance(cell_of_voxel, Mapping) else cell_of_voxel
        maps = [listed] if isinstance(listed, np.ndarray) else list(listed)
        self.shapes = [map_.shape for map_ in maps]
        self.cells = np.concatenate([map_.ravel() for map_ in maps]).astype(np.int32)
        voxels = np.flatnonzero(self.cells >= 0)
        self.voxels = np.full(int(self.cells.max(initial=-1)) + 1, NO_CELL, dtype=np.int64)
        self.voxels[self.cells[voxels]] = voxels
        twice = voxels[self.voxels[self.cells[voxels]] != voxels]
        if len(twice):
            msg = f"{len(twice)} voxels share their cell with another voxel, first {first(twice)}; each needs its own"
            raise InputError(msg)

    def fitted(self, shapes: Sequence[tuple[int, ...]], path: Path, *, padded: bool) -> NDArray[np.int32]:
        """Return the cell of every voxel of datasets of these shapes, or of one flat dataset, int32 [n_voxels].

        Parameters
        ----------
        padded
            Whether the last axis may be shorter or longer than in the map, as that of slots of a layer.

        Raises
        ------
        InputError
            If they are not the shapes of the map.
        """
        if list(shapes) == [(len(self.cells),)]:
            return self.cells
        compared = slice(None, -1) if padded else slice(None)
        if [shape[compared] for shape in shapes] != [mine[compared] for mine in self.shapes]:
            msg = (
                f"{path}: a shower has the shape {_listed(shapes)}, the voxels of the geometry {_listed(self.shapes)}; "
                "is this the right detector?"
            )
            raise InputError(msg)
        parts = split_columns(self.cells, self.shapes)
        return np.concatenate([_resized(part, shape).ravel() for part, shape in zip(parts, shapes, strict=True)])


def read_voxels(
    path: Path | str,
    layout: VoxelLayout,
    cell_of_voxel: CellOfVoxel,
    *,
    pdg_id: int = 0,
    direction: tuple[float, float, float] | None = None,
    threshold: float = 0.0,
    invalid: Literal["refuse", "keep", "drop"] = "refuse",
    metadata: ShowerMetadata | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[Showers]:
    """Iterate over the showers of a file of voxels; memory is bounded by `chunk_bytes` of dense data.

    Parameters
    ----------
    path
    layout
        See `hdf5_layouts.LAYOUTS`.
    cell_of_voxel
        See `FileVoxels`; `geometry.detectors.voxel_map` has those of the built-in detectors.
    pdg_id
        Incident particle, where the file does not tell it; 0 = not known.
    direction
        Unit vector along its momentum, where the file does not tell it; by default the layout's.
    threshold
        Voxels below it [GeV] are left out.
    invalid
        What to do with NaN or negative energies (see `Showers.from_columns`); "drop" also drops energy in
        voxels that have no cell, which is refused otherwise.

    Raises
    ------
    InputError
        If the file is damaged, lacks a dataset, has another shape, or holds energies as above.
    """
    path = Path(path)
    voxel_map = FileVoxels(cell_of_voxel)
    with open_hdf5(path) as file:
        voxels = [dataset(file, name, path, at_least=2) for name in layout.voxels]
        incident = dataset(file, layout.incident, path)
        lengths = {data.name.strip("/"): data.shape[0] for data in (*voxels, incident)}
        n_showers = check_equal_lengths(lengths, path)
        width = _size(incident.shape[1:])
        if width != layout.width and n_showers:
            msg = f"{path}: {layout.incident} has {width} numbers a shower, the layout {layout.name} {layout.width}"
            raise InputError(msg)
        cells = voxel_map.fitted([data.shape[1:] for data in voxels], path, padded=layout.padded)
        rows = rows_per_chunk(voxels[0], len(cells) * voxels[0].dtype.itemsize, chunk_bytes)
        for start in range(0, n_showers, rows):
            stop = min(start + rows, n_showers)
            with reading(path):
                parts = [data[start:stop].reshape(stop - start, -1) for data in voxels]
            dense = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
            numbers = incident[start:stop].reshape(stop - start, -1).astype(np.float64)
            columns = {"event_id": np.arange(start, stop), **_constant(direction or layout.direction, stop - start)}
            columns |= layout.decode(numbers, np.full(stop - start, pdg_id, dtype=np.int32))
            source = f"{path} (showers from {start})"
            hits = _hits_of(dense, cells, layout.voxel_unit, source, drop=invalid == "drop")
            showers = Showers.from_columns(hits | columns, metadata=metadata, source=source, invalid=invalid)
            yield showers.above(threshold) if threshold > 0 else showers


def write_voxels(
    showers: Iterable[Showers],
    path: Path | str,
    layout: VoxelLayout,
    cell_of_voxel: CellOfVoxel,
    *,
    overwrite: bool = False,
    chunk_bytes: int = CHUNK_BYTES,
) -> None:
    """Write showers as voxels; memory is bounded by `chunk_bytes` of dense data.

    Parameters
    ----------
    showers
        Chunks of any size, `ShowerStore.chunks` for instance.
    path, layout, cell_of_voxel
        As in `read_voxels`; the map's shapes become the shapes of the datasets.

    Raises
    ------
    InputError
        If showers have hits in cells without a voxel, or the layout cannot tell their particle or energy.
    OutputError
        If `path` exists (unless `overwrite`) or cannot be written; nothing is left behind then.
    """
    voxel_map = FileVoxels(cell_of_voxel)
    shapes = [(len(voxel_map.cells),)] if layout.flat else voxel_map.shapes
    if len(shapes) != len(layout.voxels):
        msg = (
            f"the layout {layout.name} has the datasets {', '.join(layout.voxels)}, the geometry voxels of shape "
            f"{_listed(shapes)}; is this the right detector?"
        )
        raise InputError(msg)
    rows = max(1, chunk_bytes // (4 * len(voxel_map.cells)))
    with create_hdf5(Path(path), overwrite=overwrite) as (file, raw):
        voxels = [_growing(file, name, shape, rows) for name, shape in zip(layout.voxels, shapes, strict=True)]
        incident = file.create_dataset(layout.incident, (0, layout.width), "f8", maxshape=(None, layout.width))
        done = 0
        for chunk in showers:
            for piece in chunk.chunks(rows):
                dense = _dense_of(piece, voxel_map, layout.voxel_unit)
                for data, part in zip(voxels, split_columns(dense, shapes), strict=True):
                    data.resize(done + len(piece), axis=0)
                    data[done:] = part
                incident.resize(done + len(piece), axis=0)
                incident[done:] = layout.encode(piece)
                done += len(piece)
                raw.check()


def split_columns(values: NDArray[Any], shapes: Sequence[tuple[int, ...]]) -> list[NDArray[Any]]:
    """Cut the last axis of `values` [..., n_voxels] into the datasets: [..., *shape] each."""
    cuts = np.cumsum([_size(shape) for shape in shapes])[:-1]
    parts = np.split(values, cuts, axis=-1)
    return [part.reshape(*values.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True)]


def _constant(direction: tuple[float, float, float], n_showers: int) -> dict[str, NDArray[Any]]:
    return {f"direction_{axis}": np.full(n_showers, value) for axis, value in zip("xyz", direction, strict=True)}


def _hits_of(
    dense: NDArray[Any], cells: NDArray[np.int32], unit: float, source: str, *, drop: bool
) -> dict[str, NDArray[Any]]:
    """Return offsets, cell and energy [GeV] of the voxels that are not 0 (NaN are not)."""
    # the kernel takes native numbers of at least 32 bits
    native = np.float32 if dense.dtype.itemsize < 4 else dense.dtype.newbyteorder("=")
    offsets, voxel, values = nonzero_of_rows(dense.astype(native, copy=False))
    cell = cells[voxel]
    if len(cells) and cells.min() == NO_CELL:
        has_cell = cell != NO_CELL
        offsets = _checked_offsets(has_cell, offsets, source, drop=drop)
        cell, values = cell[has_cell], values[has_cell]
    return {"offsets": offsets, "cell": cell, "energy": (values * unit).astype(np.float32)}


def _checked_offsets(
    has_cell: NDArray[np.bool_], offsets: NDArray[np.int64], source: str, *, drop: bool
) -> NDArray[np.int64]:
    """Return the offsets of the hits that have a cell; refuse the others unless they may be dropped."""
    n_homeless = int((~has_cell).sum())
    if n_homeless:
        summary = f"{source}: {n_homeless} voxels hold energy but have no cell in the geometry"
        if not drop:
            msg = f'{summary}; is this the right map? Drop them with invalid="drop"'
            raise InputError(msg)
        logger.warning("%s; dropped", summary)
    return offsets_of(has_cell)[offsets]


def _dense_of(showers: Showers, voxel_map: FileVoxels, unit: float) -> NDArray[np.float32]:
    """Return energies in the unit of the file, float32 [n_showers, n_voxels]."""
    hits = showers.merged()
    known = hits.cell < len(voxel_map.voxels)
    voxel = np.where(known, voxel_map.voxels[np.where(known, hits.cell, 0)], NO_CELL)
    homeless = np.flatnonzero(voxel == NO_CELL)
    if len(homeless):
        msg = (
            f"{len(homeless)} hits lie in cells that no voxel stands for, for instance {hits.cell[homeless[0]]}; "
            "is this the right map?"
        )
        raise InputError(msg)
    dense = np.zeros((len(hits), len(voxel_map.cells)), dtype=np.float32)
    dense[hits.shower, voxel] = hits.energy / np.float64(unit)
    return dense


def _growing(file: h5py.File, name: str, shape: tuple[int, ...], rows: int) -> h5py.Dataset:
    """Create an empty dataset of voxels; light compression, as nearly all of them are 0."""
    return file.create_dataset(
        name,
        (0, *shape),
        "f4",
        maxshape=(None, *shape),
        chunks=(min(rows, CHUNK_ROWS), *shape),
        compression="gzip",
        compression_opts=1,
    )


def _resized(part: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Cut or fill the last axis."""
    resized = np.full(shape, NO_CELL, dtype=np.int32)
    common = min(part.shape[-1], shape[-1])
    resized[..., :common] = part[..., :common]
    return resized


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return " + ".join(str(list(shape)) for shape in shapes)
