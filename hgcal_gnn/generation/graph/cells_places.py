"""Where a shower hits its layers: a density of clicks around the axis, and what cells make of it.

A layer receives clicks, independent points of a density across the axis: a sum of round Gaussians whose shares and
widths a network finds, layer by layer, looking at the layers before and behind. A cell is hit if it holds one click at
least: with `mu` expected clicks the probability is 1 - exp(-mu). Cells of any size are thus described by one density
per area, which holds for wafers and tiles the network has never seen. A second density of the same Gaussians tells how
the energy is shared.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.generation.graph.cells_shares import TINY, log_shares
from hgcal_gnn.generation.graph.ground import N_FEATURES

if TYPE_CHECKING:
    from hgcal_gnn.generation.graph.cells_layers import LayerSums
    from hgcal_gnn.generation.graph.ground import Seen, Tokens

NARROWEST, FIRST, LAST = 0.3, 0.3, 20.0  # widths [cm]: the smallest there can be, and the range to begin with
RADII = (0.05, 60.0, 48)  # cm: first, last and number of circles over which clicks are turned into hits
MOST_CLICKS = 3.0  # ln of clicks per hit, which is 1.4 in the densest layers
N_DESCRIBED = 6, 4  # numbers of a layer and of a shower, see `_described`
REACH = 4  # layers before and behind whose centres pull at the Gaussians of a layer


class Density(NamedTuple):
    """Clicks of the layers of some showers.

    Attributes
    ----------
    log_share, log_energy_share : [n_showers, n_layers, n_components]
        Of the clicks and of the energy.
    sigma : [n_showers, n_layers, n_components]
        Widths of the Gaussians [cm].
    middle : [n_showers, n_layers, n_components, 2]
        Their middles across the axis [cm].
    log_clicks : [n_showers, n_layers]
    context : [n_showers, n_layers, n_context]
        What the network says of the layer to those that come later.
    """

    log_share: Tensor
    log_energy_share: Tensor
    sigma: Tensor
    middle: Tensor
    log_clicks: Tensor
    context: Tensor

    def of_cells(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the expected share of clicks and of energy in the cells of hits, [n_hits] each."""
        return log_shares(self, seen)

    def hits_in(self, area: Tensor) -> Tensor:
        """Return how many cells of some area [n_showers, n_layers] the clicks of a layer hit on average."""
        first, last, number = RADII
        edge = torch.logspace(math.log10(first), math.log10(last), number, device=area.device, dtype=area.dtype)
        edge = torch.cat([edge.new_zeros(1), edge])
        middle, ring = 0.5 * (edge[1:] + edge[:-1]), math.pi * (edge[1:].square() - edge[:-1].square())
        variance = self.sigma.square()[..., None, :]
        gauss = (-0.5 * middle.square()[:, None] / variance).exp() / (2 * math.pi * variance)
        density = (gauss * self.log_share.exp()[..., None, :]).sum(dim=-1)
        expected = density * (self.log_clicks.exp() * area)[..., None]
        return (-torch.expm1(-expected) * ring).sum(dim=-1) / area


class Places(nn.Module):
    """Finds the `Density` of showers from what their layers hold.

    Parameters
    ----------
    n_incident
        Columns that tell of the incident particle.
    width
    n_rounds
        Layers at a distance of 1, 2, 4, ... exchange messages.
    n_components
        Gaussians.
    n_context
        Numbers for those that come later.
    """

    def __init__(self, n_incident: int, width: int, n_rounds: int, n_components: int, n_context: int) -> None:
        super().__init__()
        of_layer, of_shower = N_DESCRIBED
        self.parts = (n_components, n_components, n_components, n_components, 2 * REACH + 1, 1, n_context)
        self.layers = LayerMessages(of_layer + N_FEATURES, of_shower + n_incident, width, n_rounds, sum(self.parts))
        self.log_sigma = nn.Parameter(torch.linspace(math.log(FIRST), math.log(LAST), n_components))

    def forward(self, sums: LayerSums, tokens: Tokens, incident: Tensor) -> Density:
        """Return the density."""
        found = self.layers(*_described(sums, tokens, incident))
        share, energy, sigma, follow, pull, clicks, context = found.split(self.parts, dim=2)
        core = _pulled(sums.centre, pull)
        return Density(
            share.log_softmax(dim=2),
            energy.log_softmax(dim=2),
            (self.log_sigma + 0.5 * sigma.tanh()).exp().clamp(min=NARROWEST),
            follow.sigmoid()[..., None] * core[..., None, :],
            sums.n_hits.clamp(min=0.5).log() + _more_clicks(clicks[..., 0]),
            context,
        )


