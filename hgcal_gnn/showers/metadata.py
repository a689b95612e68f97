"""What a sample of showers says about itself: geometry, units, source, seed, format version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hgcal_gnn.errors import GeometryMismatchError
from hgcal_gnn.showers.columns import UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ShowerMetadata:
    """Description of a sample, kept with it through every selection and written into its files.

    Attributes
    ----------
    cells_sha256
        Hash of the geometry whose rows `cell` counts (`CellTable.sha256`); "" if not known.
    source
        Who made the showers: input files, simulation, or model.
    seed
        Seed of a simulation or generator, None for data that were read.
    units
        Unit of every column that has one.
    version
        Version of the file format.
    extra
        Anything else worth keeping: settings of a simulation, name of the detector.
    """

    cells_sha256: str = ""
    source: str = ""
    seed: int | None = None
    units: Mapping[str, str] = field(default_factory=lambda: dict(UNITS))
    version: int = FORMAT_VERSION
    extra: Mapping[str, str] = field(default_factory=dict)

    def check_geometry(self, cells_sha256: str, *, source: str = "showers") -> None:
        """Refuse a geometry other than the one the showers were made with; an unknown one passes.

        Raises
        ------
        GeometryMismatchError
            If both hashes are known and differ.
        """
        if self.cells_sha256 and cells_sha256 and self.cells_sha256 != cells_sha256:
            msg = (
                f"{source}: made with another geometry (cells_sha256 {self.cells_sha256[:12]}..., "
                f"here {cells_sha256[:12]}...); give the graph or table the showers were made with, "
                "or convert them again from their source with this one"
            )
            raise GeometryMismatchError(msg)


def common_metadata(metadata: Iterable[ShowerMetadata]) -> ShowerMetadata:
    """Return what joined samples have in common; sources are listed once each, in order.

    Raises
    ------
    GeometryMismatchError
        If they belong to different geometries.
    """
    parts = list(metadata)
    hashes = list(dict.fromkeys(part.cells_sha256 for part in parts if part.cells_sha256))
    for other in hashes[1:]:
        ShowerMetadata(cells_sha256=hashes[0]).check_geometry(other, source="joining showers")
    seeds = {part.seed for part in parts}
    extra = (
        {key: value for key, value in parts[0].extra.items() if all(part.extra.get(key) == value for part in parts)}
        if parts
        else {}
    )
    return ShowerMetadata(
        cells_sha256=hashes[0] if hashes else "",
        source="; ".join(dict.fromkeys(part.source for part in parts if part.source)),
        seed=seeds.pop() if len(seeds) == 1 else None,
        extra=extra,
    )
