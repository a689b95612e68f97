"""What is in a shower store, in numbers: what `inspect` prints. The keys are a public contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.showers.store import ShowerStore

RANGES = ("hits_per_shower", "incident_energy", "visible_energy", "hit_energy", "eta", "vertex_z")
MUCH = 0.01  # share of the showers from which on a sum above the incident energy is a finding


@dataclass
class _Range:
    """Mean, smallest and largest of the values seen so far; NaN and infinities are left out."""

    count: int = 0
    total: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    def add(self, values: NDArray[Any]) -> None:
        known = values[np.isfinite(values)]
        if len(known):
            self.count += len(known)
            self.total += float(known.sum(dtype=np.float64))
            self.low, self.high = min(self.low, float(known.min())), max(self.high, float(known.max()))

    def as_json(self) -> dict[str, float | None]:
        if not self.count:
            return {"mean": None, "min": None, "max": None}
        return {"mean": self.total / self.count, "min": self.low, "max": self.high}


class _Counts:
    """Everything that is counted chunk by chunk."""

    def __init__(self) -> None:
        self.ranges = {name: _Range() for name in RANGES}
        self.particles: dict[int, int] = {}
        self.empty = self.no_energy = self.bad_hits = self.zero_hits = self.repeated = self.outside = self.above = (
            self.unweighted
        ) = 0
        self.n_hits = 0

    def add(self, showers: Showers, n_cells: int | None) -> None:
        visible, energy = showers.visible, showers.energy
        self.n_hits += len(energy)
        seen: dict[str, NDArray[Any]] = {
            "hits_per_shower": showers.n_hits,
            "incident_energy": showers.incident_energy,
            "visible_energy": visible,
            "hit_energy": energy,
            "eta": showers.eta,
            "vertex_z": showers.vertex_z,
        }
        for name, values in seen.items():
            self.ranges[name].add(values)
        kinds, number_of = np.unique(showers.pdg_id, return_counts=True)
        for particle, number in zip(kinds.tolist(), number_of.tolist(), strict=True):
            self.particles[particle] = self.particles.get(particle, 0) + number
        self.empty += int((showers.n_hits == 0).sum())
        self.no_energy += int((~np.isfinite(showers.incident_energy)).sum())
        self.bad_hits += int((~(np.isfinite(energy) & (energy >= 0))).sum())
        self.zero_hits += int((energy == 0).sum())
        self.repeated += len(energy) - len(showers.merged().cell)
        self.above += int((visible > showers.incident_energy).sum())
        if showers.weight is not None:
            self.unweighted += int((showers.weight == 0).sum())
        if n_cells is not None:
            self.outside += int(((showers.cell < 0) | (showers.cell >= n_cells)).sum())


def summarise_showers(store: ShowerStore, cells: CellTable | None = None) -> dict[str, Any]:
    """Read a store once, chunk by chunk, and describe it.

    Parameters
    ----------
    cells
        The geometry, if it is at hand: then hits outside it are looked for.

    Returns
    -------
    dict
        n_showers, n_hits, columns, particles (list of pdg_id, showers), of hits_per_shower, incident_energy [GeV],
        visible_energy [GeV], hit_energy [GeV], eta and vertex_z [cm] mean, min and max (null where not known),
        metadata (cells_sha256, source, seed, units, version, extra), findings (list of severity, message).
    """
    counts = _Counts()
    for showers in store.chunks():
        counts.add(showers, None if cells is None else cells.n_cells)
    metadata = store.metadata
    return {
        "n_showers": len(store),
        "n_hits": counts.n_hits,
        "columns": list(store.names),
        "particles": [{"pdg_id": key, "showers": counts.particles[key]} for key in sorted(counts.particles)],
        **{name: found.as_json() for name, found in counts.ranges.items()},
        "metadata": {
            "cells_sha256": metadata.cells_sha256,
            "source": metadata.source,
            "seed": metadata.seed,
            "units": dict(metadata.units),
            "version": metadata.version,
            "extra": dict(metadata.extra),
        },
        "findings": _findings(counts, len(store), metadata.cells_sha256),
    }


def _findings(counts: _Counts, n_showers: int, cells_sha256: str) -> list[dict[str, str]]:
    """Say what is wrong ("error") or looks wrong ("warning")."""
    found = [
        ("error", counts.outside, "hits lie in cells the geometry does not have"),
        ("error", counts.bad_hits, "hits have a negative, NaN or infinite energy"),
        ("warning", counts.zero_hits, "hits have no energy"),
        ("warning", counts.empty, f"of {n_showers} showers have no hits"),
        ("warning", counts.no_energy, f"of {n_showers} showers have no incident energy"),
        (
            "warning",
            counts.repeated,
            "hits share their cell with another of their shower (convert --merge-hits adds up)",
        ),
    ]
    if counts.above > MUCH * n_showers:
        text = f"of {n_showers} showers deposit more than their incident energy: is the unit right?"
        found.append(("warning", counts.above, text))
    findings = [{"severity": severity, "message": f"{number} {text}"} for severity, number, text in found if number]
    if not n_showers:
        findings.append({"severity": "warning", "message": "the store is empty"})
    if not cells_sha256:
        findings.append({"severity": "warning", "message": "the store does not say which geometry it belongs to"})
    return findings


def shower_details(showers: Showers, cells: CellTable | None = None) -> Mapping[str, Any]:
    """Describe one shower (the first of `showers`): particle, sums, and with the geometry its layers.

    Returns
    -------
    mapping
        event_id, particle_index, pdg_id, incident_energy [GeV], eta, phi, vertex [cm], hits, visible_energy [GeV],
        simulated truth if there is any, and layers (list of z_side, layer, hits, energy [GeV]) with a geometry.
    """
    one = showers[0]
    truth = ("weight", "first_layer", "f_em", "leaked_energy")
    details: dict[str, Any] = {
        "event_id": int(one.event_id[0]),
        "particle_index": int(one.particle_index[0]),
        "pdg_id": int(one.pdg_id[0]),
        "incident_energy": _known(one.incident_energy),
        "eta": _known(one.eta),
        "phi": _known(one.phi),
        "vertex": [_known(values) for values in (one.vertex_x, one.vertex_y, one.vertex_z)],
        "hits": len(one.cell),
        "visible_energy": float(one.visible[0]),
        **{name: _known(getattr(one, name)) for name in truth if getattr(one, name) is not None},
    }
    if cells is not None:
        key = cells.z_side[one.cell].astype(np.int64) << 32 | cells.layer[one.cell].astype(np.int64)
        layers, which = np.unique(key, return_inverse=True)
        hits, energy = np.bincount(which), np.bincount(which, one.energy)
        details["layers"] = [
            {"z_side": layer >> 32, "layer": layer & 0xFFFFFFFF, "hits": number, "energy": deposit}
            for layer, number, deposit in zip(layers.tolist(), hits.tolist(), energy.tolist(), strict=True)
        ]
    return details


def _known(values: NDArray[Any]) -> float | int | None:
    """Return the first value as JSON can hold it, None for NaN."""
    value: float | int = values[0].item()
    return value if np.isfinite(value) else None
