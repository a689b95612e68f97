"""Voxel tensors: showers of a regular detector as the arrays in which they are published, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hgcal_gnn.batching.cell_match import check_range
from hgcal_gnn.batching.dense import from_dense, to_dense
from hgcal_gnn.errors import GeometryMismatchError
from hgcal_gnn.geometry.detectors import make_detector, voxel_map
from hgcal_gnn.showers.metadata import ShowerMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from hgcal_gnn.arrays import F32, Array
    from hgcal_gnn.showers.showers import Showers


@dataclass(frozen=True, eq=False)
class VoxelBatch:
    """Showers as voxels.

    Attributes
    ----------
    showers
        The hits, merged.
    voxels : mapping of section to float32 array
        Energies [GeV], [n_showers, *shape] for each section of the detector ("ECAL": [n_showers, 24, 24, 25]).
    """

    showers: Showers
    voxels: Mapping[str, F32]

    def __len__(self) -> int:
        return len(self.showers)

    def to_torch(self) -> dict[str, torch.Tensor]:
        """Return the sections under their names, and what is known of the showers (`features.shower_arrays`)."""
        from hgcal_gnn.batching.torch_batch import voxel_tensors  # noqa: PLC0415 (arrays need no torch)

        return voxel_tensors(self)


class VoxelTensors:
    """Makes voxels of showers in a built-in regular detector.

    Parameters
    ----------
    detector
        Name of the detector (`geometry.detectors.DETECTORS`).

    Raises
    ------
    UsageError
        If there is no such detector or its cells form no regular arrays.
    """

    def __init__(self, detector: str) -> None:
        self.detector = detector
        self.map = voxel_map(detector)
        self.cells_sha256 = make_detector(detector).sha256

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry; an unknown one passes.

        Raises
        ------
        GeometryMismatchError
            With what to do.
        """
        if metadata.cells_sha256 not in {"", self.cells_sha256}:
            msg = (
                f"{source}: made with another geometry (cells_sha256 {metadata.cells_sha256[:12]}...) than the "
                f"{self.detector} detector ({self.cells_sha256[:12]}...), whose voxels are asked for; convert them "
                f"again from their source with --detector {self.detector}, or use the detector they were made with"
            )
            raise GeometryMismatchError(msg)

    def __call__(self, showers: Showers) -> VoxelBatch:
        """Make the voxels of some showers.

        Raises
        ------
        GeometryMismatchError
            If the showers were made with another geometry.
        InputError
            If hits lie in cells the detector does not have.
        """
        self.check(showers.metadata, source=showers.metadata.source or "showers")
        check_range(showers.cell, self.map.n_cells)
        merged = showers.merged()
        return VoxelBatch(merged, self.map.to_voxels(to_dense(merged, self.map.n_cells)))

    def to_showers(
        self,
        voxels: Mapping[str, Array],
        of_showers: Showers | Mapping[str, Array],
        *,
        threshold: float = 0.0,
        source: str = "voxels",
    ) -> Showers:
        """Return voxels as showers again; exact but for hits of no energy, which are left out.

        Parameters
        ----------
        voxels
            All sections, [n_showers, *shape] each [GeV].
        of_showers
            Columns of the showers, `incident_energy` [GeV] at least; or the showers the voxels were made from.
        threshold
            Voxels of at most this energy [GeV] are empty.
        source
            Kept in the metadata of the showers.

        Raises
        ------
        InputError
            For missing sections, wrong shapes and energies that are not finite.
        """
        energy = self.map.to_cells(voxels)
        metadata = ShowerMetadata(cells_sha256=self.cells_sha256, source=source)
        return from_dense(energy, of_showers, metadata, threshold=threshold, source=source)
