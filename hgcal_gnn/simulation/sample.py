"""Simulated samples as files: a store written in parts, so that an interrupted simulation goes on where it stopped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn import __version__
from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.material import MaterialProfile, load_material
from hgcal_gnn.showers.root.write import write_root
from hgcal_gnn.showers.store.in_parts import Counting, SampleReport, check_cluster_output, write_in_parts
from hgcal_gnn.simulation.simulate import Simulator, sample_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.simulation.beam import Beam

PART = 4096  # showers that are lost at most when the program is killed
STEP = 1024  # showers between two signs of progress: enough blocks for 8 threads
MIDDLE = 0.07  # share of the front that may lack cells in its middle: an endcap has its hole there
SPREAD = 8.0  # standard deviations of the vertex that are counted on


def write_sample(
    cells: CellTable,
    beam: Beam,
    n: int,
    output: Path,
    *,
    seed: int = 0,
    material: MaterialProfile | None = None,
    threads: int | None = None,
    cluster: Any = None,
    overwrite: bool = False,
    progress: Callable[[int], Any] | None = None,
) -> SampleReport:
    """Simulate showers into a store (.arrow) or a ROOT file.

    A store is written in parts of 4,096 showers: the same call later goes on where an interrupted one stopped.
    The result does not depend on that, nor on the number of threads.

    Parameters
    ----------
    cells
        The detector; the showers count its rows.
    n
        Number of showers.
    output
        ``NAME.arrow`` or ``NAME.root``.
    material
        Default: the built-in one of `cells.detector`.
    threads
        Default: the processors this process may use; one in each process of a cluster.
    cluster
        A Dask cluster that makes the parts of a store, see `dask_cluster.cluster_client`.
    progress
        Called with the number of showers done after each step.

    Raises
    ------
    UsageError
        If the output has another ending or `n` is below 1, or as `simulate` does; if there is no such cluster.
    HgcalError
        If the cluster is lost; finished parts stay.
    OutputError
        If the output exists (unless `overwrite`) or cannot be written.
    """
    check_output(output)
    if n < 1:
        msg = f"the number of showers must be at least 1, got {n}"
        raise UsageError(msg)
    material = material or load_material(cells.detector)
    metadata = _metadata(cells, beam, seed, material)
    told = progress or (lambda _: None)
    is_store = Path(output).suffix.lower() == ".arrow"
    if cluster is not None:
        check_cluster_output(output, is_store=is_store)
        threads = threads or 1
    chunks = _Chunks.of(cells, beam, n, seed, material, threads, metadata, STEP)
    if is_store:
        return write_in_parts(
            chunks, n, Path(output), metadata, part=PART, told=told, cluster=cluster, overwrite=overwrite
        )
    counted = Counting(chunks(0), told)
    write_root(counted, output, cells, overwrite=overwrite)
    return SampleReport(0, counted.empty)


@dataclass(frozen=True, eq=False)
class _Chunks:
    """Gives the showers from any number on; `cells` are those the beam can reach, from row `first` of the detector."""

    cells: CellTable
    first: int
    beam: Beam
    n: int
    seed: int
    material: MaterialProfile
    threads: int | None
    metadata: ShowerMetadata
    step: int

    @classmethod
    def of(cls, cells: CellTable, beam: Beam, *rest: Any) -> _Chunks:
        rows = needed_rows(cells, beam)
        return cls(cells.select(rows), rows.start, beam, *rest)

    @cached_property
    def simulator(self) -> Simulator:
        return Simulator(self.cells, self.beam, material=self.material, threads=self.threads)

    def __call__(self, begin: int) -> Iterator[Showers]:
        for start in range(begin, self.n, self.step):
            showers = self.simulator(min(self.step, self.n - start), self.seed, begin=start)
            yield showers.replace(cell=showers.cell + np.int32(self.first), metadata=self.metadata)


def check_output(output: Path) -> None:
    """Refuse outputs that are neither a store nor a ROOT file."""
    if Path(output).suffix.lower() not in (".arrow", ".root"):
        msg = f"{output}: showers are simulated into .arrow or .root files; convert them to others afterwards"
        raise UsageError(msg)


def aim(cells: CellTable) -> tuple[float, float, float] | None:
    """Return the direction from the origin to the middle of the first layer; None if there are no cells.

    There are none in the hole of an endcap, between two endcaps, and inside a closed barrel.
    """
    first = cells.layer == cells.layer.min()
    front = np.stack([getattr(cells, axis)[first].astype(np.float64) for axis in "xyz"], axis=1)
    middle = front.mean(axis=0)
    away = float(np.linalg.norm(front - middle, axis=1).min())
    length = float(np.linalg.norm(middle))
    if away > MIDDLE * float(np.ptp(front, axis=0).max()) or length == 0:
        return None
    x, y, z = (middle / length).tolist()
    return x, y, z


def needed_rows(cells: CellTable, beam: Beam) -> slice:
    """Return the rows of the endcap the beam points to, or all: particles leave no deposits behind their vertex."""
    low, high = (beam.eta, beam.eta) if isinstance(beam.eta, int | float) else beam.eta
    if beam.direction is not None:
        low = high = beam.direction[2]
    sides = np.unique(cells.z_side).tolist()
    side = 1 if low > 0 else -1 if high < 0 else 0
    depth = float(np.abs(cells.z).min())
    reach = abs(beam.vertex[2]) + SPREAD * beam.vertex_sigma[2]
    if sides != [-1, 1] or not side or reach > depth:
        return slice(0, cells.n_cells)
    return slice(*np.searchsorted(cells.z_side, [side, side + 1]).tolist())


def _metadata(cells: CellTable, beam: Beam, seed: int, material: MaterialProfile) -> ShowerMetadata:
    """Describe the sample, material and program included: only parts of the same are continued."""
    base = sample_metadata(cells, beam, seed)
    digest = hashlib.sha256()
    for item in fields(material):
        values = getattr(material, item.name)
        digest.update(values.tobytes() if isinstance(values, np.ndarray) else repr(values).encode())
    more = {"material": f"{material.name} {digest.hexdigest()[:12]}", "hgcal_gnn": __version__}
    return replace(base, extra={**base.extra, **more})
