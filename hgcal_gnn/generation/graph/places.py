"""Hits in cells and their places as continuous numbers: what critics and losses are shown of either."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from hgcal_gnn.generation.critics.cells import FEATURES

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.critics.cells import Cells
    from hgcal_gnn.generation.critics.hit_sets import HitSets
    from hgcal_gnn.generation.graph.leaves import LitHits
    from hgcal_gnn.generation.graph.planes import Planes

LAYER, LOG_PITCH = FEATURES.index("layer"), FEATURES.index("log_pitch")
WITHIN = 0.45  # of the pitch: a circle that lies in the cell
TRIES = 4  # places of a hit, of which the one nearest to the axis is taken: showers are densest there
STEEP = 0.1  # sine of an angle to the layers below which the way between them is not followed any further
INNERMOST = 0.3  # cm; radii are not told apart below


def seen(lit: LitHits, cells: Cells, condition: Condition, planes: Planes, n_layers: int) -> HitSets:
    """Return generated hits as a critic sees them: in their cells, with the gradient of the place that of the leaf.

    Straight-through: place and layer of the cell are shown, and change with the leaf as if the cell moved with it.

    Parameters
    ----------
    lit
    cells
    condition
    planes
    n_layers
        Of the detector: what the feature "layer" is counted in.
    """
    hits = cells.hits(*lit.hits, condition)
    moved = lit.place - lit.place.detach()  # nothing, but its gradient is not
    along = moved[:, 2:] * _spacing(condition, planes)[hits.shower, None]
    layer = functional.pad(moved[:, 2:] / n_layers, (LAYER, len(FEATURES) - 1 - LAYER))
    place = hits.place + torch.cat([moved[:, :2], along], dim=1)
    return replace(hits, place=place, features=hits.features + layer)


def _spacing(condition: Condition, planes: Planes) -> Tensor:
    """Return the mean way of a particle from one plane to the next [cm], [n]."""
    step = float(planes.depth[:, -1].mean() - planes.depth[:, 0].mean()) / max(planes.n - 1, 1)
    x, y, z = condition.direction.unbind(dim=1)
    across = torch.hypot(x, y) if planes.is_barrel else z.abs()
    return step / across.clamp(min=STEEP)


def spread_places(hits: HitSets, planes: Planes) -> Tensor:
    """Return places of simulated hits (as those of `LitHits`), spread over their cells and layers.

    Within a cell towards the axis, as showers are; a leaf at such a place falls back into the cell.
    """
    plane = torch.from_numpy(planes.of_cell).to(hits.cell.device)[hits.cell]
    drawn = torch.rand(3, len(plane), TRIES, device=plane.device)
    radius = (WITHIN * hits.features[:, LOG_PITCH].exp())[:, None] * drawn[0].sqrt()
    turn = 2 * torch.pi * drawn[1]
    tried = hits.place[:, None, :2] + torch.stack([radius * turn.cos(), radius * turn.sin()], dim=2)
    nearest = tried.square().sum(dim=2).argmin(dim=1)
    across = tried[torch.arange(len(plane), device=plane.device), nearest]
    return torch.cat([across, (plane + drawn[2, :, 0] - 0.5)[:, None]], dim=1)


def leaf_numbers(hits: HitSets, place: Tensor) -> Tensor:
    """Return hits as leaves are, float [n_hits, 4]: logarithm of the energy in MIP, place."""
    return torch.cat([(hits.energy / hits.unit).log()[:, None], place], dim=1)


def log_radius(place: Tensor) -> Tensor:
    """Return the logarithm of the distance from the axis, float [n_hits, 1]."""
    return 0.5 * (place[:, :2].square().sum(dim=1, keepdim=True) + INNERMOST**2).log()
