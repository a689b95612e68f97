"""Features of showers: what samples are compared by, one row per shower, one column per number.

Three conventions: ours, and those of the two public challenges under their published names (see `challenge_hgcal`,
`challenge_calochallenge`), so that results compare with the published tables.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hgcal_gnn.dask_cluster import on_cluster
from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation import challenge_calochallenge, challenge_hgcal
from hgcal_gnn.evaluation.feature_axis import Axis, CellGrid, usual_ring_width
from hgcal_gnn.evaluation.feature_families import GROUPS, OURS, Family, expanded
from hgcal_gnn.evaluation.feature_sums import FeatureSums, Rules
from hgcal_gnn.showers.showers import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hgcal_gnn.arrays import F32, I64, Array, Bools
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers

CONVENTIONS = ("ours", "hgcal_challenge", "calochallenge")
DEFAULT = GROUPS
N_RINGS = 20
LOG = logging.getLogger(__name__)


class ShowerSource(Protocol):
    """Showers, a store of them, or a part of one."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Showers: ...

    def chunks(self) -> Iterator[Showers]:
        """Iterate over all showers."""


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of showers.

    Attributes
    ----------
    names : tuple of str
    groups : tuple of str
        Of each feature: one of `GROUPS`, "layer_energy" (only if asked for).
    units : tuple of str
        "GeV", "cm", "rad", "" for pure numbers; published features have the published units (MeV, mm, ...).
    values : float32 [n_showers, n_features]
        NaN where a feature does not exist: the centre of an empty layer, everything of a shower with a hit that is
        not finite. The published conventions say 0 for the centre and the width of an empty layer.
    incident_energy : float32 [n_showers]
        [GeV]
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    units: tuple[str, ...]
    values: F32
    incident_energy: F32

    def __post_init__(self) -> None:
        shape = (len(self.incident_energy), len(self.names))
        if self.values.shape != shape or not len(self.groups) == len(self.units) == len(self.names):
            msg = f"features must have shape {list(shape)} with a group and a unit each, got {list(self.values.shape)}"
            raise InputError(msg)

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> F32:
        """Return one feature, float32 [n_showers].

        Raises
        ------
        UsageError
            If it is not in the table.
        """
        if name not in self.names:
            msg = f"no feature {name}; there are {', '.join(self.names)}"
            raise UsageError(msg)
        return self.values[:, self.names.index(name)]

    def select(self, rows: slice | Array | Sequence[int]) -> FeatureTable:
        """Return the table of some showers: slice, boolean mask or row numbers."""
        return replace(self, values=self.values[rows], incident_energy=self.incident_energy[rows])

    def only(self, names: Sequence[str]) -> FeatureTable:
        """Return the table of some features or groups, in the order of the table.

        Raises
        ------
        UsageError
            For names that are neither.
        """
        unknown = [name for name in names if name not in self.names and name not in self.groups]
        if unknown:
            msg = f"no features or groups {', '.join(unknown)}; there are {', '.join(dict.fromkeys(self.groups))}"
            raise UsageError(msg)
        kept = [i for i, name in enumerate(self.names) if name in names or self.groups[i] in names]
        names, groups, units = (tuple(each[i] for i in kept) for each in (self.names, self.groups, self.units))
        return FeatureTable(names, groups, units, self.values[:, kept], self.incident_energy)

    def finite(self) -> Bools:
        """Tell which features exist, bool [n_showers, n_features]."""
        return np.isfinite(self.values)

    def filled(self, value: float = 0.0) -> FeatureTable:
        """Return the table with `value` for features that do not exist, for what cannot live with NaN."""
        return replace(self, values=np.where(self.finite(), self.values, np.float32(value)))


def compute_features(
    data: ShowerSource,
    numbers: CellNumbers,
    names: Sequence[str] = DEFAULT,
    *,
    convention: str = "ours",
    n_rings: int | None = None,
    ring_width: float | None = None,
    axis: Axis = "direction",
    client: Any = None,
    progress: Callable[[int], Any] | None = None,
) -> FeatureTable:
    """Compute features chunk by chunk; the memory is that of the table and of one chunk.

    Parameters
    ----------
    data
        Showers or a store of them.
    numbers
        Cells of the detector.
    names
        Groups and single features, in the order of the convention's table; the groups of the published conventions
        are called alike.
    convention
        "ours", or "hgcal_challenge", "calochallenge": definitions, names and units of the public challenges.
    n_rings
        Rings around the axis. Default: 20; HGCal challenge: 21 for photons and electrons, else 75 (its two
        geometries), decided by the first shower.
    ring_width
        [cm] Default: see `usual_ring_width`; HGCal challenge: 1.2091.
    axis
        Where the axis lies, see `feature_axis.axis_lines`; the published conventions decide themselves.
    client
        Of a Dask cluster that works on the chunks (`dask_cluster.cluster_client`); it must see the file of a store.
    progress
        Called with the number of showers done after each chunk.

    Raises
    ------
    UsageError
        For unknown names or a convention that does not exist or does not fit the detector.
    InputError
        If hits are in cells that the detector does not have.
    """
    if convention not in CONVENTIONS:
        msg = f"no convention {convention!r}; there are {', '.join(CONVENTIONS)}"
        raise UsageError(msg)
    plan = _plan(convention, data, numbers, names, n_rings, ring_width, axis)
    n_showers = len(data)
    values = np.full((n_showers, len(plan.names)), np.nan, np.float32)
    incident = np.full(n_showers, np.nan, np.float32)
    n_broken = done = 0
    for rows, some, energy, broken in _filled(plan, data, client):
        values[rows], incident[rows] = some, energy
        n_broken += broken
        done += len(energy)
        if progress is not None:
            progress(done)
    if n_broken:
        LOG.warning("%d of %d showers have hits that are not finite: their features are NaN", n_broken, n_showers)
    return FeatureTable(plan.names, plan.groups, plan.units, values, incident)


