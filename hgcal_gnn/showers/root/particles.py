"""Incident particles of events: read from a list per event, reduced to one per shower by a stated rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.checks import first
from hgcal_gnn.showers.columns import COLUMNS
from hgcal_gnn.showers.ragged import segment_of, segment_sums
from hgcal_gnn.showers.root.branches import ENERGY_IN_GEV, LENGTH_IN_CM
from hgcal_gnn.showers.showers import direction_from_eta_phi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hgcal_gnn.showers.root.arrays import Ragged
    from hgcal_gnn.showers.root.branches import BranchMap

ParticleRule = Literal["one", "first", "highest-energy", "sum", "by-side", "none"]
DIRECTION = ("direction_x", "direction_y", "direction_z")
VERTEX = ("vertex_x", "vertex_y", "vertex_z")
MOMENTUM = ("px", "py", "pz")
BALANCED = 1e-5  # share of the energy below which a summed momentum is rounding: it has no direction
INCIDENT = ("incident_energy", "pdg_id", *VERTEX, *DIRECTION, "particle_index")


@dataclass(frozen=True)
class Particles:
    """Incident particles of some events.

    Attributes
    ----------
    offsets : int64 [n_events + 1]
    columns
        The columns `INCIDENT` of the store, [n_particles] each, in their units.
    """

    offsets: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Particles per event, int64 [n_events]."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Incident:
    """The incident particle of each shower.

    Attributes
    ----------
    event : int64 [n_showers]
        Event the shower belongs to, ascending; an event may give none, one or (rule "by-side") two.
    columns
        The columns `INCIDENT`, [n_showers] each; unknown values where the event has no particle.
    side : int8 [n_showers] or None
        Endcap whose hits belong to the shower (rule "by-side"), None: all hits of the event.
    expected
        Whether an event without a particle is out of the ordinary.
    """

    event: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    side: NDArray[np.int8] | None = None
    expected: bool = True


def particles_of(lists: Mapping[str, Ragged], branches: BranchMap, n_events: int, source: str) -> Particles:
    """Convert the particle branches that exist (entry of the branch map to values) to the store's columns.

    Branches with one value per event hold for all particles of the event.

    Raises
    ------
    InputError
        If branches disagree about the number of particles, or energies are NaN, infinite or negative.
    """
    if not lists:
        return Particles(np.zeros(n_events + 1, np.int64), {name: COLUMNS[name].filled(0) for name in INCIDENT})
    offsets = lists["energy" if "energy" in lists else "pz"].offsets
    values = {entry: _per_particle(entry, values, offsets, source) for entry, values in lists.items()}
    keep = branches.particles.keep
    if keep is not None and "keep" in values:
        chosen = values["keep"] == keep.equals if keep.equals is not None else values["keep"] >= (keep.at_least or 0)
        offsets = np.concatenate([[0], np.cumsum(chosen)])[offsets]
        values = {entry: column[chosen] for entry, column in values.items()}
    columns = _columns(values, offsets, branches)
    energy = columns["incident_energy"]
    bad = np.flatnonzero(~(np.isfinite(energy) & (energy >= 0)))
    if len(bad):
        events = np.unique(np.searchsorted(offsets, bad, side="right") - 1)
        msg = (
            f"{source}: {len(bad)} incident particles have an energy that is NaN, infinite or negative, "
            f"first in events {first(events)} of this step; correct the file, or ignore particles (particles='none')"
        )
        raise InputError(msg)
    return Particles(offsets, columns)


def choose(particles: Particles, rule: ParticleRule, source: str) -> Incident:
    """Give every event its incident particle.

    Parameters
    ----------
    rule
        "one": events may have one particle at most; "first" of the list; "highest-energy"; "sum": energies
        added, direction of the summed momenta, vertex of the highest energy, pdg_id 0 where several;
        "by-side": one shower per particle, made of the hits in the particle's endcap; "none": not known.

    Raises
    ------
    InputError
        Rule "one" and an event with several particles; rule "by-side" and two particles in one endcap.
    """
    counts = particles.counts
    several = np.flatnonzero(counts > 1)
    if rule == "one" and len(several):
        msg = (
            f"{source}: {len(several)} of {len(counts)} events have several incident particles (up to {counts.max()}), "
            f"first events {first(several)} of this step; their hits cannot be told apart: choose "
            "--particles first, highest-energy or sum, or by-side if each endcap has one particle at most"
        )
        raise InputError(msg)
    if rule == "by-side":
        return _by_side(particles, source)
    rows = np.where(counts > 0, particles.offsets[:-1], -1)
    if rule == "none":
        rows = np.full(len(counts), -1)
    elif rule in ("highest-energy", "sum"):
        rows = _highest(particles)
    columns = {name: _take(name, values, rows) for name, values in particles.columns.items()}
    if rule == "sum":
        columns |= _sums(particles, columns, several)
    return Incident(np.arange(len(counts)), columns, expected=rule != "none")


def _per_particle(entry: str, values: Ragged, offsets: NDArray[np.int64], source: str) -> NDArray[Any]:
    """Bring a branch to one value per particle."""
    if np.array_equal(values.offsets, offsets):
        return values.values
    if (values.counts == 1).all():
        return np.repeat(values.values, np.diff(offsets))
    bad = np.flatnonzero(values.counts != np.diff(offsets))
    msg = (
        f"{source}: particles.{entry} has another number of values than the incident energy "
        f"in {len(bad)} events, first events {first(bad)} of this step"
    )
    raise InputError(msg)


def _columns(
    values: Mapping[str, NDArray[Any]], offsets: NDArray[np.int64], branches: BranchMap
) -> dict[str, NDArray[Any]]:
    """Return the columns `INCIDENT` from what the file has."""
    n_particles = int(offsets[-1])
    found: dict[str, NDArray[Any]] = {}
    momentum = _all(values, MOMENTUM)
    scale = ENERGY_IN_GEV[branches.energy_unit]
    if "energy" in values:
        found["incident_energy"] = scale * values["energy"].astype(np.float64)
    elif momentum is not None:
        mass = values.get("mass", np.zeros(n_particles)).astype(np.float64)
        found["incident_energy"] = scale * np.sqrt((momentum**2).sum(axis=0) + mass**2)
    direction = _direction(values, momentum)
    if direction is not None:
        found |= dict(zip(DIRECTION, direction, strict=True))
    for name in VERTEX:
        if name in values:
            found[name] = LENGTH_IN_CM[branches.length_unit] * values[name].astype(np.float64)
    if "pdg_id" in values:
        found["pdg_id"] = values["pdg_id"]
    place = np.arange(n_particles) - np.repeat(offsets[:-1], np.diff(offsets))
    found["particle_index"] = values.get("particle_index", place)
    return {
        name: found[name].astype(COLUMNS[name].dtype) if name in found else COLUMNS[name].filled(n_particles)
        for name in INCIDENT
    }


def _direction(values: Mapping[str, NDArray[Any]], momentum: NDArray[np.float64] | None) -> Any:
    """Return the direction [3, n] from unit vectors, momenta, or eta and phi; None if the file has none of them."""
    vector = _all(values, DIRECTION)
    if vector is not None:
        return vector
    if momentum is not None:
        with np.errstate(invalid="ignore"):
            return momentum / np.sqrt((momentum**2).sum(axis=0))
    if "eta" in values and "phi" in values:
        return direction_from_eta_phi(values["eta"], values["phi"])
    return None


def _all(values: Mapping[str, NDArray[Any]], entries: tuple[str, ...]) -> NDArray[np.float64] | None:
    if not all(entry in values for entry in entries):
        return None
    return np.stack([values[entry].astype(np.float64) for entry in entries])


def _take(name: str, values: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return ``values[rows]``, unknown where the row is -1."""
    if not len(values):
        return COLUMNS[name].filled(len(rows))
    return np.where(rows >= 0, values[rows], COLUMNS[name].dtype.type(COLUMNS[name].unknown))


