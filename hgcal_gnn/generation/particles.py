"""The incident particles that showers are generated for."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from hgcal_gnn.arrays import F32, I32, I64, Array
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.showers.store import ShowerStore
    from hgcal_gnn.simulation.beam import Beam

TYPES = {"pdg_id": np.int32, "event_id": np.int64}  # all else float32


@dataclass(frozen=True, eq=False)
class Particles:
    """Incident particles, one per shower; the columns of `Showers`.

    Attributes
    ----------
    incident_energy : float32 [n]
        Total energy [GeV].
    pdg_id : int32 [n]
    vertex_x, vertex_y, vertex_z : float32 [n]
        [cm]
    direction_x, direction_y, direction_z : float32 [n]
        Unit vector. NaN where not known, like the vertex.
    event_id : int64 [n]
    """

    incident_energy: F32
    pdg_id: I32
    vertex_x: F32
    vertex_y: F32
    vertex_z: F32
    direction_x: F32
    direction_y: F32
    direction_z: F32
    event_id: I64

    @classmethod
    def of(cls, showers: Showers) -> Particles:
        """Take those of showers."""
        return cls(**{item.name: getattr(showers, item.name) for item in fields(cls)})

    @classmethod
    def of_store(cls, store: ShowerStore) -> Particles:
        """Take those of a store, without reading its hits."""
        return cls(**{item.name: np.array(store.column(item.name)) for item in fields(cls)})

    @classmethod
    def of_beam(cls, beam: Beam, n: int, *, seed: int = 0, first: int = 0) -> Particles:
        """Draw n particles of a beam; numbers `first` to `first + n` of an endless row that `seed` determines.

        A list of energies is gone through in turn, so that each occurs equally often.
        """
        blocks = np.arange(first, first + n) // BLOCK
        parts = [_drawn(beam, int(block), seed) for block in np.unique(blocks)]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
        start = first % BLOCK
        return cls(**{
            item.name: columns[item.name][start : start + n].astype(TYPES.get(item.name, np.float32))
            for item in fields(cls)
        })  # fmt: skip

    def __len__(self) -> int:
        return len(self.incident_energy)

    def __getitem__(self, rows: slice | I64) -> Particles:
        return Particles(**{name: values[rows] for name, values in self.columns().items()})

    def repeated(self, n: int) -> Particles:
        """Return the same particles again and again until there are n, numbered from 0."""
        rows = np.arange(n) % len(self)
        return Particles(**{**self[rows].columns(), "event_id": np.arange(n, dtype=np.int64)})

    def without(self, vectors: Collection[str]) -> Particles:
        """Return the same with "direction", "vertex" or both not known: NaN."""
        names = [f"{vector}_{axis}" for vector in vectors for axis in "xyz"]
        return Particles(**{**self.columns(), **{name: np.full(len(self), np.nan, np.float32) for name in names}})

    def columns(self) -> dict[str, Array]:
        """Return the columns by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def direction(self) -> F32:
        """Unit vectors, float32 [n, 3]."""
        return np.stack([self.direction_x, self.direction_y, self.direction_z], axis=1)

    @property
    def vertex(self) -> F32:
        """Where they start [cm], float32 [n, 3]."""
        return np.stack([self.vertex_x, self.vertex_y, self.vertex_z], axis=1)


BLOCK = 1024  # particles drawn with one seed: any part of a sample can be drawn without what comes before


def _drawn(beam: Beam, block: int, seed: int) -> dict[str, Array]:
    """Draw the particles of one block."""
    random = np.random.default_rng([seed, block])
    number = np.arange(block * BLOCK, (block + 1) * BLOCK)
    direction = _directions(beam, random)
    spectrum = beam.spectrum
    values = np.asarray(spectrum.values)
    if spectrum.kind == "list":
        quantity = values[number % len(values)]
    elif spectrum.kind == "flat":
        quantity = random.uniform(values[0], values[1], BLOCK)
    else:
        quantity = np.exp(random.uniform(np.log(values[0]), np.log(values[1]), BLOCK))
    if spectrum.quantity == "pt":
        momentum = quantity / np.hypot(direction[:, 0], direction[:, 1])
        quantity = np.hypot(momentum, beam.mass)
    vertex = np.asarray(beam.vertex) + random.normal(size=(BLOCK, 3)) * np.asarray(beam.vertex_sigma)
    columns = {"incident_energy": quantity, "pdg_id": np.full(BLOCK, beam.pdg_id), "event_id": number}
    for axis, name in enumerate("xyz"):
        columns |= {f"vertex_{name}": vertex[:, axis], f"direction_{name}": direction[:, axis]}
    return columns


def _directions(beam: Beam, random: np.random.Generator) -> Array:
    """Return unit vectors, [BLOCK, 3]."""
    if beam.direction is not None:
        return np.tile(np.asarray(beam.direction) / math.hypot(*beam.direction), (BLOCK, 1))
    eta, phi = (
        random.uniform(*(limits if isinstance(limits, tuple) else (limits, limits)), BLOCK)
        for limits in (beam.eta, beam.phi)
    )
    return np.stack([np.cos(phi), np.sin(phi), np.sinh(eta)], axis=1) / np.cosh(eta)[:, None]
