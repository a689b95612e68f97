"""Tests of the BIB-AE: published sizes, losses by hand, who learns from what, sampling of the latents."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde
from torch import Tensor, nn

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.adversarial import n_weights
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.image_batch import ImageBatch
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.voxel.bib_ae import BIBAE, BIBAEConfig, divergence, latent_distance
from hgcal_gnn.generation.voxel.bib_ae_networks import LatentCritic
from hgcal_gnn.generation.voxel.latent_density import LatentDensity

if TYPE_CHECKING:
    from collections.abc import Iterable

SMALL = {
    "channels": 1, "hidden": (12, 8), "critic_channels": 2, "latent": 3, "latent_noise": 5, "kde_showers": 6,
    "post_processor": {"channels": 4, "window": 10, "stride": 10, "cells": 50},
}  # fmt: skip
SHAPE = (16, 15, 17)


def condition(*energies: float, theta: float = 0.0) -> Condition:
    n = len(energies)
    direction = torch.tensor([[math.sin(theta), 0.0, math.cos(theta)]]).repeat(n, 1)
    return Condition(torch.tensor(energies), direction, torch.zeros(n, 3), torch.zeros(n, dtype=torch.int64))


def bib_ae(shape: tuple[int, ...] = SHAPE, **settings: object) -> BIBAE:
    torch.manual_seed(3)
    return BIBAE(BIBAEConfig.model_validate({**SMALL, **settings}), ImageSizes({"ECAL": shape}, (22,), (10.0, 100.0)))


def batch(model: BIBAE, n: int = 4) -> ImageBatch:
    torch.manual_seed(4)
    image = torch.relu(torch.randn(n, model.sizes.n_voxels)) * 1e-3
    return ImageBatch(image, condition(*(10.0 * (1 + number) for number in range(n))))


def gradients(part: nn.Module) -> list[bool]:
    return [weight.grad is not None and bool(weight.grad.any()) for weight in part.parameters()]


def test_published_numbers_of_weights():
    model = BIBAE(BIBAEConfig(), ImageSizes({"ECAL": (30, 30, 30)}))
    assert n_weights(model.encoder) == 35_224_598
    assert n_weights(model.decoder) == 36_218_496
    assert n_weights(model.critic) == 4_762_753
    assert n_weights(model.latent_critic) == 10_301
    assert model.post_processor is not None
    assert n_weights(model.post_processor) == 299_136


@pytest.mark.parametrize("shape", [(30, 30, 30), (48, 25, 25), (28, 16, 16), (15, 17, 19)])
def test_makes_any_array_of_three_axes(shape: tuple[int, ...]):
    images = bib_ae(shape).generate(condition(20.0, 50.0))
    assert images.shape == (2, math.prod(shape))
    assert (images >= 0).all()


@pytest.mark.parametrize(("shapes", "told"), [
    ({"ECAL": (30, 30, 14)}, "15 cells along each axis"), ({"ECAL": (30, 30)}, "3 axes"),
    ({"ECAL": (30, 30, 30), "HCAL": (30, 30, 30)}, "one array"),
])  # fmt: skip
def test_refuses_other_grids(shapes: dict[str, tuple[int, ...]], told: str):
    with pytest.raises(UsageError, match=told):
        BIBAE.check(shapes)


def test_divergence_by_hand():
    """Mean 1 and variance 4 next to a standard normal latent: (1 + 4 - ln 4 - 1) / 2."""
    mean = torch.tensor([[1.0, 0.0]])
    variance = torch.tensor([[math.log(4.0), 0.0]])
    assert float(divergence(mean, variance)) == pytest.approx((4 - math.log(4)) / 2)


def test_latent_distance_by_hand():
    """Single latents at distance 2: two kernels, each 2 - 2 exp(-alpha 4)."""
    found = latent_distance(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 2.0]]))
    assert float(found) == pytest.approx(4 - 2 * math.exp(-4) - 2 * math.exp(-0.04), rel=1e-5)


def test_latent_critic_looks_at_each_latent_alone():
    critic = LatentCritic()
    latents = torch.randn(2, 3)
    changed = latents.clone()
    changed[0, 1] += 1
    same = (critic(latents) == critic(changed)).tolist()
    assert same == [[True, False, True], [True, True, True]]


def test_each_player_learns_alone():
    model = bib_ae()
    critic, latent_critic, generator = model.stages(4)[0].players
    for player, silent in ((critic, model.encoder), (latent_critic, model.encoder)):
        player.losses(batch(model))["loss"].backward()
        assert any(gradients(player.trains))
        assert not any(gradients(silent))
    assert all(
        any(gradients(part)) for part in (model.critic.linear, model.critic.logarithmic, model.critic.difference)
    )
    generator.losses(batch(model))["loss"].backward()
    assert all(gradients(model.encoder))
    assert all(gradients(model.decoder))


def test_critic_sees_the_difference_to_the_original():
    """The same image scores otherwise beside another original."""
    model = bib_ae()
    told = torch.zeros(1, 1)
    first, second = torch.rand(2, 1, 1, *SHAPE)
    scores = [model.critic(torch.cat([original, second], dim=1), told) for original in (first, second)]
    assert not torch.allclose(*scores)


def test_latents_beyond_those_of_the_encoder_are_noise():
    model = bib_ae()
    values = model._values(batch(model, 400).image[:1].repeat(400, 1))
    z, mean, variance = model._latents(values, torch.full((400, 1), 0.3))
    assert z.shape == (400, 8)
    assert mean.shape == variance.shape == (400, 3)
    torch.testing.assert_close(z[:, 3:].std(), torch.tensor(1.0), atol=0.06, rtol=0)


@pytest.mark.parametrize("angle", [False, True])
def test_angle_is_told_if_wanted(angle: bool):
    model = bib_ae(angle=angle)
    images = [
        model.generate(condition(20.0, theta=theta), torch.Generator().manual_seed(1)) for theta in (0.1, 0.5)
    ]  # fmt: skip
    assert torch.equal(*images) is not angle


@pytest.mark.parametrize("sampling", ["normal", "kde"])
def test_seeds_reproduce(sampling: str):
    model = bib_ae(latent_sampling=sampling)
    encode(model)
    made = [model.generate(condition(20.0, 30.0), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_blocks_make_no_difference():
    """More showers than are decoded at a time."""
    model = bib_ae().eval()
    told = condition(*[20.0] * 20)
    z = torch.Generator().manual_seed(1)
    images = model.generate(told, z)
    one = torch.randn(20, 8, generator=torch.Generator().manual_seed(1))[17:18]
    torch.testing.assert_close(images[17:18], (model._decoded(one, told.rows(slice(17, 18))).flatten(1) * model.unit))


@pytest.mark.parametrize("n", [1, 3])
def test_prepared_generates_the_same(n: int):
    """With normalisations that are not 1 and 0."""
    model = bib_ae(latent_sampling="kde").eval()
    for part in model.decoder.modules():
        if isinstance(part, nn.LayerNorm):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    encode(model)
    told = condition(*[20.0] * n)
    with torch.inference_mode():
        made = [one.generate(told, torch.Generator().manual_seed(1)) / model.unit for one in (model, model.prepare())]
    assert float(made[0].max()) > 0.1
    torch.testing.assert_close(*made, rtol=1e-4, atol=1e-5)


def encode(model: BIBAE) -> bool:
    def showers(n: int) -> Iterable[ImageBatch]:
        yield batch(model, n)

    with torch.no_grad():
        return model.after_stage("bib_ae", showers)


def test_showers_are_encoded_after_the_main_stage_only():
    model = bib_ae(latent_sampling="kde")
    assert model.density is not None
    with torch.no_grad():
        assert not model.after_stage("post_processor", lambda n: [batch(model, n)])
    assert not model.density.known
    assert encode(model)
    assert model.density.known
    assert not encode(bib_ae())  # normal latents need none


def test_fitted_scales_are_part_of_what_is_kept():
    model, other = bib_ae(latent_sampling="kde"), bib_ae(latent_sampling="kde")
    model.fit(batch(model))
    encode(model)
    other.generating.load_state_dict(model.generating.state_dict())
    seeds = [torch.Generator().manual_seed(1) for _ in range(2)]
    made = [one.generate(condition(20.0), seed) for one, seed in zip((model, other), seeds, strict=True)]
    assert torch.equal(*made)


def test_energy_scales_the_values_if_wanted():
    z = torch.randn(1, 8)
    model = bib_ae(per_energy=True)
    plain = bib_ae()
    told = condition(20.0)
    torch.testing.assert_close(model._decoded(z, told), 20 / 55 * plain._decoded(z, told))


class TestLatentDensity:
    """Against the estimate of SciPy."""

    def fitted(self, n: int = 300, bandwidth: float | None = None) -> tuple[LatentDensity, Tensor, Tensor]:
        torch.manual_seed(7)
        energy = torch.exp(torch.rand(n) * 2 + 1)
        latents = torch.stack([energy.log() + 0.3 * torch.randn(n), torch.randn(n) ** 2], dim=1)
        density = LatentDensity(n, 2, bandwidth)
        density.fit(latents, energy)
        return density, latents, energy

    def test_kernel_is_that_of_scipy(self):
        density, latents, energy = self.fitted()
        points = np.concatenate([latents.numpy().T, energy.log().numpy()[None]])
        np.testing.assert_allclose(density.covariance.numpy(), gaussian_kde(points).covariance, rtol=1e-4, atol=1e-5)

    def test_samples_follow_the_density_at_the_energy(self):
        """Mean and variance of each latent at one energy, integrated from the density of SciPy."""
        density, latents, energy = self.fitted()
        points = np.concatenate([latents.numpy().T, energy.log().numpy()[None]])
        at = math.log(8.0)
        axis = np.linspace(-4, 14, 181)
        x, y = np.meshgrid(axis, axis, indexing="ij")
        weight = gaussian_kde(points)(np.stack([x.ravel(), y.ravel(), np.full(x.size, at)])).reshape(x.shape)
        weight /= weight.sum()
        found = density.sample(condition(*[8.0] * 20_000), torch.Generator().manual_seed(1)).numpy()
        for values, sample in ((x, found[:, 0]), (y, found[:, 1])):
            mean = (values * weight).sum()
            assert sample.mean() == pytest.approx(mean, abs=0.04)
            assert sample.var() == pytest.approx((values**2 * weight).sum() - mean**2, rel=0.06)

    def test_energies_far_away_take_the_nearest_showers(self):
        density, _, _ = self.fitted(bandwidth=0.1)
        found = density.sample(condition(*[1e4] * 50), torch.Generator().manual_seed(1))
        assert torch.isfinite(found).all()
        assert found[:, 0].mean() > 3.0  # the latent that follows the energy goes on doing so

    def test_one_energy_only(self):
        density = LatentDensity(10, 2, None)
        density.fit(torch.randn(4, 2), torch.full((4,), 20.0))  # fewer showers than it has room for
        assert torch.isfinite(density.sample(condition(20.0, 20.0))).all()
