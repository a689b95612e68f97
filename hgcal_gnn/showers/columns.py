"""The columns of a shower, one table: name, type, unit, meaning. Files, container and readers all follow it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Column:
    """One column of the shower store.

    Attributes
    ----------
    name
        Name in files and attribute of `Showers`; a public contract.
    dtype
        Type in memory and on disk.
    unit
        "GeV", "cm", "ns" or "" for pure numbers.
    unknown
        Value that stands for "not known".
    optional
        May be absent altogether (then it is None in `Showers`).
    """

    name: str
    dtype: np.dtype[Any]
    unit: str
    meaning: str
    unknown: float
    optional: bool = False

    def filled(self, length: int) -> NDArray[Any]:
        """Return a column of `length` unknown values."""
        return np.full(length, self.unknown, dtype=self.dtype)


def _column(name: str, dtype: str, unit: str, meaning: str, unknown: float, *, optional: bool = False) -> Column:
    return Column(name, np.dtype(dtype), unit, meaning, unknown, optional)


NAN = float("nan")

# one value per hit, [n_hits]
HIT_COLUMNS = (
    _column("cell", "i4", "", "row of the cell in the geometry table or graph", -1),
    _column("energy", "f4", "GeV", "raw energy deposit", NAN),
    _column("time", "f4", "ns", "time of the deposit", NAN, optional=True),
)
# one value per shower, [n_showers]
SHOWER_COLUMNS = (
    _column("incident_energy", "f4", "GeV", "total energy of the incident particle", NAN),
    _column("pdg_id", "i4", "", "incident particle, numbering scheme of the Particle Data Group; 0 = not known", 0),
    _column("vertex_x", "f4", "cm", "where the incident particle starts", NAN),
    _column("vertex_y", "f4", "cm", "where the incident particle starts", NAN),
    _column("vertex_z", "f4", "cm", "where the incident particle starts", NAN),
    _column("direction_x", "f4", "", "unit vector along the incident momentum", NAN),
    _column("direction_y", "f4", "", "unit vector along the incident momentum", NAN),
    _column("direction_z", "f4", "", "unit vector along the incident momentum", NAN),
    _column("event_id", "i8", "", "number of the event in its source", -1),
    _column("particle_index", "i2", "", "which of the event's incident particles, from 0", 0),
    _column("weight", "f4", "", "statistical weight", 1.0, optional=True),
    _column("first_layer", "i2", "", "simulated truth: layer of the first interaction; -1 = none", -1, optional=True),
    _column("f_em", "f4", "", "simulated truth: electromagnetic share of the energy", NAN, optional=True),
    _column("leaked_energy", "f4", "GeV", "simulated truth: energy that left the calorimeter", NAN, optional=True),
)
COLUMNS = MappingProxyType({column.name: column for column in (*HIT_COLUMNS, *SHOWER_COLUMNS)})
HIT_NAMES = tuple(column.name for column in HIT_COLUMNS)
SHOWER_NAMES = tuple(column.name for column in SHOWER_COLUMNS)
UNITS = MappingProxyType({column.name: column.unit for column in COLUMNS.values() if column.unit})
