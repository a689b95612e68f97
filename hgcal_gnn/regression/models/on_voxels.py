"""What the networks on voxels have in common: their windows, and what they know besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, field_validator

from hgcal_gnn.batching.voxel_windows import HGCAL_WINDOWS, TOY_WINDOWS, VoxelWindow, VoxelWindows
from hgcal_gnn.errors import UsageError
from hgcal_gnn.regression.inputs import InputNeeds
from hgcal_gnn.regression.models.base import NetworkConfig
from hgcal_gnn.regression.models.dnn import of_energy

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.nn.standardise import Standardise
    from hgcal_gnn.regression.batch import ShowerBatch

BUILT_IN = {"toy": TOY_WINDOWS, "hgcal": HGCAL_WINDOWS}


class VoxelNetworkConfig(NetworkConfig):
    """Settings all networks on voxels share."""

    windows: Literal["toy", "hgcal"] | dict[str, VoxelWindow] = Field(
        "toy", description="arrays of voxels around the axis: those for a built-in detector, or name: shape, size, ..."
    )

    @field_validator("windows")
    @classmethod
    def _there_is_one(cls, windows: str | dict[str, VoxelWindow]) -> str | dict[str, VoxelWindow]:
        if not windows:
            msg = "give at least one window"
            raise ValueError(msg)
        return windows

    def needs(self) -> InputNeeds:
        """Return what the model wants to see."""
        return InputNeeds(targets=self.targets, variables=self.variables, voxels=self.voxel_windows())

    def voxel_windows(self) -> VoxelWindows:
        """Return the windows, built-in or own."""
        if isinstance(self.windows, str):
            return BUILT_IN[self.windows]
        return VoxelWindows(tuple(self.windows.items()))


def shares_of(batch: ShowerBatch) -> dict[str, Tensor]:
    """Return the voxels as shares of the reconstructed energy, whose square roots are of order 1.

    Raises
    ------
    UsageError
        If the batch was made without voxels.
    """
    if batch.voxels is None:
        msg = "the batch holds no voxels: its inputs were made without windows"
        raise UsageError(msg)
    energy = batch.reference[:, :1, None, None]
    return {name: voxels / energy for name, voxels in batch.voxels.items()}


def known_besides(batch: ShowerBatch, shares: dict[str, Tensor], standardise: Standardise) -> Tensor:
    """Return share of the energy in each window, reconstructed energy, high-level variables: [n_showers, n]."""
    sums = [share.sum(dim=(1, 2, 3))[:, None] for share in shares.values()]
    return torch.cat([*sums, of_energy(batch), standardise(batch.variables)], dim=1)
