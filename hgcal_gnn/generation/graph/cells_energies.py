"""How much energy each hit has: messages between hit cells turn noise into energies.

Every hit knows how many clicks and how much energy its layer's density expects in its cell; it hears from the hits in
neighbouring cells of the cell graph, in its layer and in those before and behind, and from the mean of its layer.
Learned is the logarithm of the energy over a guess made of these expectations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.generation.graph.cells_flow import TimeWaves, carried, gaussian_velocity, on_the_way
from hgcal_gnn.nn.message_passing import MessagePassing
from hgcal_gnn.nn.pooling import pool_sum

if TYPE_CHECKING:
    from hgcal_gnn.generation.graph.cells_layers import LayerSums
    from hgcal_gnn.generation.graph.cells_places import Density
    from hgcal_gnn.generation.graph.ground import Seen

SPREAD = 0.8  # of the logarithm of energies around the guess, about
CENTIMETRES, LAYERS = 2.0, 2.0  # that bring displacements of neighbours to order 1
N_TOLD = 8
FAINTEST = 1e-4  # MIP


class Told(NamedTuple):
    """What is known of hits before they have energies.

    Attributes
    ----------
    numbers : [n_hits, N_TOLD + n_context]
    log_guess : [n_hits]
        Logarithm of the energy [MIP] that is guessed.
    place : [n_hits, 3]
        Across and along the axis, of order 1 between neighbours.
    seen
    """

    numbers: Tensor
    log_guess: Tensor
    place: Tensor
    seen: Seen

    @classmethod
    def of(cls, density: Density, shares: tuple[Tensor, Tensor], sums: LayerSums, seen: Seen) -> Told:
        """Gather it; gradients flow back to the context alone. `shares` are `Density.of_cells` of the hits."""
        context = density.context.flatten(0, 1)[seen.row]
        with torch.no_grad():
            log_click, log_energy = (share.detach() for share in shares)
            clicks = log_click + density.log_clicks.flatten()[seen.row]
            energy = log_energy + sums.mips.clamp(min=1e-3).log().flatten()[seen.row]
            guess = functional.softplus(energy)  # a hit is there: about one MIP at least
            radius = (seen.u.square() + seen.v.square()).sqrt()
            centre = sums.centre.flatten(0, 1)[seen.row]
            n_hits = sums.n_hits.flatten()[seen.row]
            told = [
                clicks / 3, energy / 3, (radius + 0.3).log(), seen.u / 10, seen.v / 10,
                (seen.u - centre[:, 0]) / 5, (seen.v - centre[:, 1]) / 5, n_hits.clamp(min=1).log() / 3
            ]  # fmt: skip
            place = torch.stack([seen.u / CENTIMETRES, seen.v / CENTIMETRES, seen.layer / LAYERS], dim=1)
        return cls(torch.cat([torch.stack(told, dim=1), context], dim=1), guess, place, seen)

    def normal(self, mips: Tensor) -> Tensor:
        """Return energies [MIP] as numbers of order 1 around the guess."""
        return (mips.clamp(min=FAINTEST).log() - self.log_guess) / SPREAD

    def mips(self, normal: Tensor) -> Tensor:
        """Undo `normal`."""
        return (SPREAD * normal.clamp(-20.0, 20.0) + self.log_guess).exp()


class HitNetwork(nn.Module):
    """What is added to the velocity of the number of each hit.

    Parameters
    ----------
    n_context
        Columns of `Density.context`.
    width, message
        Numbers of a hit and of a message.
    n_rounds
        Of messages.
    n_waves
        That tell the time.
    """

    def __init__(self, n_context: int, width: int, message: int, n_rounds: int, n_waves: int = 4) -> None:
        super().__init__()
        self.waves = TimeWaves(n_waves)
        n = 1 + N_TOLD + n_context + self.waves.n_columns
        self.enter = nn.Sequential(nn.Linear(n, width), nn.SiLU(), nn.Linear(width, width))
        self.messages = nn.ModuleList(MessagePassing(width, message) for _ in range(n_rounds))
        self.of_layer = nn.ModuleList(nn.Linear(width, width) for _ in range(n_rounds))
        self.leave = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, x: Tensor, told: Told, time: Tensor) -> Tensor:
        """Return the changes [n_hits] of `gaussian_velocity` at numbers [n_hits], times [n_hits or 1]."""
        seen = told.seen
        waves = self.waves(time).expand(x.shape[0], -1)
        state = self.enter(torch.cat([x[:, None], told.numbers, waves], dim=1))
        count = seen.layer_ptr.diff().clamp(min=1)[:, None]
        for messages, of_layer in zip(self.messages, self.of_layer, strict=True):
            state = messages(state, told.place, seen.adjacency)
            mean = pool_sum(state, seen.layer_ptr) / count
            state = state + of_layer(functional.silu(mean))[seen.row]
        found: Tensor = self.leave(state)[:, 0]
        return found


def flow_loss(network: HitNetwork, told: Told, mips: Tensor, shower: Tensor, n_showers: int) -> Tensor:
    """Return the mean squared error of the velocity, at one time for each shower."""
    data = told.normal(mips)
    time = torch.rand(n_showers, device=data.device, dtype=data.dtype)[shower]
    point, wanted = on_the_way(data, torch.randn_like(data), time)
    found = gaussian_velocity(point, time) + network(point, told, time)
    loss: Tensor = (found - wanted).square().mean()
    return loss


def flowed(network: HitNetwork, told: Told, noise: Tensor, steps: int | None) -> Tensor:
    """Carry noise [n_hits] to energies, as `Told.normal` has them; see `carried`."""

    def change(x: Tensor, time: float) -> Tensor:
        found: Tensor = network(x, told, x.new_full((1,), time))
        return found

    return carried(noise, change, steps)


def shared_out(mips: Tensor, sums: LayerSums, least: Tensor, seen: Seen) -> Tensor:
    """Scale the energies of each layer so that they add up to what is wanted, each above its threshold.

    What is above the threshold is shared in proportion to what the energies had above it.

    Parameters
    ----------
    mips : [n_hits]
        Energies before.
    sums
        What is wanted; where the energy is not even enough for all thresholds, hits lie just above.
    least : [n_hits]
        Threshold [MIP].
    seen

    Returns
    -------
    [n_hits]
        [MIP]
    """
    above = (mips - least).clamp(min=1e-3)
    both = pool_sum(torch.stack([above, least], dim=1).double(), seen.layer_ptr)
    free = (sums.mips.flatten().double() - both[:, 1]).clamp(min=1e-3 * seen.layer_ptr.diff())
    factor = free / both[:, 0].clamp(min=1e-12)
    return (least + above * factor[seen.row]).to(mips)
