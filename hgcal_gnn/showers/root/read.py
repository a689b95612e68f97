"""Read ROOT shower trees in steps of bounded memory, with uproot and threads for decompression."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.file_report import SEVERAL_PARTICLES, UNKNOWN_CELL, FileReport, Finding
from hgcal_gnn.showers.input_rules import InputRules
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.root.arrays import ragged
from hgcal_gnn.showers.root.hits import CellRows, EventHits, build_showers
from hgcal_gnn.showers.root.particles import ParticleRule, Particles, choose, particles_of
from hgcal_gnn.showers.root.steps import HITS, TIMES, event_hits
from hgcal_gnn.showers.root.tree import (
    TreeBranches,
    detect_branches,
    find_branches,
    find_tree,
    open_root,
    reading,
    written_metadata,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.root.branches import BranchMap
    from hgcal_gnn.showers.showers import Showers

    Steps = Generator[tuple[EventHits, Particles]]

STEP = "10 MB"  # of uncompressed branches; larger steps leave the processor's cache and were up to twice slower
MAX_THREADS = 4

Item = TypeVar("Item")


@dataclass(frozen=True)
class RootOptions:
    """How to read ROOT shower trees.

    Attributes
    ----------
    branches
        Which branch holds what (`branches.load_branch_map`); None: the first preset that fits.
    tree
        Path of the tree in the file; by default found by the branch map.
    particles
        What to do with several incident particles in one event (see `root_particles.choose`).
    rules
        What to do with hits and events out of the ordinary.
    times
        Read hit times where the file has them.
    force_geometry
        Accept files this package wrote with another geometry, if this one has all their ids.
    step
        Uncompressed size of the branches read at once, as uproot takes it ("10 MB").
    threads
        Threads for decompression; 0: as many as there are cores, up to 4.
    """

    branches: BranchMap | None = None
    tree: str = ""
    particles: ParticleRule = "one"
    rules: InputRules = field(default_factory=InputRules)
    times: bool = True
    force_geometry: bool = False
    step: str = STEP
    threads: int = 0


def iterate_root(
    path: Path | str,
    cells: CellTable | CellRows,
    options: RootOptions | None = None,
    report: FileReport | None = None,
    metadata: ShowerMetadata | None = None,
) -> Iterator[Showers]:
    """Read the showers of one file, step by step.

    Parameters
    ----------
    path
        File, or an address such as ``root://server//file``.
    cells
        Geometry whose rows the hits get.
    report
        Filled while reading.
    metadata
        Given to the showers.

    Raises
    ------
    InputError
        If the file cannot be read, tree or branches are missing, or it holds what the options refuse.
    """
    options = options or RootOptions()
    report = report if report is not None else FileReport(str(path))
    index = cells if isinstance(cells, CellRows) else CellRows.of(cells)
    metadata = metadata or ShowerMetadata(cells_sha256=index.cells_sha256, source=str(path))
    with reader(str(path), options, report, index.cells_sha256) as events:
        for hits, particles in events:
            if options.particles not in ("one", "none"):
                several = int((particles.counts > 1).sum())
                report.count(SEVERAL_PARTICLES, several, f"rule {options.particles}")
            incident = choose(particles, options.particles, f"{path}, from event {report.events} on")
            yield build_showers(hits, incident, index, options.rules, report, metadata)
    n_unknown = report.findings.get(UNKNOWN_CELL, Finding()).count
    if n_unknown and not report.hits:
        msg = f"{path}: all {n_unknown} hits lie in cells the geometry does not hold; it belongs to another geometry"
        raise InputError(msg)


@contextmanager
def reader(path: str, options: RootOptions, report: FileReport, cells_sha256: str = "") -> Iterator[Steps]:
    """Open a file and give an iterator over its steps: hits and incident particles of some events."""
    with open_root(path) as file:
        if not options.force_geometry:
            written_metadata(file, path).check_geometry(cells_sha256, source=path)
        branches = options.branches or detect_branches(file, path, options.tree)
        tree = find_tree(file, path, branches, options.tree)
        found = find_branches(tree, path, branches, wanted=_wanted(options), need_particles=options.particles != "none")
        report.collections = list(found.collections)
        n_threads = options.threads or min(os.cpu_count() or 1, MAX_THREADS)
        with ThreadPoolExecutor(n_threads) if n_threads > 1 else nullcontext() as pool:
            arrays = tree.iterate(found.names, step_size=options.step, decompression_executor=pool)
            steps = _ahead(_steps(arrays, found, branches, options, report))
            try:
                yield steps
            finally:
                steps.close()  # nothing may still be reading when the file is closed


def _steps(
    steps: Iterator[Any], found: TreeBranches, branches: BranchMap, options: RootOptions, report: FileReport
) -> Steps:
    """Turn the arrays of each step into the types and units of the store."""
    start = 0
    while True:
        source = f"{report.path}, from event {start} on"
        with reading(report.path, f"the tree from event {start} on"):
            arrays = next(steps, None)
        if arrays is None:
            return
        hits = event_hits(arrays, found, branches, source, start, report)
        lists = {entry: ragged(arrays[name], name) for entry, name in found.particles.items()}
        if options.particles == "none":
            lists = {}
        yield hits, particles_of(lists, branches, hits.n_events, source)
        start += hits.n_events


def _ahead(items: Iterator[Item]) -> Generator[Item]:
    """Compute the next item in a thread while the present one is in use."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def _wanted(options: RootOptions) -> tuple[str, ...]:
    """Return the entries of the hits to read."""
    return (*HITS, "count", *(TIMES if options.times else ()))
