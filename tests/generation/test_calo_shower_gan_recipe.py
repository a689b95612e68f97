"""The shipped settings of CaloShowerGAN are the published table (arXiv:2309.06515): numbers written out here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from hgcal_gnn.config.any_run import read_run
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.voxel.calo_shower_gan import CaloShowerGAN, CaloShowerGANConfig

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "generation"
SMALL, LARGE = [50, 50, 100, 200], [100, 100, 200, 400]
CHECKS = 1000  # as many as there are in the published training


class Recipe(NamedTuple):
    """A column of the table."""

    n_voxels: int
    generators: list[tuple[list[int], type[nn.Module]]]  # N0..N3, lowest energies first
    critic: list[int]  # N4..N6
    init: str  # of the generator
    critic_betas: tuple[float, float]
    ratio: int
    penalty: float


def photon(*generators: tuple[list[int], type[nn.Module]]) -> Recipe:
    return Recipe(368, list(generators), [368, 368, 368], "glorot_normal", (0.9, 0.999), 8, 3.0)


RECIPES = {
    "photon": photon((LARGE, nn.SiLU)),
    "photon_split2": photon((SMALL, nn.ReLU), (LARGE, nn.SiLU)),
    "photon_split": photon((SMALL, nn.ReLU), (SMALL, nn.SiLU), (LARGE, nn.SiLU)),
    "pion": Recipe(533, [([200, 200, 400, 800], nn.ReLU)], [800, 400, 200], "he_uniform", (0.5, 0.999), 5, 20.0),
}
recipes = pytest.mark.parametrize(("name", "recipe"), RECIPES.items(), ids=list(RECIPES))


def settings(name: str) -> GenerationConfig:
    config = read_run(CONFIGS / f"calo_shower_gan_{name}.yaml")
    assert isinstance(config, GenerationConfig)
    return config


def network(name: str, recipe: Recipe) -> CaloShowerGAN:
    torch.manual_seed(0)
    config = settings(name).model
    assert isinstance(config, CaloShowerGANConfig)
    return CaloShowerGAN(config, ImageSizes({"voxels": (recipe.n_voxels,)}, (22,), (0.256, 4194.304)))


def dense_layers(module: Any) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def kinds_of(module: Any) -> set[type[nn.Module]]:
    return {type(layer) for layer in module.modules() if isinstance(layer, nn.SiLU | nn.ReLU)}


def looks_he_uniform(layer: nn.Linear) -> bool:
    """Evenly from -bound to bound: the largest weight is close to it."""
    bound = (6 / layer.in_features) ** 0.5
    return 0.99 * bound < float(layer.weight.detach().abs().max()) <= bound


def looks_glorot_normal(layer: nn.Linear) -> bool:
    std = (2 / (layer.in_features + layer.out_features)) ** 0.5
    weights = layer.weight.detach() / std
    return abs(float(weights.std()) - 1) < 0.05 and float(weights.abs().max()) > 2.5  # evenly: 1.7 at most


@recipes
def test_sizes_and_activations(name: str, recipe: Recipe) -> None:
    """Noise and one condition in, voxels out; voxels and one condition into the critic, a score out."""
    gan = network(name, recipe)
    assert len(gan.generating) == len(gan.critics) == len(recipe.generators)
    for part, critic, (sizes, activation) in zip(gan.generating, gan.critics, recipe.generators, strict=True):
        layers = dense_layers(part)
        assert [layer.in_features for layer in layers] == [sizes[0] + 1, *sizes[1:]]
        assert [layer.out_features for layer in layers] == [*sizes[1:], recipe.n_voxels]
        assert kinds_of(part) == {activation}
        layers = dense_layers(critic)
        assert [layer.in_features for layer in layers] == [recipe.n_voxels + 1, *recipe.critic]
        assert [layer.out_features for layer in layers] == [*recipe.critic, 1]
        assert kinds_of(critic) == {nn.ReLU}


@recipes
def test_weights_at_the_start(name: str, recipe: Recipe) -> None:
    gan = network(name, recipe)
    looks = {"he_uniform": looks_he_uniform, "glorot_normal": looks_glorot_normal}[recipe.init]
    for part, critic in zip(gan.generating, gan.critics, strict=True):
        assert all(looks(layer) for layer in dense_layers(part))
        hidden = dense_layers(critic)[:-1]  # the last one has too few weights to tell
        assert all(looks_he_uniform(layer) for layer in hidden)
        assert not any(layer.bias.any() for layer in dense_layers(gan))


@recipes
def test_optimisers_and_turns(name: str, recipe: Recipe) -> None:
    for stage in network(name, recipe).stages(1):
        players = {player.name: player for player in stage.players}
        critic, generator = players["critic"], players["generator"]
        for player, betas in ((critic, recipe.critic_betas), (generator, (0.5, 0.999))):
            optimiser = player.optimiser
            assert (optimiser.kind, optimiser.learning_rate, optimiser.betas) == ("adam", 1e-4, betas)
            assert optimiser.schedule == "constant"
        acts = {name: sum(player.acts(i) for i in range(40)) for name, player in players.items()}
        assert acts["critic"] * critic.turns == recipe.ratio * acts["generator"] * generator.turns == 40


@recipes
def test_training(name: str, recipe: Recipe) -> None:
    """A million steps of the generator, looked at every 1,000, all 15 energies; the best chi2 is kept."""
    config = settings(name)
    train = config.train
    assert train.batch_size == 1024
    assert train.iterations == 1_000_000 * recipe.ratio
    assert train.iterations // train.check_every == CHECKS
    assert train.select == "total_energy_chi2"
    simulated = config.data.train.simulate
    assert simulated is not None
    assert [float(energy) for energy in str(simulated.energy).split(",")] == [0.256 * 2**i for i in range(15)]
    assert config.model.model_dump()["gradient_penalty"] == recipe.penalty


@recipes
def test_noise_is_gaussian_of_mean_and_width_a_half(name: str, recipe: Recipe) -> None:
    gan = network(name, recipe).eval()
    seen: list[torch.Tensor] = []
    n = 400
    along_z = torch.tensor([0.0, 0.0, 1.0]).repeat(n, 1)
    for number, part in enumerate(gan.generating):
        part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        energy = torch.full((n,), gan.ends[number][1])
        gan._fractions(number, Condition(energy, along_z, torch.zeros(n, 3), torch.zeros(n, dtype=torch.int64)))
        noise = seen[-1].detach().flatten()
        assert noise.mean() == pytest.approx(0.5, abs=0.02)
        assert noise.std() == pytest.approx(0.5, abs=0.02)
        assert ((noise - 0.5).abs() > 1.0).float().mean() == pytest.approx(0.0455, abs=0.01)  # 2 sigma, none if even
