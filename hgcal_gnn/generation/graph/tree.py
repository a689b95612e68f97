"""Tree generator: from one root to as many leaves as there may be hits (DeepTreeGAN, arXiv:2311.12616, 2312.00042).

1. `Totals` draws how many hits the shower has and how much energy they hold together.
2. A `Tree` grows: branching, what all nodes have in common, messages of all ancestors; each leaf is a hit: energy,
   place across the line of flight, layer.
3. Leaves fall into the nearest cells; those of highest energy are taken until there are as many hits as drawn, and
   their energies are scaled to the drawn sum (`leaves`).

In the training the totals are those of the simulated showers. Two losses teach the tree:

- The critic, one of `generation.critics`, judges what comes out: hits in cells, on the cell graph. Which cell a leaf
  falls into has no gradient; so the critic is shown the cell, and the gradient of its place and layer goes to the leaf
  as if the cell moved with it (straight-through, arXiv:1308.3432). Features are matched by all their quantiles.
- The distribution of pairs of hits of a shower is pulled to that of simulated ones (`matching`): energies, places,
  radii, and what they have in common. It needs no critic to be learned first, and does not oscillate.

Deviations from the paper: places in the frame of the line of flight, so that direction and azimuth need not be learned;
leaves and branchings have noise of their own; energies and places as quantiles of the training sample; the second loss;
this critic in place of bipartite pooling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.critics.cells import FEATURES, Cells, neighbour_distance
from hgcal_gnn.generation.critics.config import GraphCriticConfig, MessagePassingCriticConfig
from hgcal_gnn.generation.critics.losses import critic_losses
from hgcal_gnn.generation.critics.networks import make_critic
from hgcal_gnn.generation.graph.base import GraphModel, GraphModelConfig, GraphSizes
from hgcal_gnn.generation.graph.leaves import N_NUMBERS, Leaves, LitHits, scaled
from hgcal_gnn.generation.graph.matching import latent_distance, pairs, sliced_distance
from hgcal_gnn.generation.graph.places import leaf_numbers, log_radius, seen, spread_places
from hgcal_gnn.generation.graph.planes import Planes
from hgcal_gnn.generation.graph.quantile_map import QuantileMap
from hgcal_gnn.generation.graph.totals import Totals
from hgcal_gnn.generation.graph.tree_networks import Tree, check_shape
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.critics.hit_sets import HitSets
    from hgcal_gnn.generation.graph.calorimeter import Calorimeter
    from hgcal_gnn.generation.graph.hits import HitBatch, Hits

MARGIN = 1 + 1e-5  # faintest hits stay above the threshold after rounding


class TreeConfig(GraphModelConfig):
    """Settings of the tree generator."""

    kind: Literal["tree"] = "tree"
    branches: tuple[PositiveInt, ...] = Field(
        (4, 5, 6, 9),
        min_length=1,
        description="children of a node, level by level; their product, the leaves, must exceed the hits of a shower",
    )
    widths: tuple[PositiveInt, ...] = Field(
        (64, 32, 24, 16, 12), description="numbers of a node: of the root, then level by level"
    )
    hidden: PositiveInt = Field(64, description="width of the networks on nodes")
    globals: PositiveInt = Field(10, description="numbers that all nodes of a level have in common")
    noise: NonNegativeInt = Field(4, description="fresh random numbers of each node")
    totals_hidden: PositiveInt = Field(32, description="width of the network that draws hits and energy")
    totals_components: PositiveInt = Field(4, description="normal distributions in its mixture")
    matching: NonNegativeFloat = Field(
        10.0, description="weight of the sliced Wasserstein distance of the hits; 0: off"
    )
    adversarial: NonNegativeFloat = Field(0.3, description="weight of what the critic teaches; 0: nothing")
    critic: GraphCriticConfig = Field(
        MessagePassingCriticConfig.model_validate(
            {"hidden": 32, "n_layers": 2, "regularisation": "spectral_norm", "feature_matching": 1.0}
        ),
        description="the critic that judges hits in cells: gcn, message_passing or deep_sets",
    )
    critic_steps: PositiveInt = Field(1, description="steps of the critic per step of the generator")
    generator_optimiser: OptimiserConfig = OptimiserConfig.of(learning_rate=1e-3, betas=(0.5, 0.9))
    critic_optimiser: OptimiserConfig = OptimiserConfig.of(learning_rate=2e-4, betas=(0.5, 0.9))
    totals_optimiser: OptimiserConfig = OptimiserConfig.of(learning_rate=3e-3)

    @model_validator(mode="after")
    def _is_a_tree(self) -> Self:
        check_shape(self.branches, self.widths)
        return self


class TreeModel(GraphModel):
    """Totals, tree and critic.

    Parameters
    ----------
    layers
        Numbers of the layers that hits are placed in; None: all of the calorimeter.
    """

    config_class = TreeConfig
    config: TreeConfig
    generating: nn.ModuleDict

    def __init__(
        self, config: TreeConfig, sizes: GraphSizes, calorimeter: Calorimeter, layers: Sequence[int] | None = None
    ) -> None:
        super().__init__(config, sizes, calorimeter)
        self.planes = Planes.of(calorimeter, layers)
        n_kinds = len(sizes.pdg_ids)
        totals = Totals(n_kinds, config.totals_hidden, config.totals_components)
        tree = Tree(
            config.branches, config.widths, N_NUMBERS, n_told=totals.told.n_columns + 2, n_globals=config.globals,
            hidden=config.hidden, noise=config.noise,
        )  # fmt: skip
        self.generating = nn.ModuleDict({"totals": totals, "tree": tree, "maps": QuantileMap(N_NUMBERS)})
        self.critic = make_critic(config.critic, len(FEATURES), n_kinds)
        self.numbers_per_shower = 8 * tree.n_leaves * config.hidden
        self._cells: dict[torch.device, Cells] = {}
        self._units: dict[torch.device, Tensor] = {}

    @classmethod
    def check(cls, calorimeter: Calorimeter) -> None:
        """Refuse detectors whose layers are no disks or cylinders, and those whose cells share their centres.

        Raises
        ------
        UsageError
        """
        Planes.of(calorimeter)
        neighbour_distance(calorimeter.graph)

    def moved_to(self, calorimeter: Calorimeter) -> Self:
        """Return the same weights in another geometry that has the layers of this one.

        Raises
        ------
        UsageError
            If it lacks some of them.
        """
        other = type(self)(self.config, self.sizes, calorimeter, self.planes.layer.tolist())
        other.load_state_dict(self.state_dict())
        return other

    @property
    def totals(self) -> Totals:
        """Draws the number of hits and their energy."""
        return self.generating["totals"]  # type: ignore[return-value]

    @property
    def tree(self) -> Tree:
        """Grows leaves."""
        return self.generating["tree"]  # type: ignore[return-value]

    @property
    def maps(self) -> QuantileMap:
        """Numbers of leaves, from normal ones."""
        return self.generating["maps"]  # type: ignore[return-value]

    def fit(self, sample: HitBatch) -> None:
        """Take the scales of totals, hits and critic.

        Raises
        ------
        UsageError
            If showers have more hits than the tree has leaves.
        """
        most = int(sample.hits.n_hits.max())
        if most > self.tree.n_leaves:
            msg = (
                f"model.branches {list(self.config.branches)} make {self.tree.n_leaves} leaves, and showers have up to "
                f"{most} hits: give more branches (half as many leaves again is usual), or a higher model.threshold"
            )
            raise UsageError(msg)
        condition = sample.condition
        lit = sample.hits.n_hits > 0
        n_hits, visible = _totals(sample)
        self.totals.fit(condition.rows(lit), n_hits[lit], visible[lit])
        real = self._cells_on(n_hits).hits(*sample.hits, condition)
        self.maps.fit(leaf_numbers(real, spread_places(real, self.planes)))
        self.critic.fit(real, condition)

    def stages(self, iterations: int) -> Sequence[Stage]:
        """Train all three together."""
        config = self.config
        players = (
            Player("totals", self.totals, self.totals_losses, config.totals_optimiser),
            Player("critic", self.critic, self.critic_losses, config.critic_optimiser),
            Player(
                "generator", self.tree, self.generator_losses, config.generator_optimiser, every=config.critic_steps
            ),
        )  # fmt: skip
        return [Stage("gan", players, iterations)]

    def totals_losses(self, batch: HitBatch) -> dict[str, Tensor]:
        """-log of the density of hits and energy."""
        lit = batch.hits.n_hits > 0
        n_hits, visible = _totals(batch)
        return {"loss": self.totals.loss(batch.condition.rows(lit), n_hits[lit], visible[lit])}

    def critic_losses(self, batch: HitBatch) -> dict[str, Tensor]:
        """See `critics.losses`."""
        cells = self._cells_on(batch.hits.energy)
        with torch.no_grad():
            fake = self._seen(self._grown(batch.condition, *_totals(batch)), batch.condition)
        return critic_losses(self.critic, cells.hits(*batch.hits, batch.condition), fake, cells, batch.condition)

    def generator_losses(self, batch: HitBatch) -> dict[str, Tensor]:
        """Score and latent features of the critic, and the distance between pairs of hits (see `matching`)."""
        condition, config = batch.condition, self.config
        totals = _totals(batch)
        lit = self._grown(condition, *totals)
        real = self._cells_on(totals[1]).hits(*batch.hits, condition)
        fake = self._seen(lit, condition)
        losses = {"loss": fake.energy.new_zeros(())}
        if config.adversarial:
            losses = self._taught(real, fake, condition)
            losses["loss"] = config.adversarial * losses["loss"]
        if config.matching:
            told = self._told(condition, *totals)[:, [0, -2, -1]]  # energy, hits, response
            ours, of_real = pairs(self._columns(real, spread_places(real, self.planes)), real, told)
            theirs, of_fake = pairs(self._columns(fake, lit.place), fake, told)
            losses["hits"] = sliced_distance(ours, theirs)
            losses["deposits"] = sliced_distance(ours, theirs, weights=(of_real, of_fake))
            losses["loss"] = losses["loss"] + config.matching * (losses["hits"] + losses["deposits"])
        return losses

    def _taught(self, real: HitSets, fake: HitSets, condition: Condition) -> dict[str, Tensor]:
        """Return what the critic teaches: its score, and the distance of its latent features from real ones."""
        scores, latent = self.critic.judged(fake, condition)
        with torch.no_grad():
            _, wanted = self.critic.judged(real, condition)
        features = latent_distance(wanted, latent, self.totals.told(condition)[:, :1])
        return {"loss": self.config.critic.feature_matching * features - scores.mean(), "features": features}

    def _columns(self, hits: HitSets, place: Tensor) -> Tensor:
        """Return numbers of hits of order 1, [n_hits, 5]."""
        return torch.cat([self.maps.inverse(leaf_numbers(hits, place)), log_radius(place)], dim=1)

    def generate(self, condition: Condition, random: torch.Generator | None = None, steps: int | None = None) -> Hits:
        """Generate hits [GeV], as many as drawn."""
        del steps
        return self.lit(condition, *self.drawn(condition, random), random).hits

    def drawn(self, condition: Condition, random: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Draw showers before they are in cells.

        Returns
        -------
        float [n]
            Hits, whole numbers.
        float [n]
            Visible energy [GeV].
        float [n, n_leaves, N_NUMBERS]
            Leaves, see `Leaves.of`.
        """
        n_hits, visible = self.totals(condition, random)
        n_hits = n_hits.clamp(max=self.tree.n_leaves)
        return n_hits, visible, self._leaves(condition, n_hits, visible, random)

    def lit(
        self, condition: Condition, n_hits: Tensor, visible: Tensor, leaves: Tensor,
        random: torch.Generator | None = None,
    ) -> LitHits:  # fmt: skip
        """Turn what `drawn` drew into hits."""
        lit = Leaves.of(leaves).lit(self.planes, self._unit_on(visible), condition, n_hits, random)
        return lit._replace(hits=scaled(lit.hits, visible, MARGIN * self.config.threshold))

    def _grown(
        self, condition: Condition, n_hits: Tensor, visible: Tensor, random: torch.Generator | None = None
    ) -> LitHits:
        """Grow the hits of particles: so many, of so much energy [GeV] together."""
        return self.lit(condition, n_hits, visible, self._leaves(condition, n_hits, visible, random), random)

    def _leaves(
        self, condition: Condition, n_hits: Tensor, visible: Tensor, random: torch.Generator | None
    ) -> Tensor:  # fmt: skip
        leaves: Tensor = self.maps(self.tree(self._told(condition, n_hits, visible), random))
        return leaves

    def _seen(self, lit: LitHits, condition: Condition) -> HitSets:
        cells = self._cells_on(lit.hits.energy)
        return seen(lit, cells, condition, self.planes, self.calorimeter.numbers.n_layers)

    def _told(self, condition: Condition, n_hits: Tensor, visible: Tensor) -> Tensor:
        return torch.cat([self.totals.told(condition), self.totals.tell(condition, n_hits, visible)], dim=1)

    def _cells_on(self, like: Tensor) -> Cells:
        """Return the cells on the device of some numbers; copied there once."""
        if like.device not in self._cells:
            self._cells[like.device] = self.calorimeter.critic_cells.to(like)
        return self._cells[like.device]

    def _unit_on(self, like: Tensor) -> Tensor:
        """Return E_MIP of the cells [GeV], likewise: all that is needed of them outside of the training."""
        if like.device not in self._units:
            self._units[like.device] = torch.from_numpy(self.calorimeter.numbers.mip).to(like)
        return self._units[like.device]


def _totals(batch: HitBatch) -> tuple[Tensor, Tensor]:
    """Return hits and visible energy [GeV] of each shower, float [n]."""
    hits = batch.hits
    visible = hits.energy.new_zeros(hits.n_showers).index_add(0, hits.shower, hits.energy)
    return hits.n_hits.to(visible), visible
