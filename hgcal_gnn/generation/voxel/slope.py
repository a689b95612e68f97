"""The angle of a shower, read off its image: how the centre of its energy moves from layer to layer."""

from __future__ import annotations

import torch
from torch import Tensor

from hgcal_gnn.errors import UsageError

SPREAD = 1e-2  # rad: particles of less are of one direction


def energy_slope(energies: Tensor) -> Tensor:
    """Return the slope of the line through the energy of showers, in voxels along the second axis per layer.

    The line of least squares, each voxel weighted with its energy: covariance of the places on the second axis (z in
    a barrel) and on the last one (depth), over the variance of the latter. 0 for showers in one layer.

    Parameters
    ----------
    energies : [n, y, z, layer]
    """
    plane = energies.sum(dim=1)
    z, depth = (torch.arange(n, device=plane.device, dtype=plane.dtype) for n in plane.shape[1:])
    total = plane.sum(dim=(1, 2)).clamp(min=torch.finfo(plane.dtype).tiny)
    mean_z = (plane.sum(dim=2) @ z) / total
    mean_depth = (plane.sum(dim=1) @ depth) / total
    from_depth = depth[None] - mean_depth[:, None]
    variance = (plane.sum(dim=1) * from_depth.square()).sum(dim=1) / total
    moved = torch.einsum("nzl,nz,nl->n", plane, z[None] - mean_z[:, None], from_depth) / total
    return moved / variance.clamp(min=1e-3)


def fit_slope(slope: Tensor, theta: Tensor) -> Tensor:
    """Fit cot theta = a + b slope by least squares; the sizes of voxels and gaps need not be known.

    Parameters
    ----------
    slope : [n]
    theta : [n]
        Polar angle [rad].

    Returns
    -------
    [2]
        a and b.

    Raises
    ------
    UsageError
        If the particles are all of one direction.
    """
    if float(theta.max() - theta.min()) < SPREAD:
        msg = "model.angle needs showers of many polar angles, those of the training sample have one: widen eta"
        raise UsageError(msg)
    columns = torch.stack([torch.ones_like(slope), slope], dim=1).double()
    cotangent = torch.tan(torch.pi / 2 - theta.double())
    line: Tensor = torch.linalg.lstsq(columns, cotangent[:, None]).solution[:, 0].to(slope.dtype)
    return line
