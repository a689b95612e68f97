"""`simulate`: showers of a beam in any cell table with known material."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.material import MaterialProfile, load_material
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import CHUNK, Showers
from hgcal_gnn.simulation.build import build_stack
from hgcal_gnn.simulation.hadronic import new_queue
from hgcal_gnn.simulation.hits import new_hits
from hgcal_gnn.simulation.kernel import Block, simulate_block
from hgcal_gnn.simulation.parameters import EmModel, HadronModel
from hgcal_gnn.simulation.stack import World, new_axis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.simulation.beam import Beam

BLOCK = 128  # showers made by one thread before it looks for more


def simulate(
    table: CellTable,
    beam: Beam,
    n: int,
    *,
    seed: int = 0,
    material: MaterialProfile | None = None,
    em: EmModel | None = None,
    hadron: HadronModel | None = None,
    threads: int | None = None,
) -> Showers:
    """Simulate `n` showers at once; `simulate_chunks` keeps the memory bounded.

    Parameters
    ----------
    table
        Cells of the calorimeter.
    beam
        What is shot where.
    seed
        Shower i depends on (seed, i) and on nothing else: neither on `n` nor on the number of threads.
    material
        Default: the built-in one of `table.detector`.
    em, hadron
        Parameters of the models.
    threads
        Default: the processors this process may use.

    Raises
    ------
    UsageError
        If nothing is known about the material of the detector, or `n` or `seed` is negative.
    InputError
        If the material does not fit the table.
    """
    options = {"seed": seed, "material": material, "em": em, "hadron": hadron, "threads": threads}
    parts = list(simulate_chunks(table, beam, n, **options))  # type: ignore[arg-type]
    return Showers.concatenate(parts) if parts else Showers.empty(sample_metadata(table, beam, seed))


def simulate_chunks(
    table: CellTable,
    beam: Beam,
    n: int,
    *,
    seed: int = 0,
    material: MaterialProfile | None = None,
    em: EmModel | None = None,
    hadron: HadronModel | None = None,
    threads: int | None = None,
    chunk: int = CHUNK,
    begin: int = 0,
) -> Iterator[Showers]:
    """Simulate showers `begin` to `begin + n` in chunks; parameters and errors as for `simulate`."""
    if n < 0 or begin < 0 or not 0 <= seed < 2**63:
        msg = f"the number of showers and the seed must not be negative, got n = {n}, begin = {begin}, seed = {seed}"
        raise UsageError(msg)
    simulator = Simulator(table, beam, material=material, em=em, hadron=hadron, threads=threads)
    for start in range(begin, begin + n, chunk):
        yield simulator(min(chunk, begin + n - start), seed, begin=start)


class Simulator:
    """A simulation that is set up once and called for showers any number of times; parameters as for `simulate`."""

    def __init__(
        self,
        table: CellTable,
        beam: Beam,
        *,
        material: MaterialProfile | None = None,
        em: EmModel | None = None,
        hadron: HadronModel | None = None,
        threads: int | None = None,
    ) -> None:
        self.table, self.beam = table, beam
        self._built = build_stack(table, material or load_material(table.detector))
        self._settings, self._em, self._hadron = beam.settings(), em or EmModel(), hadron or HadronModel()
        self.threads = threads or _processors()

    def __call__(self, n: int, seed: int = 0, *, begin: int = 0) -> Showers:
        """Simulate showers `begin` to `begin + n` of a seed, at least one; a single block needs no other thread."""
        edges = [*range(begin, begin + n, BLOCK), begin + n]
        spans = list(pairwise(edges))
        if self.threads == 1 or len(spans) == 1:
            blocks = [self._block(seed, *span) for span in spans]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                blocks = list(pool.map(lambda span: self._block(seed, *span), spans))
        return _showers(blocks, self.beam, begin, sample_metadata(self.table, self.beam, seed))

    def _block(self, seed: int, start: int, stop: int) -> Block:
        stack, sensors, finder = self._built
        world = World(stack, sensors, finder, new_hits(), new_axis(len(stack.position)), np.zeros(4, np.uint64))
        found: Block = simulate_block(
            self._settings, self._em, self._hadron, world, new_queue(), seed, start, stop - start
        )  # fmt: skip
        return found


def _processors() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def sample_metadata(table: CellTable, beam: Beam, seed: int) -> ShowerMetadata:
    """Describe the sample: everything needed to make it again."""
    extra = {"detector": table.detector, "beam": json.dumps(asdict(beam))}
    return ShowerMetadata(cells_sha256=table.sha256, source="parametrised simulation", seed=seed, extra=extra)


def _showers(blocks: list[Block], beam: Beam, start: int, metadata: ShowerMetadata) -> Showers:
    """Join blocks to one chunk of showers, hits of each in order of their cells."""
    joined = Block(*(np.concatenate(arrays) for arrays in zip(*blocks, strict=True)))
    n = len(joined.counts)
    shower = np.repeat(np.arange(n), joined.counts)
    order = np.argsort(shower * np.int64(2**31) + joined.cell)
    columns: dict[str, Any] = {
        "offsets": np.concatenate([[0], np.cumsum(joined.counts)]).astype(np.int64),
        "cell": joined.cell[order],
        "energy": joined.energy[order],
        "incident_energy": joined.incident.astype(np.float32),
        "pdg_id": np.full(n, beam.pdg_id, np.int32),
        "event_id": np.arange(start, start + n, dtype=np.int64),
        "particle_index": np.zeros(n, np.int16),
        "first_layer": joined.first,
        "f_em": (joined.truth[:, 0] / joined.incident).astype(np.float32),
        "leaked_energy": joined.truth[:, 2].astype(np.float32),
    }
    for k, axis in enumerate("xyz"):
        columns[f"vertex_{axis}"] = joined.vertex[:, k].astype(np.float32)
        columns[f"direction_{axis}"] = joined.direction[:, k].astype(np.float32)
    return Showers(**columns, metadata=metadata)
