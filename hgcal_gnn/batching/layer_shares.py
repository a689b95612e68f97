"""Voxels as shares of their layer, and layer energies as shares of what is left: scalings of the CaloChallenge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hgcal_gnn.batching.transform_base import Transform, register
from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@register
class LayerShares(Transform):
    """Energies of voxels [n, n_voxels] to shares [n, n_voxels + n_layers], all from 0 to 1.

    The first n_voxels are e_v / E_layer. The others, with layer energies E_1 to E_L,

        u_0 = sum_j E_j / (factor * E_inc),    u_i = E_i / sum_(j >= i) E_j  for i = 1 to L - 1,

    as in CaloFlow (Krause and Shih, arXiv:2106.05285) and CaloINN (Ernst et al., arXiv:2312.09290; `add_extra_dims` in
    its src/data_util.py). Shares of nothing are 0. The inverse divides the shares of each layer by their sum, which a
    generator does not keep at 1.

    u near 1 holds little of what follows: layer energies come back to a rounding error of the energy of the shower,
    about 1e-7 of it in single precision.

    Parameters
    ----------
    layers : [n_voxels]
        Layer of every voxel; their order is that of the numbers.
    factor
        Largest ratio of visible to incident energy, so that u_0 stays below 1.
    """

    kind = "layer_shares"
    layer: Tensor

    def __init__(self, layers: Sequence[int], factor: float = 1.0) -> None:
        super().__init__()
        if not factor > 0 or not len(layers):
            msg = f"layer shares need layers and a factor above 0, got {len(layers)} voxels and {factor}"
            raise UsageError(msg)
        self.layers = [int(layer) for layer in layers]
        self.factor = factor
        known, number = np.unique(self.layers, return_inverse=True)
        self.n_layers = len(known)
        self.register_buffer("layer", torch.from_numpy(number), persistent=False)

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"layers": self.layers, "factor": self.factor}

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Transform."""
        self._check_width(values, len(self.layers))
        self.check_defined(values >= 0, "of at least 0", values)
        energy = self.per_entry(incident_energy, values)
        self.check_defined(energy > 0, "of incident energies above 0", energy)
        of_layer = self._layer_sums(values)
        left = of_layer.flip(1).cumsum(1).flip(1)
        voxels = _share(values, of_layer[:, self.layer])
        total = left[:, :1] / (self.factor * energy)
        return torch.cat([voxels, total, _share(of_layer, left)[:, :-1]], dim=1)

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Undo `forward`."""
        n_voxels = len(self.layers)
        self._check_width(values, n_voxels + self.n_layers)
        voxels, total, shares = values[:, :n_voxels], values[:, n_voxels : n_voxels + 1], values[:, n_voxels + 1 :]
        left = total * self.factor * self.per_entry(incident_energy, values)
        ones = torch.ones_like(total)
        remaining = torch.cat([ones, (1 - shares).cumprod(1)], dim=1)
        of_layer = left * torch.cat([shares, ones], dim=1) * remaining
        return _share(voxels, self._layer_sums(voxels)[:, self.layer]) * of_layer[:, self.layer]

    def _layer_sums(self, voxels: Tensor) -> Tensor:
        sums = torch.zeros(len(voxels), self.n_layers, dtype=voxels.dtype, device=voxels.device)
        return sums.index_add(1, self.layer, voxels)

    def _check_width(self, values: Tensor, width: int) -> None:
        if values.ndim != 2 or values.shape[1] != width:
            msg = f"layer shares need values [n, {width}] here, got {list(values.shape)}"
            raise UsageError(msg)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Return part / whole, 0 where the whole is 0."""
    return part / torch.where(whole == 0, torch.ones_like(whole), whole)
