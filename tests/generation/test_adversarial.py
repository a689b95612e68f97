"""The training module by hand: learning rates of optimisers, moving average, historical averaging."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import pytest
import torch
from torch import Tensor, nn

from hgcal_gnn.generation.adversarial import AdversarialModule
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.image_batch import ImageBatch
from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.generation.voxel.base import ImageSizes, VoxelModel, VoxelModelConfig


def rates(places: list[int], *, iterations: int = 100, **settings: Any) -> list[float]:
    optimiser = OptimiserConfig.of(learning_rate=2.0, **settings)
    return [optimiser.rate(place, iterations) for place in places]


def test_a_constant_rate_stays() -> None:
    assert rates([0, 50, 100]) == [2.0, 2.0, 2.0]


def test_steps_take_the_factor_from_each_milestone_on() -> None:
    found = rates([0, 39, 40, 69, 70, 100], schedule="steps", factor=0.1, milestones=(40, 70))
    assert found == pytest.approx([2.0, 2.0, 0.2, 0.2, 0.02, 0.02])


def test_exponential_takes_the_factor_once_a_period() -> None:
    found = rates([0, 9, 10, 19, 20, 50], schedule="exponential", factor=0.5, period=10)
    assert found == pytest.approx([2.0, 2.0, 1.0, 1.0, 0.5, 2.0 / 32])


def test_cosine_falls_to_nothing_at_the_end() -> None:
    found = rates([0, 25, 50, 75, 100], schedule="cosine")
    assert found == pytest.approx([2.0, 1 + 0.5**0.5, 1.0, 1 - 0.5**0.5, 0.0], abs=1e-6)


def test_cyclic_climbs_from_the_factor_and_back_in_a_period() -> None:
    found = rates([0, 5, 10, 15, 20, 30, 40], schedule="cyclic", factor=0.5, period=20)
    assert found == pytest.approx([1.0, 1.5, 2.0, 1.5, 1.0, 2.0, 1.0])


class OneWeight(VoxelModel):
    """Weights w of the generator and v of the critic; both lower their own by the learning rate at each step."""

    config_class: ClassVar[type[VoxelModelConfig]] = VoxelModelConfig
    generating: nn.Linear

    def __init__(self) -> None:
        super().__init__(VoxelModelConfig.model_validate({}), ImageSizes({"voxels": (1,)}))
        self.generating, self.critic = (nn.Linear(1, 1, bias=False) for _ in range(2))
        with torch.no_grad():
            self.generating.weight.fill_(1.0)
            self.critic.weight.fill_(10.0)

    def stages(self, iterations: int) -> list[Stage]:
        sgd = OptimiserConfig.of(kind="sgd", learning_rate=0.5)
        players = (
            Player("critic", self.critic, lambda _: {"loss": self.critic.weight.sum()}, sgd),
            Player("generator", self.generating, lambda _: {"loss": self.generating.weight.sum()}, sgd),
        )
        return [Stage("gan", players, iterations)]

    def generate(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        return self.generating(condition.energy[:, None])  # type: ignore[no-any-return]


def trained(steps: int, monkeypatch: pytest.MonkeyPatch, **settings: float) -> AdversarialModule:
    """Take some steps without a trainer."""
    model = OneWeight()
    module = AdversarialModule(model, model.stages(steps), **settings)
    optimisers = module.configure_optimizers()
    monkeypatch.setattr(module, "optimizers", lambda: optimisers)
    monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
    monkeypatch.setattr(module, "log_dict", lambda *_, **__: None)
    one = torch.ones(1)
    batch = ImageBatch(one[:, None], Condition(one, torch.ones(1, 3), torch.zeros(1, 3), torch.zeros(1).long()))
    for step in range(steps):
        module.training_step(batch, step)
    return module


def weight(model: VoxelModel) -> float:
    return float(cast("OneWeight", model).generating.weight.detach())


def test_moving_average_after_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weight goes 1, 0.5, 0; the average begins with the first step: 0.5, then 0.9 x 0.5 + 0.1 x 0."""
    module = trained(2, monkeypatch, averaging=0.9)
    assert weight(module.model) == pytest.approx(0.0)
    with module.averaged() as model:
        assert weight(model) == pytest.approx(0.45)
    assert weight(module.model) == pytest.approx(0.0)  # the training goes on with its own


def test_without_averaging_the_weights_are_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    module = trained(2, monkeypatch)
    with module.averaged() as model:
        assert weight(model) == pytest.approx(0.0)


def test_historical_averaging_pulls_weights_to_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loss w + h (w - mean)^2, mean of all weights before the step; learning rate 0.5, h = 0.25.

    Step 1: mean 1 (w itself), so w = 1 - 0.5 x 1 = 0.5; the mean stays 1.
    Step 2: gradient 1 + 2 x 0.25 x (0.5 - 1) = 0.75, so w = 0.125; the mean becomes (1 + 0.5) / 2.
    Step 3: gradient 1 + 0.5 x (0.125 - 0.75) = 0.6875, so w = -0.21875; the mean becomes 1.625 / 3.
    """
    found = [weight(trained(n, monkeypatch, historical=0.25).model) for n in (1, 2, 3)]
    assert found == pytest.approx([0.5, 0.125, -0.21875])
    checkpoint: dict[str, Any] = {}
    trained(3, monkeypatch, historical=0.25).on_save_checkpoint(checkpoint)
    n, (mean,) = checkpoint["history"]["generator"]
    assert (n, float(mean)) == (3, pytest.approx(1.625 / 3))
    n, (mean,) = checkpoint["history"]["critic"]  # as the generator, 9 higher: each player has a mean of its own
    assert float(mean) == pytest.approx(9 + 1.625 / 3)
