"""Showers: the one container every simulation, reader and generator fills, and everything downstream eats."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers import checks
from hgcal_gnn.showers.columns import COLUMNS, HIT_COLUMNS, HIT_NAMES, SHOWER_COLUMNS
from hgcal_gnn.showers.metadata import ShowerMetadata, common_metadata
from hgcal_gnn.showers.ragged import (
    ascends_within,
    copy_segments,
    offsets_of,
    order_within,
    row_numbers,
    segment_of,
    segment_sums,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import awkward as ak
    from numpy.typing import NDArray

CHUNK = 8192  # showers per chunk, the record batch of the store


@dataclass(frozen=True, eq=False)
class Showers:
    """Sparse showers: hits of all showers one after the other, `offsets` between them (see `columns`).

    Build one with `Showers.from_columns`, which checks values and converts types; the constructor only
    checks types and shapes, so that slices and memory-mapped chunks cost nothing.

    Attributes
    ----------
    offsets : int64 [n_showers + 1]
        Hits of shower i are ``offsets[i]:offsets[i + 1]``; starts at 0.
    cell : int32 [n_hits]
        Row of the hit's cell in the geometry table or graph.
    energy : float32 [n_hits]
        Raw deposit [GeV].
    incident_energy : float32 [n_showers]
        Total energy of the incident particle [GeV].
    pdg_id : int32 [n_showers]
    vertex_x, vertex_y, vertex_z : float32 [n_showers]
        Where the incident particle starts [cm]; NaN if not known.
    direction_x, direction_y, direction_z : float32 [n_showers]
        Unit vector along its momentum; NaN if not known.
    event_id : int64 [n_showers]
    particle_index : int16 [n_showers]
    time : float32 [n_hits], optional
        [ns]
    weight, first_layer, f_em, leaked_energy : [n_showers], optional
        Statistical weight and simulated truth.
    metadata
        Geometry hash, source, seed.
    """

    offsets: NDArray[np.int64]
    cell: NDArray[np.int32]
    energy: NDArray[np.float32]
    incident_energy: NDArray[np.float32]
    pdg_id: NDArray[np.int32]
    vertex_x: NDArray[np.float32]
    vertex_y: NDArray[np.float32]
    vertex_z: NDArray[np.float32]
    direction_x: NDArray[np.float32]
    direction_y: NDArray[np.float32]
    direction_z: NDArray[np.float32]
    event_id: NDArray[np.int64]
    particle_index: NDArray[np.int16]
    time: NDArray[np.float32] | None = None
    weight: NDArray[np.float32] | None = None
    first_layer: NDArray[np.int16] | None = None
    f_em: NDArray[np.float32] | None = None
    leaked_energy: NDArray[np.float32] | None = None
    metadata: ShowerMetadata = field(default_factory=ShowerMetadata)

    def __post_init__(self) -> None:
        checks.check_array("offsets", self.offsets, np.dtype(np.int64), None)
        if len(self.offsets) == 0:
            msg = "offsets must have shape [n_showers + 1], got [0]"
            raise InputError(msg)
        n_hits = len(self.cell)
        if self.offsets[0] != 0 or self.offsets[-1] != n_hits:
            msg = f"offsets must run from 0 to n_hits = {n_hits}, got {self.offsets[0]} to {self.offsets[-1]}"
            raise InputError(msg)
        for columns, length in ((HIT_COLUMNS, n_hits), (SHOWER_COLUMNS, len(self.offsets) - 1)):
            for column in columns:
                values = getattr(self, column.name)
                if values is not None or not column.optional:
                    checks.check_array(column.name, values, column.dtype, length)

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Any],
        *,
        metadata: ShowerMetadata | None = None,
        source: str = "showers",
        n_cells: int | None = None,
        invalid: Literal["refuse", "keep", "drop"] = "refuse",
    ) -> Showers:
        """Check columns at the door and convert them to the types of the store.

        Parameters
        ----------
        columns
            Arrays under the names of the attributes; needed: offsets, cell, energy, incident_energy. Missing
            ones become "not known" (see `columns`), `event_id` counts from 0.
        metadata
            Kept with the showers.
        source
            Named in error messages.
        n_cells
            Number of cells of the geometry; `cell` must lie in 0..n_cells - 1.
        invalid
            What to do with hits of NaN, infinite or negative energy: refuse them all, keep them, or drop
            these hits (their number is logged as a warning).

        Raises
        ------
        InputError
            For unknown or missing columns, wrong shapes, offsets that descend, cells out of range, incident
            energies that are not finite or negative, directions that are no unit vectors, and, with
            ``invalid="refuse"``, hits as above: with the count and the first showers.
        """
        showers = cls(**checks.typed_columns(columns, source), metadata=metadata or ShowerMetadata())
        checks.check_values(showers, source, n_cells)
        if invalid == "keep":
            return showers
        keep = checks.usable_hits(showers, source, refuse=invalid == "refuse")
        return showers if keep is None else showers.where(keep)

    @classmethod
    def empty(cls, metadata: ShowerMetadata | None = None) -> Showers:
        """Return no showers at all."""
        columns = {name: np.zeros(0) for name in ("cell", "energy", "incident_energy")}
        return cls.from_columns({"offsets": np.zeros(1), **columns}, metadata=metadata)

    @classmethod
    def concatenate(cls, parts: Sequence[Showers]) -> Showers:
        """Join samples of one geometry; an optional column missing in some becomes "not known" there.

        Raises
        ------
        GeometryMismatchError
            If the samples were made with different geometries.
        """
        metadata = common_metadata(part.metadata for part in parts)
        if len(parts) < 2:
            return parts[0] if parts else cls.empty()
        names: set[str] = set().union(*(part.columns() for part in parts))
        filled = [part.with_columns(names).columns() for part in parts]
        joined = {name: np.concatenate([columns[name] for columns in filled]) for name in filled[0]}
        counts = np.concatenate([part.n_hits for part in parts])
        return cls(offsets=offsets_of(counts), **joined, metadata=metadata)

    @classmethod
    def from_awkward(cls, array: ak.Array, *, metadata: ShowerMetadata | None = None, **options: Any) -> Showers:
        """Build from an awkward array of records with the fields of `to_awkward` (options: `from_columns`)."""
        from hgcal_gnn.showers.awkward_records import columns_of  # noqa: PLC0415 - slow to import

        return cls.from_columns(columns_of(array), metadata=metadata, **options)

    def to_awkward(self) -> ak.Array:
        """Return an awkward array with one record per shower; the arrays are shared, not copied."""
        from hgcal_gnn.showers.awkward_records import records_of  # noqa: PLC0415 - slow to import

        return records_of(self)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns that are present, hits first, without `offsets`."""
        named = {name: getattr(self, name) for name in COLUMNS}
        return {name: values for name, values in named.items() if values is not None}

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        return f"Showers({len(self)} showers, {len(self.cell)} hits, source={self.metadata.source!r})"

    def __getitem__(self, rows: int | slice | NDArray[Any] | Sequence[int]) -> Showers:
        """Select showers by number, slice (views of the arrays), boolean mask or row numbers (copies).

        Raises
        ------
        IndexError
            If a number is out of range or a mask has another length.
        """
        if isinstance(rows, int | np.integer):
            if not -len(self) <= rows < len(self):
                msg = f"shower {rows} of {len(self)}"
                raise IndexError(msg)
            rows = slice(rows % len(self), rows % len(self) + 1)
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(len(self))
            return self._view(start, max(start, stop))
        numbers = row_numbers(rows, len(self))
        starts, offsets = self.offsets[numbers], offsets_of(self.n_hits[numbers])
        columns = {
            name: copy_segments(values, starts, offsets) if name in HIT_NAMES else values[numbers]
            for name, values in self.columns().items()
        }
        return Showers(offsets=offsets, **columns, metadata=self.metadata)

    def chunks(self, size: int = CHUNK) -> Iterator[Showers]:
        """Iterate over views of at most `size` showers."""
        for start in range(0, len(self), size):
            yield self._view(start, min(start + size, len(self)))

    def replace(self, **columns: Any) -> Showers:
        """Return showers with some columns or the metadata replaced; types and shapes are checked."""
        return replace(self, **columns)

    def copy(self) -> Showers:
        """Return showers with arrays of their own, where these are views of a file or of other showers."""
        columns = {name: values.copy() for name, values in self.columns().items()}
        return self.replace(offsets=self.offsets.copy(), **columns)

    def with_columns(self, names: Iterable[str]) -> Showers:
        """Return showers that have at least the columns `names`; those missing are "not known" (see `columns`)."""
        missing = {
            name: COLUMNS[name].filled(len(self.cell) if name in HIT_NAMES else len(self))
            for name in names
            if getattr(self, name) is None
        }
        return self.replace(**missing) if missing else self

    def equals(self, other: Showers) -> bool:
        """Tell whether all columns are equal (NaN equals NaN); the metadata are not compared."""
        mine, theirs = self.columns(), other.columns()
        return (
            mine.keys() == theirs.keys()
            and np.array_equal(self.offsets, other.offsets)
            and all(np.array_equal(values, theirs[name], equal_nan=True) for name, values in mine.items())
        )

    @property
    def n_hits(self) -> NDArray[np.int64]:
        """Hits per shower, int64 [n_showers]."""
        return np.diff(self.offsets)

    @property
    def shower(self) -> NDArray[np.int64]:
        """Shower number of every hit, int64 [n_hits]."""
        return segment_of(self.offsets)

    @cached_property
    def visible(self) -> NDArray[np.float64]:
        """Sum of raw deposits of each shower [GeV], float64 [n_showers]."""
        return segment_sums(self.energy, self.offsets)

    @property
    def eta(self) -> NDArray[np.float32]:
        """Pseudorapidity of the direction, float32 [n_showers]; NaN along the axis of z."""
        transverse = np.hypot(self.direction_x, self.direction_y)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(transverse > 0, np.arcsinh(self.direction_z / transverse), np.float32(np.nan))

    @property
    def phi(self) -> NDArray[np.float32]:
        """Azimuth of the direction in (-pi, pi], float32 [n_showers]; NaN along the axis of z."""
        transverse = np.hypot(self.direction_x, self.direction_y)
        return np.where(transverse > 0, np.arctan2(self.direction_y, self.direction_x), np.float32(np.nan))

    def where(self, keep: NDArray[np.bool_]) -> Showers:
        """Keep the hits marked in `keep` [n_hits]; showers left without hits stay, empty."""
        kept_before = np.zeros(len(keep) + 1, dtype=np.int64)
        np.cumsum(keep, out=kept_before[1:])
        return self._picked(kept_before[self.offsets], np.flatnonzero(keep))

    def above(self, threshold: float | NDArray[np.floating]) -> Showers:
        """Keep hits of at least `threshold` [GeV]: one number, or one per cell [n_cells]."""
        limit = threshold if np.ndim(threshold) == 0 else np.asarray(threshold)[self.cell]
        return self.where(self.energy >= limit)

    def cells_above(self, threshold: float) -> Showers:
        """Add up the deposits of each cell and keep cells of more than `threshold` [GeV]; 0: change nothing."""
        if threshold <= 0:
            return self
        merged = self.merged()
        return merged.where(merged.energy > np.float32(threshold))

    def sorted_by_cell(self) -> Showers:
        """Sort the hits of each shower by cell; deposits of one cell keep their order."""
        if ascends_within(self.cell, self.offsets, strictly=False):
            return self
        return self._picked(self.offsets, order_within(self.cell, self.offsets))

    def merged(self) -> Showers:
        """Add up the deposits of one shower in one cell; hits come out sorted by cell.

        Energies are summed in double precision; the time is the earliest of the deposits, as a
        threshold-crossing readout would see it (deposits without a time are passed over).
        """
        if ascends_within(self.cell, self.offsets, strictly=True):
            return self
        hits = self.sorted_by_cell()
        is_first = np.ones(len(hits.cell), dtype=bool)
        is_first[1:] = hits.cell[1:] != hits.cell[:-1]
        borders = hits.offsets[:-1]
        is_first[borders[borders < len(is_first)]] = True
        starts = np.flatnonzero(is_first)
        result = hits.where(is_first)
        energy = np.add.reduceat(hits.energy, starts, dtype=np.float64).astype(np.float32)
        time = None if hits.time is None else np.fmin.reduceat(hits.time, starts)
        return result.replace(energy=energy, time=time)

    def _view(self, start: int, stop: int) -> Showers:
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        spans = {name: slice(first, last) if name in HIT_NAMES else slice(start, stop) for name in COLUMNS}
        columns = {name: values[spans[name]] for name, values in self.columns().items()}
        offsets = self.offsets[start : stop + 1]
        return Showers(offsets=offsets - first if first else offsets, **columns, metadata=self.metadata)

    def _picked(self, offsets: NDArray[np.int64], hits: NDArray[np.int64]) -> Showers:
        """Return the hits `hits`, shower by shower under new offsets."""
        columns = {name: values[hits] if name in HIT_NAMES else values for name, values in self.columns().items()}
        return Showers(offsets=offsets, **columns, metadata=self.metadata)


def direction_from_eta_phi(
    eta: NDArray[np.floating], phi: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return direction_x, direction_y, direction_z float32 [n] of pseudorapidity and azimuth [n]."""
    eta, phi = np.asarray(eta, dtype=np.float64), np.asarray(phi, dtype=np.float64)
    transverse = 1.0 / np.cosh(eta)
    x, y, z = transverse * np.cos(phi), transverse * np.sin(phi), np.tanh(eta)
    return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)
