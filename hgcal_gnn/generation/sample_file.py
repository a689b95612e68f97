"""Generated samples as files; a store is written in parts, so that an interrupted one goes on where it stopped."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from hgcal_gnn import __version__
from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.convert.files import kind_of
from hgcal_gnn.showers.convert.hdf5_source import Hdf5Options, write_hdf5_showers
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.root.write import write_root
from hgcal_gnn.showers.store.in_parts import write_in_parts

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


class GeneratedReport(NamedTuple):
    """What `write_generated` did.

    Attributes
    ----------
    resumed
        Showers taken over from an earlier, interrupted call.
    empty
        Of the others, those without a hit.
    """

    resumed: int
    empty: int


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
    overwrite: bool = False,
    progress: Callable[[int], Any] | None = None,
) -> GeneratedReport:
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
    progress
        Called with the number of showers done after each step.

    Raises
    ------
    UsageError
        For another ending of the output, or without `cells` where they are needed.
    OutputError
        If the output exists (unless `overwrite`) or cannot be written.
    """
    kind = kind_of(output)
    extra = {"detector": generator.detector, "batch_size": str(generator.batch_size), "hgcal_gnn": __version__}
    metadata = ShowerMetadata(generator.cells_sha256, generator.source, seed, extra={**extra, **(about or {})})
    step = generator.batch_size * max(1, min(STEP_NUMBERS // generator.n_numbers, PART) // generator.batch_size)
    told = progress or (lambda _: None)
    empty = 0

    def chunks(begin: int) -> Iterator[Showers]:
        nonlocal empty
        for first in range(begin, n, step):
            some = particles(first, min(step, n - first))
            showers = generator.sample(some, seed=seed, first=first)
            empty += int((showers.n_hits == 0).sum())
            told(first + len(showers))
            yield showers.replace(metadata=metadata)

    if kind == "arrow":
        part = step * math.ceil(PART / step)
        resumed = write_in_parts(chunks, n, output, metadata, part=part, told=told, overwrite=overwrite)
        return GeneratedReport(resumed, empty)
    if cells is None:
        msg = f"{output}: a {kind} file needs the cells of the detector"
        raise UsageError(msg)
    if kind == "root":
        write_root(chunks(0), output, cells, overwrite=overwrite)
    else:
        options = Hdf5Options(output_layout=layout or usual_layout(generator.detector))
        write_hdf5_showers(chunks(0), output, cells, options, overwrite=overwrite)
    return GeneratedReport(0, empty)


def usual_layout(detector: str) -> str:
    """Return the HDF5 layout in which showers of a detector are published; else "showerdata", which holds points."""
    return LAYOUTS.get(detector, "showerdata")
