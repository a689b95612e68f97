"""Places of cells as the incident particle sees them."""

from __future__ import annotations

import torch
from torch import Tensor

ALONG_Z = 1e-6  # sine of the polar angle; directions closer to the z axis than this have no azimuth


def axes(direction: Tensor) -> tuple[Tensor, Tensor]:
    """Return the unit vectors across a line of flight, towards larger theta and towards larger phi.

    Parameters
    ----------
    direction : float [n, 3]
        Unit vectors.

    Returns
    -------
    two of float [n, 3]
    """
    transverse = direction[:, :2].norm(dim=1, keepdim=True)
    has_azimuth = transverse > ALONG_Z
    cos = torch.where(has_azimuth, direction[:, :1] / transverse.clamp(min=ALONG_Z), 1.0)
    sin = torch.where(has_azimuth, direction[:, 1:2] / transverse.clamp(min=ALONG_Z), 0.0)
    to_phi = torch.cat([-sin, cos, torch.zeros_like(cos)], dim=1)
    return torch.linalg.cross(to_phi, direction), to_phi


def from_axis(position: Tensor, vertex: Tensor, direction: Tensor) -> Tensor:
    """Return places in the frame of a line of flight: across it towards larger theta, towards larger phi, along it.

    A turn of shower and detector around the z axis together changes nothing.

    Parameters
    ----------
    position, vertex : float [n, 3]
        [cm]
    direction : float [n, 3]
        Unit vectors.

    Returns
    -------
    float [n, 3]
        [cm]
    """
    flight = position - vertex
    return torch.stack([(flight * axis).sum(dim=1) for axis in (*axes(direction), direction)], dim=1)
