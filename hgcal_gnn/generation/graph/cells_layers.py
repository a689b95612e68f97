"""What a shower leaves in each layer: number of hits, energy and where it is, drawn for all layers together.

Of each layer four numbers are told by their distance to what is usual at its depth: the root of the number of hits, the
logarithm of the energy per hit, and about where the shower is across the axis (`blurred`, `pulled_in`). What is usual
(mean and width) is a smooth function of the depth along the flight, of the layer's own material, of the size of its
cells and of the incident particle, so that it holds at other angles, too. A flow draws the distances of all layers at
once, and those of two sums: the calibrated energy over that of the particle, and the number of hits over what is usual.
Layers are scaled to the sums, which are sharper than what many layers, each a little wrong, add up to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.generation.graph.cells_flow import VectorFlow
from hgcal_gnn.generation.graph.ground import LOSS_UNIT, N_FEATURES
from hgcal_gnn.generation.noise import noise
from hgcal_gnn.nn.pooling import pool_sum

if TYPE_CHECKING:
    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.graph.ground import Seen, Tokens

LOG_WIDTHS = (-4.0, 4.0)  # of what is usual
LOG_MEAN_WIDTHS = (-4.0, 0.7)  # of the logarithm of the energy per hit, whose tails would be endless
LEAST, MOST = -5.0, 9.0  # ln of the energy per hit [MIP]
N_NUMBERS, N_SUMS = 4, 2  # of a layer, of a shower
SUMS_COUNT = 10.0  # weight of a sum in the loss of the flow, that of a layer's numbers being 1
FAR = 8.0  # widths from what is usual: sums further off count as that
MOST_SCALED = 2.0  # layers are scaled by this factor at most
TINY = 1e-3
BLUR = 0.3  # of a step from a number of hits to the next
FARTHEST = 50.0  # cm of a centre from the axis
BLUR_OF_CENTRE = 3.0  # widths of what independent hits scatter by
AROUND = 5  # layers together say where the shower is
POWER = 0.65  # of distances of centres: 1/2 would make exponential ones Gaussian in two dimensions
TOUCHING = 1e-6  # cm


class LayerSums(NamedTuple):
    """What a shower leaves in its layers.

    Attributes
    ----------
    n_hits : [n_showers, n_layers]
        Whole numbers.
    mips : [n_showers, n_layers]
        Energy [MIP, of particles along the flight]; 0 without hits.
    centre : [n_showers, n_layers, 2]
        Of the energy, across the axis [cm]; 0 without hits. Networks learn and draw it `blurred`.
    """

    n_hits: Tensor
    mips: Tensor
    centre: Tensor

    def energy(self, tokens: Tokens) -> Tensor:
        """Return the calibrated energy [GeV], [n_showers]: MIPs at normal incidence times the loss of each layer."""
        return 1e-3 * LOSS_UNIT * (self.mips * (1 + tokens.features[..., 3])).sum(dim=1) / tokens.cosine

    @property
    def log_mean(self) -> Tensor:
        """Logarithm of the energy per hit; 0 without hits."""
        mean = self.mips.clamp(min=1e-3) / self.n_hits.clamp(min=1)
        return torch.where(self.n_hits > 0, mean.log(), 0.0)


class Incident(nn.Module):
    """What is told of the incident particle: ln E, standardised, its square, and the kind.

    The direction is left out: depths are counted along the flight.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, n_kinds: int) -> None:
        super().__init__()
        self.n_kinds, self.n_columns = n_kinds, 2 + n_kinds
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def fit(self, condition: Condition) -> None:
        """Take mean and spread of ln E."""
        energy = condition.energy.double().log()
        self.mean.copy_(energy.mean())
        self.spread.copy_(energy.std(correction=0).clamp(min=0.1))

    def forward(self, condition: Condition) -> Tensor:
        """Return [n_showers, n_columns]."""
        energy = ((condition.energy.log() - self.mean) / self.spread)[:, None]
        kind = functional.one_hot(condition.kind, self.n_kinds).to(energy)
        return torch.cat([energy, energy.square(), kind], dim=1)


class Areas(nn.Module):
    """The areas of cells on the axis that a model has seen.

    Parameters
    ----------
    n_layers
    """

    smallest: Tensor
    largest: Tensor

    def __init__(self, n_layers: int) -> None:
        super().__init__()
        self.register_buffer("smallest", torch.zeros(n_layers))
        self.register_buffer("largest", torch.full((n_layers,), torch.inf))

    def fit(self, area: Tensor) -> None:
        """Take the range of [n_showers, n_layers]."""
        self.smallest.copy_(area.amin(dim=0))
        self.largest.copy_(area.amax(dim=0))

    def nearest(self, area: Tensor) -> Tensor:
        """Return the nearest areas that were seen."""
        return area.clamp(self.smallest, self.largest)


