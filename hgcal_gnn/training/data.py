"""What a run learns from and is tested on: opened, checked at the door, and dealt out."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.batching.order import split_rows
from hgcal_gnn.errors import InputError
from hgcal_gnn.training.geometry import load_geometry
from hgcal_gnn.training.samples import open_sample

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, I64, Bools
    from hgcal_gnn.config.data import DataConfig, SampleConfig
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.store import ShowerStore

log = logging.getLogger(__name__)
FEWEST = 2  # showers to train on; batch normalisation needs as many
MENTIONED = 5  # showers named in an error


@dataclass(frozen=True, eq=False)
class Sample:
    """Showers of a store.

    Attributes
    ----------
    store
    rows : int64 [n_showers]
        Ascending.
    n_empty
        Showers without hits that were left out.
    """

    store: ShowerStore
    rows: I64
    n_empty: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def energy(self) -> F32:
        """True energies [GeV], float32 [n_showers]."""
        energy: F32 = self.store.column("incident_energy")[self.rows]
        return energy

    @property
    def sha256(self) -> str:
        """Hash of what tells these showers from others: geometry, energies, numbers of events and of hits."""
        digest = hashlib.sha256(self.store.metadata.cells_sha256.encode())
        for values in (self.energy, self.store.column("event_id")[self.rows], self.store.n_hits[self.rows]):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def part(self, places: I64) -> Sample:
        """Return some of the showers."""
        return Sample(self.store, self.rows[places], self.n_empty)


@dataclass(frozen=True, eq=False)
class RunData:
    """Geometry and samples of a run."""

    graph: CellGraph
    material: MaterialProfile
    train: Sample
    validation: Sample
    test: Sample


def open_data(config: DataConfig, geometry: tuple[CellGraph, MaterialProfile] | None = None) -> RunData:
    """Open and check everything a run needs; simulate what is not there yet.

    Parameters
    ----------
    config
    geometry
        What `load_geometry` gave, where the caller has it already.

    Raises
    ------
    InputError
        If files or values in them cannot be used, or there are too few showers.
    GeometryMismatchError
        If showers were made with another geometry.
    """
    graph, material = geometry or load_geometry(config)
    learn = _opened(config.train, graph, material, config.empty)
    if config.test is None:
        rest, test = _split(learn, config.test_fraction, config.split_seed)
    else:
        rest, test = learn, _opened(config.test, graph, material, config.empty)
    train, validation = _split(rest, config.validation_fraction, config.split_seed)
    if len(train) < FEWEST or not len(validation) or not len(test):
        msg = (
            f"{learn.store.path}: {len(learn)} showers are too few: {len(train)} would be left to train on, "
            f"{len(validation)} to validate and {len(test)} to test"
        )
        raise InputError(msg)
    log.info("%d showers to train on, %d to validate, %d to test", len(train), len(validation), len(test))
    return RunData(graph, material, train, validation, test)


def _opened(config: SampleConfig, graph: CellGraph, material: MaterialProfile, empty: str) -> Sample:
    """Open and check a sample; of files that are not our own, every value."""
    store, rows = open_sample(config, graph.cells, material)
    sample = _checked(store, rows, empty)
    if config.showers is not None:
        store.verify(graph.n_cells)
    return sample


def _split(sample: Sample, fraction: float, seed: int) -> tuple[Sample, Sample]:
    """Deal a share of the showers out to a second sample."""
    most, some = split_rows(len(sample), (1 - fraction, fraction), seed=seed)
    return sample.part(most), sample.part(some)


def _checked(store: ShowerStore, rows: I64, empty: str) -> Sample:
    """Refuse impossible energies, and refuse or leave out showers without hits."""
    energy = store.column("incident_energy")[rows]
    impossible = ~(np.isfinite(energy) & (energy > 0))
    if impossible.any():
        msg = (
            f"{store.path}: incident_energy must be above 0 and finite; it is not in {impossible.sum()} of {len(rows)} "
            f"showers ({_first(impossible, energy)}); leave these showers out or mend their source"
        )
        raise InputError(msg)
    without = store.n_hits[rows] == 0
    n_empty = int(without.sum())
    if n_empty and empty == "refuse":
        msg = (
            f"{store.path}: {n_empty} of {len(rows)} showers have no hit (first: shower {np.flatnonzero(without)[0]}); "
            "there is nothing to learn from them: leave them out with data.empty drop, or check that the beam points "
            "at the detector"
        )
        raise InputError(msg)
    if n_empty:
        log.warning("%s: %d of %d showers have no hit and are left out", store.path, n_empty, len(rows))
    return Sample(store, rows[~without], n_empty)


def _first(wrong: Bools, energy: F32) -> str:
    """Name the first showers with a wrong energy."""
    rows = np.flatnonzero(wrong)[:MENTIONED]
    return "first: " + ", ".join(f"shower {row}: {energy[row]:g} GeV" for row in rows)