def _more_clicks(x: Tensor) -> Tensor:
    """Return the logarithm of clicks per hit, 0 to `MOST_CLICKS`: a hit takes one at least.

    Where all hits of a layer are full of clicks, more of them change nothing: without a bound they would grow forever.
    And with a thousand clicks per hit, nearly all of them in one Gaussian narrower than a cell, a share of one cell
    that is wrong by a thousandth pays for hits anywhere: the likelihood rose, and showers were too wide.
    """
    return MOST_CLICKS * (functional.softplus(x) / MOST_CLICKS).tanh()


class LayerMessages(nn.Module):
    """Messages between layers, the receptive field doubling from round to round; numbers of the shower scale them.

    Parameters
    ----------
    n_layer, n_shower
        Numbers of each layer, of each shower.
    width, n_rounds
    n_out
        Numbers that come out for each layer.
    """

    def __init__(self, n_layer: int, n_shower: int, width: int, n_rounds: int, n_out: int) -> None:
        super().__init__()
        self.enter, self.shower = nn.Conv1d(n_layer, width, 3, padding=1), nn.Linear(n_shower, width)
        self.rounds = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=2**number, dilation=2**number) for number in range(n_rounds)
        )
        self.scales = nn.ModuleList(nn.Linear(n_shower, 2 * width) for _ in range(n_rounds))
        self.leave = nn.Conv1d(width, n_out, 1)

    def forward(self, of_layers: Tensor, of_shower: Tensor) -> Tensor:
        """Take [n_showers, n_layers, n_layer] and [n_showers, n_shower] to [n_showers, n_layers, n_out]."""
        x = self.enter(of_layers.transpose(1, 2)) + self.shower(of_shower)[..., None]
        for messages, scales in zip(self.rounds, self.scales, strict=True):
            scale, shift = scales(of_shower)[..., None].chunk(2, dim=1)
            x = x + functional.silu(messages(functional.silu(x)) * (1 + scale) + shift)
        found: Tensor = self.leave(functional.silu(x)).transpose(1, 2)
        return found


def click_losses(
    density: Density, shares: tuple[Tensor, Tensor], seen: Seen, sums: LayerSums, mips: Tensor
) -> dict[str, Tensor]:
    """Return minus the logarithm of the likelihood, per hit, of which cells are hit and how they share the energy.

    Cells are hit independently: sum over hits of ln(1 - exp(-mu)), over all others of -mu; the latter is minus all
    clicks plus those of the hits, so that cells without a hit are never looked at.

    Parameters
    ----------
    density
    shares
        `Density.of_cells` of the hits.
    seen, sums
    mips : [n_hits]
        Energies.
    """
    log_click, log_energy = shares
    expected = (log_click + density.log_clicks.flatten()[seen.row]).exp()
    hit = (-torch.expm1(-expected) + TINY).log() + expected
    clicks = (density.log_clicks.exp() * (sums.n_hits > 0)).sum()
    return {
        "places": (clicks - hit.sum()) / max(len(mips), 1),
        "shares": -(mips * log_energy).sum() / mips.sum().clamp(min=1),
    }  # fmt: skip


def _described(sums: LayerSums, tokens: Tokens, incident: Tensor) -> tuple[Tensor, Tensor]:
    """Describe layers and showers with numbers of order 1."""
    depth, energy = tokens.features[..., 0], sums.mips * tokens.features[..., 3].add(1)  # weighed by the layer's loss
    total = energy.sum(dim=1).clamp(min=1e-3)
    middle = (energy * depth).sum(dim=1) / total
    spread = ((energy * (depth - middle[:, None]).square()).sum(dim=1) / total).clamp(min=1e-8).sqrt()
    n_hits = sums.n_hits
    distance = sums.centre.square().sum(dim=2).sqrt()
    around = functional.avg_pool1d(sums.centre.transpose(1, 2), 5, stride=1, padding=2).square().sum(dim=1).sqrt()
    layers = [
        (n_hits > 0).to(depth), n_hits.log1p() / 3, sums.log_mean / 2, depth - middle[:, None], distance.log1p(),
        around.log1p(),
    ]  # fmt: skip
    shower = [total.log() / 3 - 2, middle, spread, n_hits.sum(dim=1).log1p() / 2 - 3]
    return torch.cat([torch.stack(layers, dim=2), tokens.features], dim=2), torch.cat(
        [torch.stack(shower, dim=1), incident], dim=1
    )


def _pulled(centre: Tensor, pull: Tensor) -> Tensor:
    """Return where the shower is in each layer: its own centre and those around, each times a number.

    So a shower that is turned around its axis has its hits turned with it.

    Parameters
    ----------
    centre : [n_showers, n_layers, 2]
    pull : [n_showers, n_layers, 2 REACH + 1]

    Returns
    -------
    [n_showers, n_layers, 2]
    """
    around = functional.pad(centre, (0, 0, REACH, REACH)).unfold(1, 2 * REACH + 1, 1)  # [..., 2, 2 REACH + 1]
    return (around * pull[..., None, :]).sum(dim=3)
