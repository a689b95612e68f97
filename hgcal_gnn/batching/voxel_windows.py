"""Windows of voxels that follow each shower: what convolutional networks see of detectors too large to be one array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, prange

from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    import torch

    from hgcal_gnn.arrays import F32, F64, I16, I32, I64
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers


@dataclass(frozen=True)
class VoxelWindow:
    """One array of voxels around the axis of a shower.

    The axis is the line from the origin through the energy-weighted barycentre. Voxels are counted from where it
    crosses a layer: along x and y in an endcap, along the arc and z in a barrel.

    Attributes
    ----------
    shape
        Voxels across (two) and in depth.
    size
        Of a voxel, across [cm].
    first_layer
        Layer of the detector that the first voxels in depth hold.
    layers_per_voxel
        Layers summed in one voxel.
    regular
        Cells lie on a grid of steps `size`: every cell then fills one voxel of its own, wherever the axis goes.
    """

    shape: tuple[int, int, int]
    size: float
    first_layer: int = 1
    layers_per_voxel: int = 1
    regular: bool = False

    def __post_init__(self) -> None:
        if min(*self.shape, self.first_layer, self.layers_per_voxel) < 1 or not self.size > 0:
            msg = f"shape, size, first layer and layers per voxel must be positive, got {self}"
            raise UsageError(msg)


@dataclass(frozen=True)
class VoxelWindows:
    """Makes the voxels of showers.

    Energy outside of the windows is left out; `reconstructed` still knows it.

    Attributes
    ----------
    windows
        Names and windows: ("ECAL", ...), ("HCAL", ...).
    """

    windows: tuple[tuple[str, VoxelWindow], ...]

    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """Shape of each window."""
        return {name: window.shape for name, window in self.windows}

    def __call__(self, showers: Showers, cells: CellNumbers) -> dict[str, torch.Tensor]:
        """Bin the calibrated energies [GeV], float32 [n_showers, *shape] for each window.

        Raises
        ------
        UsageError
            If a window reaches beyond the layers of the detector.
        """
        import torch  # noqa: PLC0415 (binning needs no torch)

        return {name: torch.from_numpy(voxels) for name, voxels in self.arrays(showers, cells).items()}

    def arrays(self, showers: Showers, cells: CellNumbers) -> dict[str, F32]:
        """Return the same as NumPy arrays."""
        voxels = {}
        for name, window in self.windows:
            last = window.first_layer - 1 + window.layers_per_voxel * window.shape[2]
            if last >= cells.n_layers + window.layers_per_voxel:
                msg = (
                    f"the window {name} needs layers {window.first_layer} to {last}, there are {cells.n_layers}; "
                    "choose windows for this detector (model.windows)"
                )
                raise UsageError(msg)
            voxels[name] = np.zeros((len(showers), *window.shape), dtype=np.float32)
            hits = (showers.offsets, showers.cell, showers.energy, cells.place, cells.layer, cells.weight)
            steps = (window.size, window.first_layer, window.layers_per_voxel, window.regular)
            arguments: tuple[Any, ...] = (*hits, *steps, voxels[name])
            _fill(*arguments)
        return voxels


# The windows of the published networks on the toy detector: 25x25x25 of the ECAL and 5x5x60 of the HCAL
# (arXiv:1912.06794, models of github.com/MattUnderscoreZhang/Triforce_CaloML).
TOY_WINDOWS = VoxelWindows(
    (
        ("ECAL", VoxelWindow((25, 25, 25), 0.51, regular=True)),
        ("HCAL", VoxelWindow((5, 5, 60), 3.0, first_layer=26, regular=True)),
    )
)
# All of the HGCAL: voxels of 2.4 cm, about a Moliere radius, 36 cm across.
HGCAL_WINDOWS = VoxelWindows((("HGCAL", VoxelWindow((15, 15, 47), 2.4)),))


@njit(cache=True, parallel=True)
def _fill(
    offsets: I64,
    cell: I32,
    deposit: F32,
    place: F32,
    layer: I16,
    weight: F32,
    size: float,
    first_layer: int,
    layers_per_voxel: int,
    regular: bool,
    voxels: F32,
) -> None:
    """Add the energies to `voxels` [n_showers, *shape]."""
    n_one, n_two, n_deep = voxels.shape[1:]
    for shower in prange(len(offsets) - 1):
        hits = slice(offsets[shower], offsets[shower + 1])
        centre = _barycentre(cell[hits], deposit[hits], place, weight)
        # voxel of the first hit seen of each layer and where it lies: on a regular grid the others are whole steps away
        anchor = np.zeros((n_deep * layers_per_voxel, 4), dtype=np.float64)
        seen = np.zeros(n_deep * layers_per_voxel, dtype=np.bool_)
        for hit in range(offsets[shower], offsets[shower + 1]):
            row = cell[hit]
            deep = layer[row] - first_layer
            if deep < 0 or deep >= len(seen):
                continue
            one, two = _across(place[row], centre)
            i, j = np.floor(one / size + 0.5 * n_one), np.floor(two / size + 0.5 * n_two)
            if regular and seen[deep]:
                i = anchor[deep, 0] + np.round((one - anchor[deep, 2]) / size)
                j = anchor[deep, 1] + np.round((two - anchor[deep, 3]) / size)
            elif regular:
                seen[deep] = True
                anchor[deep, 0], anchor[deep, 1], anchor[deep, 2], anchor[deep, 3] = i, j, one, two
            if 0 <= i < n_one and 0 <= j < n_two:
                voxels[shower, int(i), int(j), deep // layers_per_voxel] += deposit[hit] * weight[row]


@njit(cache=True)
def _barycentre(cell: I32, deposit: F32, place: F32, weight: F32) -> F64:
    """Return the energy-weighted mean place [3] of the hits of one shower [cm]."""
    centre = np.zeros(3)
    total = 0.0
    for hit in range(len(cell)):
        row = cell[hit]
        energy = deposit[hit] * weight[row]
        total += energy
        for axis in range(3):
            centre[axis] += energy * place[row, axis]
    return centre / total if total > 0 else centre


@njit(cache=True)
def _across(place: F32, centre: F64) -> tuple[float, float]:
    """Return how far a cell is from the axis through `centre`, along the two directions of its layer [cm]."""
    x, y, z = float(place[0]), float(place[1]), float(place[2])
    radius = np.hypot(centre[0], centre[1])
    if abs(centre[2]) >= radius:  # an endcap: the axis leans towards z
        share = z / centre[2] if centre[2] != 0 else 0.0
        return x - centre[0] * share, y - centre[1] * share
    r = np.hypot(x, y)
    turn = np.arctan2(y * centre[0] - x * centre[1], x * centre[0] + y * centre[1])
    return r * turn, z - centre[2] * r / radius
