"""Tests of the post-processor: published size, distance by hand, what stays and what is learned."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from hgcal_gnn.generation.adversarial import n_weights
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.image_batch import ImageBatch
from hgcal_gnn.generation.voxel.post_processor import (
    PostProcessor,
    PostProcessorConfig,
    post_processor_stage,
    published_unit,
    sorted_kernel_distance,
)

SHAPE = (3, 4, 5)


def condition(n: int) -> Condition:
    return Condition(torch.full((n,), 20.0), torch.zeros(n, 3), torch.zeros(n, 3), torch.zeros(n, dtype=torch.int64))


def network(**settings: object) -> PostProcessor:
    torch.manual_seed(5)
    return PostProcessor(SHAPE, PostProcessorConfig.model_validate({"channels": 8, **settings}))


def images(n: int = 4) -> Tensor:
    torch.manual_seed(6)
    return torch.relu(torch.randn(n, math.prod(SHAPE))) * 1e-3


def test_published_number_of_weights():
    assert n_weights(PostProcessor((30, 30, 30), PostProcessorConfig())) == 299_136


def test_distance_of_sorted_windows_by_hand():
    """Windows of two of the two highest cells: (3, 1) against (2, 1), one window."""
    config = PostProcessorConfig(window=2, stride=2, cells=2, alpha=0.5)
    found = sorted_kernel_distance(torch.tensor([[1.0, 0.0, 3.0]]), torch.tensor([[0.0, 2.0, 1.0]]), config)

    def kernel(difference: float) -> float:
        return math.exp(-0.5 * difference**2)

    x = (2 + 2 * kernel(2)) / 4
    y = (2 + 2 * kernel(1)) / 4
    xy = (kernel(1) + kernel(2) + kernel(1) + kernel(0)) / 4
    assert float(found) == pytest.approx(x + y - 2 * xy, abs=1e-6)


def test_windows_start_every_stride_below_the_limit():
    """A difference in the fifth cell is seen by windows that begin at 0, 2 and 4, not with fewer cells."""
    ours = torch.tensor([[6.0, 5, 4, 3, 2, 1, 0, 0]])
    theirs = torch.tensor([[6.0, 5, 4, 3, 1.5, 1, 0, 0]])
    near = PostProcessorConfig(window=2, stride=2, cells=4, alpha=1.0)
    assert float(sorted_kernel_distance(ours, theirs, near)) == pytest.approx(0.0, abs=1e-6)
    assert float(sorted_kernel_distance(ours, theirs, near.model_copy(update={"cells": 5}))) > 1e-3


def test_the_most_frequent_energy_of_cells_is_a_mip():
    torch.manual_seed(1)
    cells = torch.cat([torch.exp(torch.randn(5000) * 0.1) * 3e-3, torch.rand(5000) * 0.3, torch.zeros(500)])
    assert published_unit(cells.reshape(10, -1)) == pytest.approx(3e-3 / 0.2, rel=0.1)
    assert published_unit(torch.zeros(2, 3)) == 1e-3


def test_changes_nothing_before_its_training():
    given = images()
    assert network()(given, condition(4).energy) is given


def test_empty_cells_stay_empty_and_none_is_negative():
    trained = network()
    trained.active.fill_(True)
    given = images()
    after = trained(given, condition(4).energy)
    assert ((after > 0) <= (given > 0)).all()
    assert (after >= 0).all()
    assert not torch.equal(after, given)


def test_logarithms_and_back():
    some = network()
    given = images()
    torch.testing.assert_close(some.energies(some.logarithms(given), given), given)


def test_scales_come_from_the_showers():
    some = network()
    given = images()
    some.fit(ImageBatch(given, condition(4)))
    assert float(some.total) == pytest.approx(float(given.sum()) / 4)
    assert float(some.highest) == 20.0


def test_stage_warms_up_first_and_switches_it_on_afterwards():
    some = network(share=0.5, warm_up=0.25)
    stage = post_processor_stage(some, lambda batch: batch.image, 80, some_config(share=0.5, warm_up=0.25))
    warm, main = stage.players
    assert stage.iterations == 40
    assert [warm.acts(iteration) for iteration in (0, 9, 10)] == [True, True, False]
    assert [main.acts(iteration) for iteration in (9, 10, 39)] == [False, True, True]
    batch = ImageBatch(images(), condition(4))
    assert set(warm.losses(batch)) == {"loss"}
    assert not some.active
    main.losses(batch)
    assert some.active


def some_config(**settings: object) -> PostProcessorConfig:
    return PostProcessorConfig.model_validate({"channels": 8, **settings})


def test_learns_a_spectrum():
    """Cells half as high as they should be are put right."""
    config = some_config(share=1.0, warm_up=0.0, cells=30, window=10, stride=10, sorted_weight=1.0)
    some = network()
    truth = images(8)
    batch = ImageBatch(truth, condition(8))
    some.fit(batch)
    stage = post_processor_stage(some, lambda given: given.image / 2, 150, config)
    player = stage.players[1]
    optimiser = torch.optim.Adam(some.parameters(), lr=5e-3)
    for _ in range(stage.iterations):
        loss = player.losses(batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    before = (truth / 2 - truth).abs().mean()
    after = (some(truth / 2, batch.condition.energy).detach() - truth).abs().mean()
    assert float(after) < 0.4 * float(before)
