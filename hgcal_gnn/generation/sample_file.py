"""Generated samples as files; a store is written in parts, so that an interrupted one goes on where it stopped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hgcal_gnn import __version__
from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.convert.files import kind_of
from hgcal_gnn.showers.convert.hdf5_source import Hdf5Options, write_hdf5_showers
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.root.write import write_root
from hgcal_gnn.showers.store.in_parts import Counting, SampleReport, check_cluster_output, write_in_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from hgcal_gnn.generation.generator import AnyGenerator
    from hgcal_gnn.generation.request import ParticleRows
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers

PART = 4096  # showers that are lost at most when the program is killed
STEP_NUMBERS = 2**23  # generated between two signs of progress: 32 MiB
LAYOUTS = MappingProxyType(
    {
        "calochallenge-1-photons": "calochallenge", "calochallenge-1-pions": "calochallenge",
        "calochallenge-2": "calochallenge", "calochallenge-3": "calochallenge", "lcd": "lcd", "lcd25": "lcd",
        "ild-ecal": "getting_high", "calogan": "calogan",
    }
)  # fmt: skip


def write_generated(
    generator: AnyGenerator,
    particles: ParticleRows,
    n: int,
    output: Path,
    *,
    seed: int = 0,
    about: Mapping[str, str] | None = None,
    cells: CellTable | None = None,
    layout: str = "",
    cluster: Any = None,
    overwrite: bool = False,
    progress: Callable[[int], Any] | None = None,
) -> SampleReport:
    """Generate showers into a store (.arrow), a ROOT file or an HDF5 file.

    The result depends on particles, seed and batch size of the generator, not on interruptions.

    Parameters
    ----------
    particles
        The incident particles: (number of the first, how many) -> `Particles`.
    n
        Number of showers.
    about
        Kept in the metadata; an interrupted store is continued only where all of it is the same.
    cells
        Geometry of the generator; needed for ROOT and HDF5 files.
    layout
        Of an HDF5 file; default: the one in which showers of this detector are published, or else showerdata.
    cluster
        A Dask cluster that makes the parts of a store, see `dask_cluster.cluster_client`.
    progress
        Called with the number of showers done after each step.

    Raises
    ------
    UsageError
        For another ending of the output, or without `cells` where they are needed; if there is no such cluster.
    HgcalError
        If the cluster is lost; finished parts stay.
    OutputError
        If the output exists (unless `overwrite`) or cannot be written.
    """
    kind = kind_of(output)
    extra = {"detector": generator.detector, "batch_size": str(generator.batch_size), "hgcal_gnn": __version__}
    metadata = ShowerMetadata(generator.cells_sha256, generator.source, seed, extra={**extra, **(about or {})})
    step = generator.batch_size * max(1, min(STEP_NUMBERS // generator.n_numbers, PART) // generator.batch_size)
    told = progress or (lambda _: None)
    chunks = _Chunks(generator, particles, n, seed, step, metadata)
    if cluster is not None:
        check_cluster_output(output, is_store=kind == "arrow")
    if kind == "arrow":
        part = step * math.ceil(PART / step)
        return write_in_parts(chunks, n, output, metadata, part=part, told=told, cluster=cluster, overwrite=overwrite)
    if cells is None:
        msg = f"{output}: a {kind} file needs the cells of the detector"
        raise UsageError(msg)
    counted = Counting(chunks(0), told)
    if kind == "root":
        write_root(counted, output, cells, overwrite=overwrite)
    else:
        options = Hdf5Options(output_layout=layout or usual_layout(generator.detector))
        write_hdf5_showers(counted, output, cells, options, overwrite=overwrite)
    return SampleReport(0, counted.empty)


@dataclass(frozen=True, eq=False)
class _Chunks:
    """Gives the showers from any number on."""

    generator: AnyGenerator
    particles: ParticleRows
    n: int
    seed: int
    step: int
    metadata: ShowerMetadata

    def __call__(self, begin: int) -> Iterator[Showers]:
        for first in range(begin, self.n, self.step):
            some = self.particles(first, min(self.step, self.n - first))
            showers = self.generator.sample(some, seed=self.seed, first=first)
            yield showers.replace(metadata=self.metadata)


def usual_layout(detector: str) -> str:
    """Return the HDF5 layout in which showers of a detector are published; else "showerdata", which holds points."""
    return LAYOUTS.get(detector, "showerdata")
