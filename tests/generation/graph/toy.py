"""Graph models that are as simple as can be: a fixed number of hits in random cells, one number learned."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import ClassVar, Literal, Self

import pytest
import torch
from torch import nn

from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.generation import models
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.graph.base import GraphModel, GraphModelConfig
from hgcal_gnn.generation.graph.calorimeter import Calorimeter
from hgcal_gnn.generation.graph.hits import HitBatch, Hits
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage

N_HITS = 5


class ToyConfig(GraphModelConfig):
    """Settings."""

    kind: Literal["toy"] = "toy"


class Toy(GraphModel):
    """Hits of lognormal energies, in any order, some cells twice; the mean response is learned."""

    config_class: ClassVar[type[GraphModelConfig]] = ToyConfig
    generating: nn.Linear

    def __init__(self, config, sizes, calorimeter):
        super().__init__(config, sizes, calorimeter)
        self.generating = nn.Linear(1, 1)

    def fit(self, sample: HitBatch) -> None:
        """Start at a tenth of the response."""
        nn.init.constant_(self.generating.bias, float(_response(sample).log().mean()) - 2.3)
        nn.init.constant_(self.generating.weight, 0.3)

    def stages(self, iterations: int) -> list[Stage]:
        optimiser = OptimiserConfig.of(learning_rate=0.2)
        return [Stage("toy", (Player("generator", self.generating, self.losses, optimiser),), iterations)]

    def losses(self, batch: HitBatch) -> dict[str, torch.Tensor]:
        wanted = _response(batch).clamp(min=1e-6).log()
        return {"loss": (self.generating(torch.zeros(1)) - wanted).square().mean()}

    def generate(self, condition: Condition, random=None, steps: int | None = None) -> Hits:
        n = len(condition)
        z = torch.randn(n, N_HITS, 1, generator=random).to(condition.energy)
        share = self.generating(z)[..., 0].exp() * (1.0 if steps is None else steps)
        cell = torch.randint(self.calorimeter.n_cells, (n, N_HITS), generator=random)
        cell[:, 1] = cell[:, 0]  # twice
        energy = condition.energy[:, None] * share / N_HITS
        return Hits(energy.flatten(), cell.flatten(), N_HITS * torch.arange(n + 1))


class MovingConfig(GraphModelConfig):
    """Settings."""

    kind: Literal["moving"] = "moving"


class Moving(Toy):
    """The same in any geometry, with steps."""

    config_class: ClassVar[type[GraphModelConfig]] = MovingConfig
    has_steps = True

    def moved_to(self, calorimeter: Calorimeter) -> Self:
        other = type(self)(self.config, self.sizes, calorimeter)
        other.load_state_dict(self.state_dict())
        return other


def _response(batch: HitBatch) -> torch.Tensor:
    sums = torch.zeros(len(batch)).index_add(0, batch.hits.shower, batch.hits.energy)
    return sums / batch.condition.energy


@pytest.fixture
def toys(monkeypatch):
    """Let settings name both models."""
    field = GenerationConfig.model_fields["model"]
    before = field.annotation
    for model in (Toy, Moving):
        monkeypatch.setitem(models._by_kind, model.config_class.model_fields["kind"].default, model)
    field.annotation = reduce(or_, (model.config_class for model in models.MODELS.values()))
    GenerationConfig.model_rebuild(force=True)
    yield
    field.annotation = before
    GenerationConfig.model_rebuild(force=True)