def _highest(particles: Particles) -> NDArray[np.int64]:
    """Return the particle of highest energy of each event (the first of equals), -1 without particles."""
    event = segment_of(particles.offsets)
    order = np.lexsort((-particles.columns["incident_energy"], event))
    rows = np.full(len(particles.counts), -1)
    filled = np.flatnonzero(particles.counts)
    rows[filled] = order[particles.offsets[filled]]
    return rows


def _sums(
    particles: Particles, highest: Mapping[str, NDArray[Any]], several: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Return the columns that change where events have several particles; masses are neglected in the direction."""
    energy = particles.columns["incident_energy"].astype(np.float64)
    total = {"incident_energy": segment_sums(energy, particles.offsets)}
    total |= {name: segment_sums(energy * particles.columns[name], particles.offsets) for name in DIRECTION}
    norm = np.sqrt(sum(total[name] ** 2 for name in DIRECTION))
    norm[norm < BALANCED * total["incident_energy"]] = np.nan
    changed = {name: highest[name].copy() for name in (*total, "pdg_id")}
    for name, values in total.items():
        divisor = norm[several] if name in DIRECTION else 1.0
        changed[name][several] = values[several] / divisor
    changed["pdg_id"][several] = 0
    return changed


def _by_side(particles: Particles, source: str) -> Incident:
    """Return one shower per particle, with the endcap it flies to."""
    event = segment_of(particles.offsets)
    z = particles.columns["direction_z"]
    side = np.where(z < 0, -1, 1).astype(np.int8)
    lost = np.flatnonzero(~(np.abs(z) > 0))
    per_side = np.bincount(2 * event + (side < 0), minlength=2 * len(particles.counts))
    crowded = np.unique(np.flatnonzero(per_side > 1) // 2)
    if len(crowded) or len(lost):
        bad, what = (crowded, "two particles in one endcap") if len(crowded) else (event[lost], "no direction in z")
        msg = (
            f"{source}: {len(bad)} events have {what}, first events {first(bad)} of this step; "
            "their hits cannot be told apart by endcap: choose --particles first, highest-energy or sum"
        )
        raise InputError(msg)
    return Incident(event, particles.columns, side)
