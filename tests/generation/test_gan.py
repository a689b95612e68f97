"""Tests of the vanilla GAN: published sizes, losses by hand, who learns from what."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.adversarial import n_weights
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.image_batch import ImageBatch
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.voxel.gan import GAN, GANConfig, initialise

SMALL = {"latent": 4, "channels": (8, 4, 4, 2), "discriminator": (2, 2, 4, 4, 4), "hidden": 4}


def condition(*energies: float) -> Condition:
    n = len(energies)
    return Condition(torch.tensor(energies), torch.zeros(n, 3), torch.zeros(n, 3), torch.zeros(n, dtype=torch.int64))


def gan(shape: tuple[int, ...] = (12, 10, 10), **settings: object) -> GAN:
    torch.manual_seed(3)
    return GAN(GANConfig.model_validate({**SMALL, **settings}), ImageSizes({"ECAL": shape}, (22,), (10.0, 100.0)))


def batch(model: GAN, n: int = 4) -> ImageBatch:
    image = torch.rand(n, model.sizes.n_voxels) * 1e-3
    return ImageBatch(image, condition(*(10.0 * (1 + number) for number in range(n))))


def test_published_numbers_of_weights():
    model = GAN(GANConfig(), ImageSizes({"ECAL": (30, 30, 30)}))
    assert n_weights(model.generating) == 4_392_224
    assert n_weights(model.discriminator) == 2_056_097


@pytest.mark.parametrize("shape", [(30, 30, 30), (48, 25, 25), (25, 25, 25), (51, 51, 25), (8, 8, 8), (9, 3, 17)])
def test_makes_any_array_of_three_axes(shape: tuple[int, ...]):
    model = gan(shape)
    images = model.generate(condition(20.0, 50.0))
    assert images.shape == (2, math.prod(shape))
    assert (images >= 0).all()
    assert model.discriminator(images.reshape(2, *shape), torch.ones(2)).shape == (2,)


@pytest.mark.parametrize("shape", [(30, 30, 30), (48, 25, 25)])
def test_every_voxel_can_be_lit(shape: tuple[int, ...]):
    """An edge outside of the reach of the last convolutions would stay dark."""
    model = gan(shape).eval()
    with torch.no_grad():
        for part in model.generating.modules():
            if isinstance(part, nn.ConvTranspose3d | nn.Conv3d):
                part.weight.abs_()
    images = model.generating(torch.ones(2, 4))
    assert (images > 0).all()


@pytest.mark.parametrize("shapes", [{"ECAL": (24, 24, 25), "HCAL": (4, 4, 60)}, {"layer_0": (3, 96)}])
def test_refuses_other_grids(shapes: dict[str, tuple[int, ...]]):
    with pytest.raises(UsageError, match=r"gan generates one array of 3 axes.*calo_shower_gan"):
        GAN.check(shapes)


class Fixed(nn.Module):
    """A discriminator that only looks at one voxel."""

    def forward(self, values: Tensor, _: Tensor) -> Tensor:
        return values[:, 0, 0, 0]


def test_losses_by_hand():
    model = gan(label_smoothing=0.1)
    model.discriminator = Fixed()  # type: ignore[assignment]
    model._values = lambda given, _=None: torch.full((len(given), 12, 10, 10), -1.0)  # type: ignore[method-assign]
    real = ImageBatch(torch.full((2, 1200), 2e-3), condition(10.0, 20.0))  # 2 in units of MeV
    p_real, p_fake = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))
    expected = -0.9 * math.log(p_real) - 0.1 * math.log(1 - p_real) - math.log(1 - p_fake)
    assert float(model.discriminator_losses(real)["loss"].detach()) == pytest.approx(expected, rel=1e-5)
    assert float(model.generator_losses(real)["loss"].detach()) == pytest.approx(-math.log(p_fake), rel=1e-5)
    model.config = model.config.model_copy(update={"generator_loss": "minmax"})
    assert float(model.generator_losses(real)["loss"].detach()) == pytest.approx(math.log(1 - p_fake), rel=1e-5)


def test_noise_is_multiplied_by_the_energy():
    """Without normalisations all layers are homogeneous: twice the energy gives twice the values."""
    model = gan()
    for number, part in enumerate(model.generating.layers):
        if isinstance(part, nn.BatchNorm3d):
            model.generating.layers[number] = nn.Identity()
    model.eval().requires_grad_(requires_grad=False)
    one, two = (model.generate(condition(energy), torch.Generator().manual_seed(5)) for energy in (20.0, 40.0))
    assert float(one.sum()) > 0
    torch.testing.assert_close(two, 2 * one)


def test_gradients_reach_the_right_player():
    model = gan()
    model.discriminator_losses(batch(model))["loss"].backward()
    assert all(weight.grad is not None for weight in model.discriminator.parameters())
    assert all(weight.grad is None for weight in model.generating.parameters())
    model.generator_losses(batch(model))["loss"].backward()
    assert all(weight.grad is not None for weight in model.generating.parameters())


def test_turns():
    (stage,) = gan(critic_steps=3).stages(10)
    assert [[player.name for player in stage.players if player.acts(iteration)] for iteration in (0, 2)] == [
        ["discriminator"], ["discriminator", "generator"],
    ]  # fmt: skip


def test_seeds_reproduce():
    model = gan().eval()
    one, again, other = (
        model.generate(condition(30.0, 60.0), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_prepared_generates_the_same():
    model = gan()
    for _ in range(3):
        model.generate(condition(*torch.linspace(10, 100, 16).tolist()))  # statistics
    model.eval()
    fast = model.prepare()
    one, two = (
        some.generate(condition(20.0, 90.0), torch.Generator().manual_seed(2)) / model.config.unit
        for some in (model, fast)
    )
    assert one.sum() > 0
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-5)
    assert any(isinstance(part, nn.BatchNorm3d) for part in model.generating.modules())


def test_initial_weights():
    layer = nn.ConvTranspose3d(64, 64, 4)
    initialise(layer)
    assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert not layer.bias.any()
