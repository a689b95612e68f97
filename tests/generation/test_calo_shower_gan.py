"""CaloShowerGAN: published sizes, the split, losses by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.image_batch import ImageBatch
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.voxel.calo_shower_gan import CaloShowerGAN, CaloShowerGANConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

PHOTONS = {"layer_0": (1, 8), "layer_1": (10, 16), "layer_2": (10, 19), "layer_3": (1, 5), "layer_12": (1, 5)}
PION = {
    "latent": 200, "generator": (200, 400, 800), "critic": (800, 400, 200), "activation": "relu",
    "generator_init": "he_uniform", "gradient_penalty": 20.0, "critic_steps": 5,
}  # fmt: skip


def particles(*energies: float) -> Condition:
    n = len(energies)
    along_z = torch.tensor([0.0, 0.0, 1.0]).repeat(n, 1)
    return Condition(torch.tensor(energies), along_z, torch.zeros(n, 3), torch.zeros(n, dtype=torch.int64))


def model(shapes: Mapping[str, tuple[int, ...]], **settings: object) -> CaloShowerGAN:
    torch.manual_seed(0)
    config = CaloShowerGANConfig.model_validate(settings)
    return CaloShowerGAN(config, ImageSizes(shapes, (22,), (1.0, 64.0)))


def count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_sizes_of_the_published_photon_networks() -> None:
    gan = model(PHOTONS)
    assert count(gan.generating) == 259_768  # trainable; arXiv:2309.06515 prints 261k
    statistics = sum(v.numel() for name, v in gan.generating.named_buffers() if "running" in name)
    assert count(gan.generating) + statistics == 261_168
    assert count(gan.critics) == 408_113


def test_sizes_of_the_published_pion_networks() -> None:
    gan = model({"voxels": (533,)}, **PION)
    assert count(gan.generating) == 871_333
    assert count(gan.critics) == 828_801


def test_published_hyperparameters_are_the_defaults() -> None:
    critic, generator = model(PHOTONS).stages(10)[0].players
    assert (critic.every, generator.every) == (1, 8)
    assert critic.optimiser.betas == (0.9, 0.999)
    assert generator.optimiser.betas == (0.5, 0.999)
    assert model(PHOTONS).config.gradient_penalty == 3.0


def test_condition_is_the_logarithm_of_the_energy_from_0_to_1() -> None:
    scaled = model(PHOTONS)._scaled(0, particles(1.0, 8.0, 64.0))
    assert scaled[:, 0].tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_images_are_energies_in_units_of_the_visible_share() -> None:
    gan = model({"voxels": (4,)}).eval()
    sample = ImageBatch(torch.full((2, 4), 0.5), particles(10.0, 30.0))  # 4 GeV visible of 40
    gan.fit(sample)
    assert float(gan.unit) == pytest.approx(0.1)
    random = torch.Generator().manual_seed(1)
    few = gan.generate(particles(10.0, 20.0), random)
    gan.unit.mul_(2)
    assert torch.allclose(gan.generate(particles(10.0, 20.0), random.manual_seed(1)), 2 * few)
    assert (few >= 0).all()


def test_energies_of_a_split_meet_their_own_gan() -> None:
    gan = model({"voxels": (6,)}, split=[4.1, 262.0]).eval()
    images = gan.generate(particles(4.1, 4.2, 262.0, 263.0), torch.Generator().manual_seed(3))
    assert images.shape == (4, 6)
    with torch.no_grad():
        for weight in gan.generating[1].parameters():  # the middle one makes 4.2 and 262 GeV
            weight.zero_()
    changed = gan.generate(particles(4.1, 4.2, 262.0, 263.0), torch.Generator().manual_seed(3))
    assert (images == changed).all(dim=1).tolist() == [True, False, False, True]


def test_stages_of_a_split_see_their_energies() -> None:
    stages = model(PHOTONS, split=[4.1, 262.0]).stages(7)
    assert [stage.energy for stage in stages] == [(0.0, 4.1), (4.1, 262.0), (262.0, float("inf"))]
    assert [stage.iterations for stage in stages] == [7, 7, 7]


def test_a_linear_critic_gives_the_known_loss() -> None:
    gan = model({"voxels": (2,)}, critic=())  # one dense layer: score = w x + b
    critic: Any = gan.critics[0]
    with torch.no_grad():
        critic[0].weight.copy_(torch.tensor([[3.0, 4.0, 7.0]]))  # gradient of norm 5 in the voxels
    player = gan.stages(1)[0].players[0]
    batch = ImageBatch(torch.ones(8, 2), particles(*[10.0] * 8))
    losses = {name: value.item() for name, value in player.losses(batch).items()}
    assert losses["penalty"] == pytest.approx(16.0, rel=1e-5)
    assert losses["loss"] == pytest.approx(3 * 16.0 - losses["distance"], rel=1e-5)


def test_players_move_only_their_own_weights() -> None:
    gan = model({"voxels": (5,)})
    critic, generator = gan.stages(1)[0].players
    batch = ImageBatch(torch.rand(16, 5), particles(*[20.0] * 16))
    loss: Any = critic.losses(batch)["loss"]
    loss.backward()
    assert all(weight.grad is None for weight in generator.trains.parameters())
    assert all(weight.grad is not None for weight in critic.trains.parameters())