class LayerModel(nn.Module):
    """Draws `LayerSums`, in cells as large as those of the training: see `seen_areas`.

    Parameters
    ----------
    n_layers, n_kinds
    width, n_blocks
        Of the flow.
    draws
        Times and noises per shower in a step of the training.
    """

    weight: Tensor

    def __init__(self, n_layers: int, n_kinds: int, width: int, n_blocks: int, draws: int = 8) -> None:
        super().__init__()
        self.n_layers, self.draws = n_layers, draws
        self.incident, self.seen_areas = Incident(n_kinds), Areas(n_layers)
        told = N_FEATURES + 2 + self.incident.n_columns
        self.usual_hits, self.usual_energy = _usual(told, 1), _usual(told + 1, 1)
        self.usual_centre = _usual(told + 2, 2)
        self.usual_sums = _usual(self.incident.n_columns, N_SUMS)
        weight = torch.ones(N_NUMBERS * n_layers + N_SUMS)
        weight[-N_SUMS:] = SUMS_COUNT
        self.register_buffer("weight", weight / weight.mean(), persistent=False)
        self.flow = VectorFlow(N_NUMBERS * n_layers + N_SUMS, self.incident.n_columns, width, n_blocks)

    @property
    def usual(self) -> nn.ModuleList:
        """The networks of what is usual; they learn before the flow, whose numbers they define."""
        return nn.ModuleList([self.usual_hits, self.usual_energy, self.usual_centre, self.usual_sums])

    def usual_loss(self, sums: LayerSums, tokens: Tokens, condition: Condition) -> Tensor:
        """Return minus the logarithm of the likelihood of Gaussians of the usual means and widths, per layer."""
        return self._looked_at(sums, tokens, condition)[0]

    def flow_loss(self, sums: LayerSums, tokens: Tokens, condition: Condition) -> Tensor:
        """Return the loss of the flow, at `draws` times per shower."""
        with torch.no_grad():
            whole = self._looked_at(sums, tokens, condition)[1].repeat(self.draws, 1)
        return self.flow.loss(whole, self.incident(condition).repeat(self.draws, 1), self.weight)

    def _looked_at(self, sums: LayerSums, tokens: Tokens, condition: Condition) -> tuple[Tensor, Tensor]:
        """Return the loss of what is usual, and all distances from it, [n_showers, N_NUMBERS n_layers + N_SUMS]."""
        told, root = self._told(tokens, condition), blurred_root(sums.n_hits)
        values = torch.cat([root[..., None], sums.log_mean[..., None], pulled_in(sums.centre)], dim=2)
        mean, log_width = self._usual(told, sums.n_hits, sums.log_mean)
        distance = (values - mean) / log_width.exp()
        has_hits = sums.n_hits > 0
        there = torch.stack([tokens.present, has_hits, has_hits, has_hits], dim=2).to(distance)
        usual = ((0.5 * distance.square() + log_width) * there).sum(dim=(0, 1)) / there.sum(dim=(0, 1)).clamp(min=1)
        distance = torch.where(there > 0, distance, torch.randn_like(distance))  # nothing to learn there
        expected = self._expected(mean, log_width, tokens).detach()
        values = torch.stack([sums.energy(tokens) / condition.energy, sums.n_hits.sum(dim=1) / expected], dim=1)
        mean, log_width = _split(self.usual_sums(self.incident(condition)))
        of_sums = (values.clamp(min=TINY).log() - mean) / log_width.exp()
        usual_sums = (0.5 * of_sums.square() + log_width).mean(dim=0)
        whole = torch.cat([distance.flatten(1), of_sums.clamp(-FAR, FAR)], dim=1)
        return usual.sum() + usual_sums.sum(), whole

    def sample(self, tokens: Tokens, condition: Condition, random: torch.Generator | None, steps: int) -> LayerSums:
        """Draw the layers of showers."""
        start = noise(condition.n, self.flow.n, tokens.depth, random)
        whole = self.flow.sample(start, self.incident(condition), steps)
        distance = whole[:, :-N_SUMS].reshape(-1, self.n_layers, N_NUMBERS)
        told = self._told(tokens, condition)
        mean, log_width = _split(self.usual_sums(self.incident(condition)))
        response, hits = (mean + log_width.exp() * whole[:, -N_SUMS:]).exp().unbind(dim=1)
        mean, log_width = _split(self.usual_hits(told))
        root = (mean + log_width.exp() * distance[..., :1])[..., 0].clamp(min=0) * tokens.present
        n_hits = counted(root.square(), hits * self._expected(mean, log_width, tokens))
        mean, log_width = self._usual(told, n_hits, distance[..., 1], is_distance=True)
        values = mean + log_width.exp() * distance
        mips = n_hits * values[..., 1].clamp(LEAST, MOST).exp()
        sums = LayerSums(n_hits, mips, pushed_out(values[..., 2:]) * (n_hits > 0)[..., None])
        factor = response * condition.energy / sums.energy(tokens).clamp(min=TINY)
        return sums._replace(mips=mips * factor.clamp(1 / MOST_SCALED, MOST_SCALED)[:, None])

    def _expected(self, mean: Tensor, log_width: Tensor, tokens: Tokens) -> Tensor:
        """Return the number of hits that is usual, [n_showers]: mean of the square of the root."""
        square = mean[..., 0].square() + (2 * log_width[..., 0]).exp()
        return (square * tokens.present).sum(dim=1).clamp(min=1.0)

    def _usual(
        self, told: Tensor, n_hits: Tensor, log_mean: Tensor, *, is_distance: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the width of all numbers, [n_showers, n_layers, N_NUMBERS] each.

        The energy per hit depends on the number of hits, the centre on both; `log_mean` is the former, or its distance.
        """
        told_hits = torch.cat([told, n_hits.log1p()[..., None] / 3], dim=2)
        mean, log_width = _split(self.usual_energy(told_hits), LOG_MEAN_WIDTHS)
        if is_distance:
            log_mean = (mean + log_width.exp() * log_mean[..., None])[..., 0].clamp(LEAST, MOST)
        told_energy = torch.cat([told_hits, log_mean[..., None] / 2], dim=2)
        parts = (_split(self.usual_hits(told)), (mean, log_width), _split(self.usual_centre(told_energy)))
        means, log_widths = zip(*parts, strict=True)
        return torch.cat(means, dim=2), torch.cat(log_widths, dim=2)

    def _told(self, tokens: Tokens, condition: Condition) -> Tensor:
        incident = self.incident(condition)[:, None].expand(-1, self.n_layers, -1)
        sizes = torch.stack([tokens.depth, self.seen_areas.nearest(tokens.area)], dim=2).log() / 2
        return torch.cat([sizes, tokens.features, incident], dim=2)


def blurred(sums: LayerSums, mips: Tensor, seen: Seen) -> LayerSums:
    """Return sums whose centres have noise, `BLUR_OF_CENTRE` times as wide as independent hits scatter.

    A centre is made by the hits of its layer. Hits are drawn independently of each other; were they told the centre
    they have to make, they would scatter around it as widely as it lies off the axis by chance, and the centres made
    would scatter by 1.4 times as much. Told with noise of k times that width it is of use still where a shower is
    elsewhere altogether, and the centres scatter by (1 + 1 / (1 + k^2))^(1/2) times as much: 5 % more.

    Parameters
    ----------
    sums
    mips : [n_hits]
        Energies.
    seen
    """
    place = torch.stack([seen.u, seen.v], dim=1)
    moments = torch.cat([sums.mips[..., None], sums.mips[..., None] * sums.centre], dim=2).transpose(1, 2)
    near = functional.avg_pool1d(moments, AROUND, stride=1, padding=AROUND // 2).transpose(1, 2)
    middle = near[..., 1:] / near[..., :1].clamp(min=TINY)
    square = (place - middle.flatten(0, 1)[seen.row]).square().sum(dim=1) / 2
    total = pool_sum((mips.square() * square)[:, None], seen.layer_ptr).reshape(sums.mips.shape)
    width = BLUR_OF_CENTRE * total.sqrt() / sums.mips.clamp(min=TINY)
    return sums._replace(centre=sums.centre + width[..., None] * torch.randn_like(sums.centre))


def pulled_in(centre: Tensor) -> Tensor:
    """Return points across the axis [..., 2] at a power of their distance [cm].

    Centres of few hits are often near the axis and sometimes far away, as no Gaussian is.
    """
    pulled: Tensor = centre * centre.norm(dim=-1, keepdim=True).clamp(min=TOUCHING).pow(POWER - 1)
    return pulled


def pushed_out(point: Tensor) -> Tensor:
    """Undo `pulled_in`; nothing lies farther away than `FARTHEST`."""
    distance = point.norm(dim=-1, keepdim=True).clamp(min=TOUCHING)
    pushed: Tensor = point * distance.pow(1 / POWER).clamp(max=FARTHEST) / distance
    return pushed


def counted(many: Tensor, wanted: Tensor) -> Tensor:
    """Round numbers [n_showers, n_layers] to whole ones that add up to what is wanted [n_showers], or nearly so.

    They are scaled, once before the rounding and once for what the rounding changed. Below a half is nothing.
    """
    many = torch.where(many > 0.5, many, 0.0)
    n_hits = many
    for _ in range(2):
        factor = wanted / n_hits.sum(dim=1).clamp(min=TINY)
        many = many * factor.clamp(1 / MOST_SCALED, MOST_SCALED)[:, None]
        n_hits = many.round()
    return n_hits


def blurred_root(n_hits: Tensor) -> Tensor:
    """Return the root of numbers of hits with noise, from which the nearest number finds back to them.

    Flows need continuous numbers. Evenly filled steps would put an edge right beside layers that are nearly always
    empty, and a flow that blurs it a little would light them all; this noise stays away from the edges.
    """
    root = n_hits.sqrt()
    step = torch.where(n_hits > 0, (n_hits + 1).sqrt() - root, 0.5)
    return root + BLUR * step * torch.randn_like(root)


def _usual(n: int, n_out: int, width: int = 64) -> nn.Sequential:
    """Return a network from n numbers to means and logarithms of widths."""
    maps = (nn.Linear(n, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
    return nn.Sequential(*maps, nn.Linear(width, 2 * n_out))


def _split(found: Tensor, log_widths: tuple[float, float] = LOG_WIDTHS) -> tuple[Tensor, Tensor]:
    mean, log_width = found.chunk(2, dim=-1)
    return mean, log_width.clamp(*log_widths)
