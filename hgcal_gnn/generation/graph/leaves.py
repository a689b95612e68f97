"""From the leaves of a tree to hits: the cell of each, one hit per cell, as many hits and as much energy as drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from hgcal_gnn.generation.graph.hits import Hits
from hgcal_gnn.generation.noise import normal

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.graph.planes import Planes

N_NUMBERS = 4  # of a leaf: logarithm of the energy in MIP, across the axis towards theta and phi [cm], plane
STEPS = 5  # aside, at most; their lengths are multiples of the pitch
HIGHEST = 12.0  # logarithm of MIP: no leaf has more
LEAST_EXCESS = 1e-3  # share of the energy above the floor that is left at least


class LitHits(NamedTuple):
    """Hits made of leaves.

    Attributes
    ----------
    hits
        Gradients flow through their energies.
    place : float [n_hits, 3]
        Where their leaves lie, before the cells are found: across the axis [cm], and the plane, as continuous
        numbers; of several leaves in a cell the mean, weighed by energy. Gradients flow.
    """

    hits: Hits
    place: Tensor


@dataclass(frozen=True)
class Leaves:
    """Leaves of some showers, [n, n_leaves] each; see `LitHits` for the units.

    Attributes
    ----------
    log_mips
        Logarithm of the energy in MIP of the cell it comes to lie in.
    across : [n, n_leaves, 2]
    plane
        Continuous.
    """

    log_mips: Tensor
    across: Tensor
    plane: Tensor

    @classmethod
    def of(cls, numbers: Tensor) -> Leaves:
        """Take numbers [n, n_leaves, N_NUMBERS]."""
        return cls(numbers[..., 0].clamp(max=HIGHEST), numbers[..., 1:3], numbers[..., 3])

    def lit(
        self, planes: Planes, unit: Tensor, condition: Condition, n_hits: Tensor, random: torch.Generator | None = None
    ) -> LitHits:
        """Make hits: leaves are taken by their energy, the highest first, until so many cells have one.

        A leaf in a cell that has one already adds its energy to it. Where all leaves together lie in fewer cells than
        there are to be hits, those in cells of others step aside within their layer, some times and farther each
        time: of a real shower, too, no two hits are in one cell.

        Parameters
        ----------
        planes
        unit : [n_cells]
            E_MIP of the cells [GeV].
        condition
        n_hits : [n]
        random
            Makes the steps.
        """
        order = self.log_mips.detach().argsort(dim=1, descending=True)
        log_mips, plane = self.log_mips.gather(1, order), self.plane.gather(1, order)
        across = self.across.gather(1, order[..., None].expand_as(self.across))
        number = plane.detach().round().clamp(0, planes.n - 1).long()
        key, opens = _separated(planes, len(unit), condition, number, across.detach(), n_hits, random)
        taken = opens.cumsum(dim=1) <= n_hits[:, None]
        energy = log_mips[taken].exp() * unit[key[taken] % len(unit)]
        place = torch.cat([across[taken], plane[taken][:, None]], dim=1)
        unique, hit = torch.unique(key[taken], return_inverse=True)  # sorted: by shower, then by cell
        total = energy.new_zeros(len(unique)).index_add(0, hit, energy)
        share = (energy / total[hit]).detach()
        mean = place.new_zeros(len(unique), 3).index_add(0, hit, share[:, None] * place)
        counts = torch.bincount(unique // len(unit), minlength=len(key))
        ptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return LitHits(Hits(total, unique % len(unit), ptr), mean)


def _separated(
    planes: Planes, n_cells: int, condition: Condition, plane: Tensor, across: Tensor, n_hits: Tensor,
    random: torch.Generator | None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Find the cells of leaves, and let leaves step aside where there are too few.

    Returns
    -------
    int64 [n, m]
        Cells, as shower * n_cells + cell.
    bool [n, m]
        Which leaves are the first in their cell.
    """
    first = torch.arange(len(plane), device=plane.device)[:, None] * n_cells
    key = first + planes.cells(condition, plane, across)
    opens = _opens_a_cell(key)
    for step in range(1, STEPS + 1):
        short = (opens.sum(dim=1) < n_hits).nonzero()[:, 0]
        if not len(short):
            break
        aside = across[short] + step * planes.pitch * normal(across[short].shape, across, random)
        moved = first[short] + planes.cells(condition.rows(short), plane[short], aside)
        key[short] = torch.where(opens[short], key[short], moved)
        opens = _opens_a_cell(key)
    return key, opens


def _opens_a_cell(key: Tensor) -> Tensor:
    """Say which entries of keys [n, m], different from row to row, are the first of their kind in their row."""
    _, place = torch.unique(key, return_inverse=True)
    rank = torch.arange(key.shape[1], device=key.device).expand_as(key)
    first = torch.full_like(key.flatten(), key.shape[1]).scatter_reduce(0, place.flatten(), rank.flatten(), "amin")
    return first[place] == rank


def scaled(hits: Hits, visible: Tensor, floor: float) -> Hits:
    """Give the hits of each shower the energy `visible` [n] together [GeV], each more than `floor`.

    What they have above the floor is scaled, so that the faintest ones stay above a threshold. Where there is not as
    much energy as the floors of all hits need, the sum is a little larger.
    """
    excess = (hits.energy - floor).clamp(min=1e-6 * floor + 1e-12)
    sums = excess.new_zeros(hits.n_showers).index_add(0, hits.shower, excess)
    wanted = torch.maximum(visible - hits.n_hits * floor, LEAST_EXCESS * visible)
    factor = (wanted / sums.clamp(min=1e-12))[hits.shower]
    return hits._replace(energy=floor + excess * factor)
