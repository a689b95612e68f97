"""A generator of showers in the cells of any detector: layers, clicks, energies.

1. A flow draws how many hits and how much energy every layer has, in units that do not depend on the cells: depth along
   the flight, MIPs (`cells_layers`).
2. A network on the layers turns that into a density of clicks around the axis; points are drawn from it and fall into
   cells, until the layer has its hits (`cells_places`, `cells_draw`). The cost grows with the hits, not with the cells.
3. Messages between the hit cells, along the edges of the cell graph, turn noise into energies (`cells_energies`): by a
   flow in several steps, or in a single one by a second network that has learned where the flow ends.

Hit counts and energies of the layers are met exactly, by construction. Nothing but areas, sensors, depths and places
relative to the axis is told, so that a trained model runs in other windows, at other angles and on other cells: where
cells are larger or smaller than those it has seen, the same clicks are counted in the cells there are.

Relatives: CaloClouds (arXiv:2305.04847, 2309.05704: shower-level flow, then points), CaloHadronic and AllShowers
(2506.21720, 2601.11716: flow matching of points with counts per layer). There points are drawn in space and binned into
cells afterwards; here cells are hit, and counts, sums and thresholds hold in the cells themselves.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.generation.graph.base import GraphModel, GraphModelConfig, GraphSizes
from hgcal_gnn.generation.graph.cells_draw import draw
from hgcal_gnn.generation.graph.cells_energies import HitNetwork, Told, flow_loss, flowed, shared_out
from hgcal_gnn.generation.graph.cells_layers import LayerModel, LayerSums, blurred
from hgcal_gnn.generation.graph.cells_places import Density, Places, click_losses
from hgcal_gnn.generation.graph.ground import Ground, check_planes
from hgcal_gnn.generation.graph.hit_edges import Edges  # noqa: TC001 (pydantic reads it)
from hgcal_gnn.generation.graph.hits import Hits
from hgcal_gnn.generation.noise import noise
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.nn.pooling import pool_sum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.graph.calorimeter import Calorimeter
    from hgcal_gnn.generation.graph.ground import Seen, Tokens
    from hgcal_gnn.generation.graph.hits import HitBatch

SAME_AREA = 0.02  # relative difference of areas that is left alone
USUAL = 0.2  # of the iterations what is usual in layers is learned in; the flow of the layers comes after it
AT_ONCE = 64  # showers made together: the numbers of more do not fit into the caches of processors


class CellsConfig(GraphModelConfig):
    """Settings of the generator in cells."""

    kind: Literal["cells"] = "cells"
    layer_width: PositiveInt = Field(256, description="numbers inside the flow of the layers")
    layer_blocks: PositiveInt = Field(4, description="its blocks, of two linear maps each")
    layer_turns: PositiveInt = Field(5, description="steps of the flow of the layers, the cheapest network, per batch")
    place_width: PositiveInt = Field(64, description="numbers per layer in the network of the densities")
    place_rounds: PositiveInt = Field(4, description="its rounds of messages between layers; each doubles the reach")
    components: PositiveInt = Field(8, description="Gaussians of a density")
    context: PositiveInt = Field(32, description="numbers that tell hits about their layer")
    hit_width: PositiveInt = Field(32, description="numbers per hit in the networks of the energies")
    message: PositiveInt = Field(24, description="numbers per message between hits")
    rounds: NonNegativeInt = Field(2, description="rounds of messages between hits; 0: hits do not hear of neighbours")
    edges: Edges = Field(
        "cells", description="messages go along the edges of the cell graph, to the nearest 8 hits, or along none"
    )
    layer_steps: PositiveInt = Field(
        2, description="steps of the flow of the layers, of fourth order: four evaluations each"
    )
    flow_steps: PositiveInt = Field(2, description="midpoint steps of the flow of the energies, where it is used")
    distil: NonNegativeFloat = Field(
        0.25, description="iterations per iteration of the main stage in which one step learns from the flow; 0: never"
    )
    clip: NonNegativeFloat = Field(1.0, description="largest norm of a gradient")
    optimiser: OptimiserConfig = Field(
        default_factory=lambda: OptimiserConfig.of(learning_rate=1.5e-3, schedule="cosine"),
        description="of all networks",
    )

    def steps_of_layers(self, steps: int | None) -> int:
        """Return the steps of the flow of the layers where `steps` are asked for: fewer are not taken."""
        return max(steps or 0, self.layer_steps)


class Networks(nn.Module):
    """All that generates.

    Parameters
    ----------
    config
    n_layers
    n_kinds
        Of incident particles.

    Attributes
    ----------
    distilled
        Whether `one_step` has learned; else 0.
    """

    distilled: Tensor

    def __init__(self, config: CellsConfig, n_layers: int, n_kinds: int) -> None:
        super().__init__()
        self.layers = LayerModel(n_layers, n_kinds, config.layer_width, config.layer_blocks)
        self.places = Places(
            self.layers.incident.n_columns, config.place_width, config.place_rounds, config.components, config.context
        )
        sizes = (config.context, config.hit_width, config.message, config.rounds)
        self.flow, self.one_step = HitNetwork(*sizes), HitNetwork(*sizes)
        self.register_buffer("distilled", torch.zeros(()))


class Cells(GraphModel):
    """Draws layers, then cells, then energies; see the head of this file."""

    config_class: ClassVar[type[CellsConfig]] = CellsConfig
    has_steps: ClassVar[bool] = True
    config: CellsConfig
    generating: Networks

    def __init__(self, config: CellsConfig, sizes: GraphSizes, calorimeter: Calorimeter) -> None:
        super().__init__(config, sizes, calorimeter)
        self.ground = Ground.of(calorimeter)
        self.generating = Networks(config, self.ground.n_layers, len(sizes.pdg_ids))
        self._looked: tuple[HitBatch, tuple[Seen, Tensor, Tokens]] | None = None

    @classmethod
    def check(cls, calorimeter: Calorimeter) -> None:
        """Refuse detectors whose layers are not planes across z."""
        check_planes(calorimeter)

    def fit(self, sample: HitBatch) -> None:
        """Take the range of energies and of the areas of cells on the axis.

        Raises
        ------
        InputError
            If directions are not known.
        """
        if not torch.isfinite(sample.condition.direction).all():
            msg = "not all training showers have a direction, which a generator in cells needs: it follows the axis"
            raise InputError(msg)
        self.generating.layers.incident.fit(sample.condition)
        self.generating.layers.seen_areas.fit(self.ground.tokens(sample.condition).area)

    def stages(self, iterations: int) -> Sequence[Stage]:
        """Train all networks, of the layers first what is usual, then the flow; then one step learns from the flow."""
        parts, config, usual = self.generating, self.config, max(1, round(USUAL * iterations))
        often: dict[str, Any] = {"turns": config.layer_turns, "clip": config.clip}
        main = (
            Player("generator", nn.ModuleList([parts.places, parts.flow]), self.hit_losses, config.optimiser,
                   clip=config.clip),
            Player("usual", parts.layers.usual, self.usual_losses, config.optimiser, until=usual, **often),
            Player("layers", parts.layers.flow, self.layer_losses, config.optimiser, since=usual, **often),
        )  # fmt: skip
        # the learning rate falls to 0: the last weights are the best, whatever a check of few showers says
        stages = [Stage("flow", main, iterations, warm_up=iterations - 1)]
        if config.distil:
            pupil = Player("generator", parts.one_step, self.distil_losses, config.optimiser, clip=config.clip)
            more = max(1, round(config.distil * iterations))
            stages.append(Stage("one_step", (pupil,), more, warm_up=more - 1))
        return stages

    def usual_losses(self, batch: HitBatch) -> dict[str, Tensor]:
        """Return the loss of what is usual in layers."""
        _, _, sums, tokens = self._learned(batch)
        return {"loss": self.generating.layers.usual_loss(sums, tokens, batch.condition)}

    def layer_losses(self, batch: HitBatch) -> dict[str, Tensor]:
        """Return the loss of the flow of the layers."""
        _, _, sums, tokens = self._learned(batch)
        return {"loss": self.generating.layers.flow_loss(sums, tokens, batch.condition)}

    def hit_losses(self, batch: HitBatch) -> dict[str, Tensor]:
        """Return the losses of places and energies."""
        seen, mips, sums, tokens = self._learned(batch)
        density = self._density(sums, tokens, batch.condition)
        shares = density.of_cells(seen)
        told = Told.of(density, shares, sums, seen)
        losses = {
            **click_losses(density, shares, seen, sums, mips),
            "energies": flow_loss(self.generating.flow, told, mips, batch.hits.shower, len(batch)),
        }
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}

    def distil_losses(self, batch: HitBatch) -> dict[str, Tensor]:
        """Return the mean squared distance of one step to where the flow ends, from the same noise.

        The hits are those of the training showers, the energies are made: the flow is asked, not the truth.
        """
        parts = self.generating
        if parts.distilled == 0:  # the pupil begins as its teacher, from whom it has little to learn
            parts.one_step.load_state_dict(parts.flow.state_dict())
            parts.distilled.fill_(1.0)
        with torch.no_grad():
            seen, mips, sums, tokens = self._learned(batch)
            density = self._density(sums, tokens, batch.condition)
            told = Told.of(density, density.of_cells(seen), sums, seen)
            start = torch.randn_like(mips)
            end = flowed(parts.flow, told, start, self.config.flow_steps)
        return {"loss": (flowed(parts.one_step, told, start, None) - end).square().mean()}

    def generate(self, condition: Condition, random: torch.Generator | None = None, steps: int | None = None) -> Hits:
        """Generate hits; without `steps` energies take a single evaluation if that was learned."""
        blocks = range(0, len(condition), AT_ONCE)
        return Hits.joined(
            self._generated(condition.rows(slice(start, start + AT_ONCE)), random, steps) for start in blocks
        )

    def _generated(self, condition: Condition, random: torch.Generator | None, steps: int | None) -> Hits:
        tokens = self._ground(condition).tokens(condition)
        sums = self.generating.layers.sample(tokens, condition, random, self.config.steps_of_layers(steps))
        density = self._density(sums, tokens, condition)
        return self._filled(self._counted(sums, density, tokens, random), density, condition, random, steps)

    def fill(
        self,
        sums: LayerSums,
        condition: Condition,
        random: torch.Generator | None = None,
        steps: int | None = None,
        *,
        exactly: bool = False,
    ) -> Hits:
        """Hit cells so that layers have the hits and energies asked for.

        Parameters
        ----------
        sums
            Hits and energies of layers: in cells like those of the training, unless `exactly`.
        condition
        random
        steps
            Of the flow of the energies; None: a single one if that was learned, else as in the settings.
        exactly
            Take the numbers of hits as they are; else they are what the same clicks hit in the cells there are.

        Returns
        -------
        Hits
            A layer that does not have so many cells has fewer hits; a layer of so little energy that its hits would
            not pass the threshold has more energy.
        """
        tokens = self._ground(condition).tokens(condition)
        density = self._density(sums, tokens, condition)
        if not exactly:
            sums = self._counted(sums, density, tokens, random)
        return self._filled(sums, density, condition, random, steps)

    def _filled(
        self, sums: LayerSums, density: Density, condition: Condition, random: torch.Generator | None, steps: int | None
    ) -> Hits:
        ground = self.ground
        cell, ptr = draw(ground, sums, density, condition, random)
        seen = ground.seen(cell, ptr, condition, self.config.edges)
        told = Told.of(density, density.of_cells(seen), sums, seen)
        start = noise(len(cell), 1, seen.u, random)[:, 0]
        if self._in_one_step(steps):
            normal = flowed(self.generating.one_step, told, start, None)
        else:
            normal = flowed(self.generating.flow, told, start, steps or self.config.flow_steps)
        mips = shared_out(told.mips(normal), sums, self.config.threshold / seen.unit, seen)
        return Hits((mips * seen.unit).float(), cell, ptr)

    def moved_to(self, calorimeter: Calorimeter) -> Self:
        """Return a model with the same weights in another geometry.

        Raises
        ------
        UsageError
            If its layers are not those the model knows.
        """
        ground = Ground.of(calorimeter)
        if ground.n_layers != self.ground.n_layers:
            msg = (
                f"the model was trained on the {self.ground.n_layers} layers of {self.calorimeter.detector}; "
                f"{calorimeter.detector} has {ground.n_layers}: train one for it"
            )
            raise UsageError(msg)
        other = copy.copy(self)
        other.calorimeter, other.ground = calorimeter, ground
        return other

    def _in_one_step(self, steps: int | None) -> bool:
        has_learned = bool(self.generating.distilled > 0)
        if steps == 0 and not has_learned:
            msg = "the model has not learned to make energies in one evaluation (model.distil was 0): ask for steps"
            raise UsageError(msg)
        return not steps and has_learned

    def _ground(self, condition: Condition) -> Ground:
        self.ground = self.ground.to(condition.energy)
        return self.ground

    def _look(self, batch: HitBatch) -> tuple[Seen, Tensor, Tokens]:
        if self._looked is not None and self._looked[0] is batch:  # players take turns at one batch
            return self._looked[1]
        ground = self._ground(batch.condition)
        seen = ground.seen(batch.hits.cell, batch.hits.ptr, batch.condition, self.config.edges)
        found = seen, batch.hits.energy / seen.unit, ground.tokens(batch.condition)
        self._looked = batch, found
        return found

    def _learned(self, batch: HitBatch) -> tuple[Seen, Tensor, LayerSums, Tokens]:
        """Return hits, their energies, what networks are told of the layers, and these."""
        seen, mips, tokens = self._look(batch)
        return seen, mips, blurred(self._sums(seen, mips, len(batch)), mips, seen), tokens

    def _sums(self, seen: Seen, mips: Tensor, n_showers: int) -> LayerSums:
        shape = (n_showers, self.ground.n_layers)
        counts = seen.layer_ptr.diff().to(mips).reshape(shape)
        moments = pool_sum(torch.stack([mips, mips * seen.u, mips * seen.v], dim=1), seen.layer_ptr)
        total = moments[:, 0]
        centre = moments[:, 1:] / total.clamp(min=1e-6)[:, None]
        return LayerSums(counts, total.reshape(shape), centre.reshape(*shape, 2))

    def _density(self, sums: LayerSums, tokens: Tokens, condition: Condition) -> Density:
        density: Density = self.generating.places(sums, tokens, self.generating.layers.incident(condition))
        return density

    def _counted(self, sums: LayerSums, density: Density, tokens: Tokens, random: torch.Generator | None) -> LayerSums:
        """Count in the cells there are what the clicks hit; the energy stays."""
        known = self.generating.layers.seen_areas.nearest(tokens.area)
        strange = (tokens.area / known - 1).abs() > SAME_AREA
        if not strange.any():
            return sums
        ratio = torch.where(strange, density.hits_in(tokens.area) / density.hits_in(known).clamp(min=1e-6), 1.0)
        chance = noise(len(ratio), ratio.shape[1], ratio, random).div(2**0.5).erf().add(1).div(2)
        n_hits = (sums.n_hits * ratio + chance).floor().clamp(min=1) * (sums.n_hits > 0)
        return sums._replace(n_hits=n_hits)