@dataclass(frozen=True, eq=False)
class _Plan:
    """What to compute from what.

    Attributes
    ----------
    columns
        Families asked for, with the members and their columns in the table.
    """

    numbers: CellNumbers
    rules: Rules
    grid: CellGrid | None
    cells_of_layer: I64
    columns: tuple[tuple[Family, I64, I64], ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    units: tuple[str, ...]


def _plan(
    convention: str,
    data: ShowerSource,
    numbers: CellNumbers,
    names: Sequence[str],
    n_rings: int | None,
    ring_width: float | None,
    axis: Axis,
) -> _Plan:
    """Decide what is computed from what."""
    labels: Sequence[str] = [str(layer + 1) for layer in range(numbers.n_layers)]
    families: Sequence[Family] = OURS
    if convention == "hgcal_challenge":
        numbers, rules, labels = challenge_hgcal.counted(numbers, n_rings or _published_rings(data))
        families = challenge_hgcal.FAMILIES
    elif convention == "calochallenge":
        numbers, rules, labels = challenge_calochallenge.counted(numbers)
        families = challenge_calochallenge.families(numbers)
    else:
        width = usual_ring_width(numbers) if ring_width is None else ring_width
        rules = Rules(width, n_rings or N_RINGS, axis)
    found = expanded(families, names, labels, rules.n_rings)
    places: dict[Family, list[tuple[int, int]]] = {}
    for place, column in enumerate(found):
        places.setdefault(column.family, []).append((column.member, place))
    pairs = {family: np.array(listed, np.int64) for family, listed in places.items()}
    return _Plan(
        numbers=numbers,
        rules=rules,
        grid=CellGrid.of(numbers) if convention != "calochallenge" else None,
        cells_of_layer=np.bincount(numbers.layer - 1, minlength=numbers.n_layers),
        columns=tuple((family, listed[:, 0], listed[:, 1]) for family, listed in pairs.items()),
        names=tuple(column.name for column in found),
        groups=tuple(column.family.group for column in found),
        units=tuple(column.family.unit for column in found),
    )


def _published_rings(data: ShowerSource) -> int:
    """Return the rings of the HGCal challenge's geometry for the particle of the first shower."""
    first = data[:1]
    return challenge_hgcal.n_rings(int(first.pdg_id[0]) if len(first) else 22)


Filled = tuple[slice, "F32", "F32", int]  # rows, their features and incident energies, how many are not finite


def _filled(plan: _Plan, data: ShowerSource, client: Any) -> Iterator[Filled]:
    """Compute features of at most `CHUNK` showers at a time, here or on a cluster, in any order."""
    if client is not None:
        for _, found in on_cluster(client, _slice, (plan, data), range(-(-len(data) // CHUNK))):
            yield found
        return
    start = 0
    for whole in data.chunks():
        for showers in whole.chunks(CHUNK):
            yield _fill(plan, showers, start)
            start += len(showers)


def _slice(work: tuple[_Plan, ShowerSource], number: int) -> Filled:
    """Compute the features of one slice of showers."""
    plan, data = work
    start = number * CHUNK
    return _fill(plan, data[start : start + CHUNK], start)


def _fill(plan: _Plan, showers: Showers, start: int) -> Filled:
    """Compute the features of showers that are number `start` and following."""
    _check_cells(showers, plan.numbers, start)
    values = np.full((len(showers), len(plan.names)), np.nan, np.float32)
    sums = FeatureSums.of(showers, plan.numbers, plan.rules, plan.grid, plan.cells_of_layer)
    for family, members, columns in plan.columns:
        found = family.compute(sums)
        values[:, columns] = found[:, np.newaxis] if found.ndim == 1 else found[:, members]
    broken = np.unique(showers.shower[~np.isfinite(showers.energy)])
    values[broken] = np.nan
    return slice(start, start + len(showers)), values, showers.incident_energy, len(broken)


def _check_cells(showers: Showers, numbers: CellNumbers, start: int) -> None:
    """Refuse hits in cells that do not exist."""
    bad = np.flatnonzero((showers.cell < 0) | (showers.cell >= len(numbers.layer)))
    if len(bad):
        first = int(showers.shower[bad[0]]) + start
        msg = (
            f"{len(bad)} hits are in cells that the detector does not have (it has {len(numbers.layer)}), first in "
            f"shower {first}, cell {showers.cell[bad[0]]}; give the geometry the showers were made with"
        )
        raise InputError(msg)
