"""The samples of an evaluation: opened, checked once at the door, read chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.text import counted
from hgcal_gnn.showers.checks import FIRST_BAD, first
from hgcal_gnn.showers.particles import particle_name
from hgcal_gnn.showers.showers import CHUNK, Showers
from hgcal_gnn.showers.store import ShowerStore, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hgcal_gnn.arrays import I64, Array
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.metadata import ShowerMetadata


@dataclass(eq=False)
class Sample:
    """Showers of one origin: a store or a container, all of it or some showers drawn at random.

    Attributes
    ----------
    name
    source
        The file, or what the showers say of themselves.
    data
    rows : int64 [n_showers] or None
        Those in use, ascending; None: all.
    remarks
        What a reader should know: empty showers, missing energies, ignored weights.
    threshold
        Cells of at most this energy [GeV] are left out.
    """

    name: str
    source: str
    data: ShowerStore | Showers
    rows: I64 | None = None
    remarks: tuple[str, ...] = field(default=())
    threshold: float = 0.0

    def __len__(self) -> int:
        return len(self.data) if self.rows is None else len(self.rows)

    def __getitem__(self, rows: slice) -> Showers:
        return self._cut(self.data[rows] if self.rows is None else self.data[self.rows[rows]])

    def _cut(self, showers: Showers) -> Showers:
        return showers.cells_above(self.threshold)

    @property
    def metadata(self) -> ShowerMetadata:
        """Geometry, source and seed."""
        return self.data.metadata

    def chunks(self, size: int = CHUNK) -> Iterator[Showers]:
        """Iterate over at most `size` showers at a time; a store gives its record batches."""
        if self.rows is None:
            whole = self.data.chunks() if isinstance(self.data, ShowerStore) else self.data.chunks(size)
            yield from map(self._cut, whole)
            return
        for start in range(0, len(self.rows), size):
            yield self._cut(self.data[self.rows[start : start + size]])

    def at_most(self, number: int, seed: int) -> Sample:
        """Return the sample, or `number` of its showers drawn at random."""
        if len(self) <= number:
            return self
        chosen = np.sort(np.random.default_rng(seed).choice(len(self), number, replace=False))
        rows = chosen if self.rows is None else self.rows[chosen]
        return replace(self, rows=rows)

    def showers(self) -> Showers:
        """Return all showers in use at once: for parts of the report that need them so, on few showers."""
        if isinstance(self.data, Showers):
            return self._cut(self.data if self.rows is None else self.data[self.rows])
        return self._cut(self.data[:] if self.rows is None else self.data.read(self.rows))

    def column(self, name: str) -> Array:
        """Return one column of the showers, [n_showers]."""
        values: Any = self.data.column(name) if isinstance(self.data, ShowerStore) else getattr(self.data, name)
        return np.asarray(values if self.rows is None else values[self.rows])

    def described(self) -> str:
        """Say what is in it: '2,000 of 20,000 showers, photons, 10 to 500 GeV'."""
        some = counted(len(self), "shower")
        if self.rows is not None:
            some = f"{len(self):,} of {counted(len(self.data), 'shower')}"
        kinds = [particle_name(kind) for kind in np.unique(self.column("pdg_id")).tolist()]
        text = f"{some}, {', '.join(kinds[:4])}"
        energy = known_energies(self.column("incident_energy"))
        if not len(energy):
            return text
        low, high = float(energy.min()), float(energy.max())
        return f"{text}, {low:.4g} GeV" if low == high else f"{text}, {low:.4g} to {high:.4g} GeV"


def open_sample(
    name: str, given: Path | Showers, graph: CellGraph, *, max_showers: int | None = None, threshold: float = 0.0,
    seed: int = 0,
) -> Sample:  # fmt: skip
    """Open a sample and check every hit of the showers in use; cells of at most `threshold` [GeV] are left out.

    Raises
    ------
    InputError
        If the file is missing, damaged or empty, or hits have NaN or negative energies or lie outside the geometry.
    GeometryMismatchError
        If it was made with another geometry.
    """
    data = given if isinstance(given, Showers) else open_store(given, cells_sha256=graph.cells_sha256)
    source = (data.metadata.source or name) if isinstance(data, Showers) else str(data.path)
    data.metadata.check_geometry(graph.cells_sha256, source=source)
    if not len(data):
        msg = f"{source}: holds no showers; there is nothing to evaluate"
        raise InputError(msg)
    rows = None
    if max_showers is not None and max_showers < len(data):
        rows = np.sort(np.random.default_rng(seed).choice(len(data), max_showers, replace=False))
    sample = Sample(name, source, data, rows)
    sample.remarks = _checked(sample, graph.n_cells)  # of all hits: a NaN is no faint cell
    return replace(sample, threshold=threshold)


def known_energies(energy: Array) -> Array:
    """Return the incident energies that are known: finite and above 0."""
    return energy[np.isfinite(energy) & (energy > 0)]


def _checked(sample: Sample, n_cells: int) -> tuple[str, ...]:
    """Refuse impossible hits; return what else is remarkable."""
    start, n_bad, n_empty, bad = 0, 0, 0, np.zeros(0, np.int64)
    for showers in sample.chunks():
        _check_cells(showers, sample.source, n_cells)
        usable = np.isfinite(showers.energy) & (showers.energy >= 0)
        wrong = np.flatnonzero(~usable)
        n_bad += len(wrong)
        n_empty += int((showers.n_hits == 0).sum())
        if len(wrong) and len(bad) <= FIRST_BAD:
            of = np.unique(np.searchsorted(showers.offsets, wrong, side="right") - 1)
            bad = np.concatenate([bad, of + start])
        start += len(showers)
    if n_bad:
        where = bad if sample.rows is None else sample.rows[bad]
        msg = (
            f"{sample.source}: {counted(n_bad, 'hit')} with an energy that is NaN, infinite or negative, first in "
            f"showers {first(where)} (counted from 0); correct the source, or convert it again with these hits dropped"
        )
        raise InputError(msg)
    return _remarks(sample, n_empty)


def _check_cells(showers: Showers, source: str, n_cells: int) -> None:
    if len(showers.cell) and not 0 <= int(showers.cell.min()) <= int(showers.cell.max()) < n_cells:
        msg = (
            f"{source}: hits lie in cells {int(showers.cell.min())} to {int(showers.cell.max())}, the geometry has "
            f"{n_cells}; give the graph the showers were made with"
        )
        raise InputError(msg)


def _remarks(sample: Sample, n_empty: int) -> tuple[str, ...]:
    energy = sample.column("incident_energy")
    n_unknown = len(energy) - len(known_energies(energy))
    names = sample.data.names if isinstance(sample.data, ShowerStore) else sample.data.columns()
    told = (
        (n_empty, f"{counted(n_empty, 'shower')} without hits"),
        (n_unknown, f"{counted(n_unknown, 'shower')} without incident energy"),
        ("weight" in names, "the statistical weights of its showers are not used"),
    )
    return tuple(text for is_so, text in told if is_so)
