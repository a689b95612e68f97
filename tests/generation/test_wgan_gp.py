"""Tests of the WGAN-GP with constrainer: published sizes, losses by hand, who learns from what."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.adversarial import n_weights
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.image_batch import ImageBatch
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.voxel.wgan_gp import WGAN, WGANConfig

SMALL = {"latent": 4, "channels": 2, "critic_channels": 2, "critic_hidden": (4,), "constrainer_channels": 2}
TWO = {"ECAL": (10, 9, 24), "HCAL": (3, 3, 30)}


def condition(*energies: float) -> Condition:
    n = len(energies)
    return Condition(torch.tensor(energies), torch.zeros(n, 3), torch.zeros(n, 3), torch.zeros(n, dtype=torch.int64))


def wgan(shapes: dict[str, tuple[int, ...]] | None = None, **settings: object) -> WGAN:
    torch.manual_seed(3)
    config = WGANConfig.model_validate({**SMALL, **settings})
    return WGAN(config, ImageSizes(shapes or {"ECAL": (24, 10, 9)}, (22,), (10.0, 100.0)))


def batch(model: WGAN, n: int = 4) -> ImageBatch:
    image = 1e-3 * torch.rand(n, model.sizes.n_voxels)
    return ImageBatch(image, condition(*(10.0 * (1 + number) for number in range(n))))


def test_published_numbers_of_weights():
    model = WGAN(WGANConfig(), ImageSizes({"ECAL": (30, 30, 30)}))
    assert n_weights(model.generating) == 3_655_520
    assert n_weights(model.critic) == 253_919
    assert n_weights(model.constrainer) == 224_473


@pytest.mark.parametrize("shape", [(48, 25, 25), (28, 8, 8), (50, 12, 10), (2, 3, 1)])
def test_any_lengths(shape: tuple[int, ...]):
    model = wgan({"HCAL": shape})
    images = model.generate(condition(20.0, 50.0))
    assert images.shape == (2, model.sizes.n_voxels)
    assert (images >= 0).all()
    losses = [model.critic_losses(batch(model)), model.generator_losses(batch(model))]
    assert all(loss["loss"].isfinite() for loss in losses)


def test_the_last_padding_is_the_published_one():
    """Of 32 voxels the inner 30 are kept, as a padding of 2 in the last convolution does."""
    (branch,) = wgan({"ECAL": (30, 30, 30)}).generator.branches
    z, energy = torch.randn(2, 4), torch.rand(2, 1)
    before = branch.doublings(branch.stems(z, energy))
    expected = nn.functional.conv_transpose3d(before, branch.last.weight, padding=2)[:, 0]
    assert expected.shape == (2, 30, 30, 30)
    torch.testing.assert_close(branch(z, energy), expected)


def test_axes_of_layers_come_first_inside():
    """The long kernels of the critic lie along the layers, wherever the voxels have them."""
    model = wgan(TWO, depth_axis=2)
    image = torch.arange(model.sizes.n_voxels, dtype=torch.float32)[None]
    ecal, hcal = model._sections(image)
    assert ecal.shape == (1, 24, 10, 9)
    assert hcal.shape == (1, 30, 3, 3)
    assert ecal[0, 5, 2, 3] == image[0].reshape(-1)[: 10 * 9 * 24].reshape(10, 9, 24)[2, 3, 5]
    torch.testing.assert_close(model._flat([ecal, hcal]), image)


def test_both_sections_share_the_noise_and_reach_the_critic():
    model = wgan(TWO, depth_axis=2)
    assert len(model.generator.branches) == len(model.critic.branches) == len(model.constrainer.branches) == 2
    model.generator_losses(batch(model))["loss"].backward()
    for branch in model.generator.branches:
        assert branch.noise_stem.weight.grad.abs().sum() > 0
    model.zero_grad()
    model.critic_losses(batch(model))["loss"].backward()
    for branch in model.critic.branches:
        assert branch[0].weight.grad.abs().sum() > 0


class Sum(nn.Module):
    """A critic or constrainer that can be worked out by hand: sum of the voxels times a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images: list[Tensor], energy: Tensor | None = None) -> Tensor:
        total = sum(image.flatten(1).sum(1) for image in images)
        return self.factor * total + (0.0 if energy is None else energy[:, 0])


def test_losses_by_hand():
    """Images of 4 voxels; the gradient of a critic 0.25 x sum has the norm 0.25 x sqrt(4) = 0.5."""
    model = wgan({"ECAL": (1, 2, 2)}, gradient_penalty=5.0, constraint=0.01)
    model.unit.fill_(1e-3)
    fake = torch.full((2, 1, 2, 2), 2.0)
    model._images = lambda _condition, _random=None: [fake]  # type: ignore[method-assign]
    model.critic, model.constrainer = Sum(0.25), Sum(3.0)
    real = ImageBatch(torch.tensor([[1e-3] * 4, [3e-3] * 4]), condition(20.0, 90.0))
    losses = model.critic_losses(real)
    # sums of real images 4 and 12, of generated ones 8 and 8
    assert float(losses["distance"]) == pytest.approx(0.25 * (8 - 8), abs=1e-6)
    assert float(losses["penalty"]) == pytest.approx(0.25)
    assert float(losses["loss"]) == pytest.approx(5 * 0.25)
    # energies by the constrainer: real 12 and 36, generated 24 and 24, true 20 and 90
    assert float(model.constrainer_losses(real)["loss"]) == pytest.approx((8 + 54) / 2)
    constraint = (abs(4**2 - 8**2) + abs(66**2 - 54**2)) / 2
    losses = model.generator_losses(real)
    assert float(losses["constraint"]) == pytest.approx(constraint)
    score = 0.25 * 8 + (20 + 90) / 2 / 55  # the critic is told the energy in units of the middle of 10 to 100 GeV
    assert float(losses["loss"]) == pytest.approx(0.01 * constraint - score)


def test_unit_and_constrainer_are_fitted():
    """Images sum up to 17 per GeV inside, and the constrainer starts alive for every seed."""
    model = wgan()
    sample = batch(model)
    model.fit(sample)
    inside = sample.image / model.unit
    assert float(inside.sum() / sample.condition.energy.sum()) == pytest.approx(17.0)
    assert float(model.constrainer(model._real(sample)).detach().mean()) == pytest.approx(25.0, abs=1.0)
    assert "generator.unit" in model.generating.state_dict()


def test_players():
    """Five steps of the critic per step of the generator; the constrainer learns from real showers, for a while."""
    (stage,) = wgan().stages(100)
    critic, constrainer, generator = stage.players
    assert (critic.every, constrainer.every, generator.every) == (1, 1, 5)
    assert (constrainer.until, constrainer.optimiser.kind) == (30_000, "sgd")
    assert generator.optimiser.rate(60_000, 131_000) == pytest.approx(1e-5)
    assert critic.optimiser.rate(120_000, 131_000) == pytest.approx(1e-6)


def test_post_processor_follows_as_a_second_stage():
    model = wgan(post_processor={"channels": 4, "stride": 50})
    sample = batch(model)
    model.fit(sample)
    first, second = model.stages(35)
    assert (first.name, second.name) == ("gan", "post_processor")
    before, after = (model.generate(sample.condition, torch.Generator().manual_seed(1)) for _ in range(2))
    torch.testing.assert_close(after, before)  # it corrects nothing before its training
    trained = set(map(id, second.players[-1].trains.parameters()))
    assert not trained & set(map(id, first.players[-1].trains.parameters()))
    second.players[-1].losses(sample)["loss"].backward()
    assert model.generator.branches[0].last.weight.grad is None
    assert not torch.equal(model.generate(sample.condition, torch.Generator().manual_seed(1)), before)
    with pytest.raises(UsageError, match="one array"):
        wgan(TWO, post_processor={})


def test_showers_depend_on_noise_and_energy_and_are_reproduced():
    model = wgan().eval()
    images = [model.generate(condition(20.0, 20.0), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])
    assert not torch.equal(images[0][0], images[0][1])
    other = model.generate(condition(90.0, 20.0), torch.Generator().manual_seed(1))
    assert not torch.equal(other[0], images[0][0])
    torch.testing.assert_close(other[1], images[0][1])


def test_voxels_per_energy():
    """The same network gives images in proportion to the energy, where told so."""
    plain, scaled = wgan().eval(), wgan(per_energy=True).eval()
    particles = condition(20.0, 90.0)
    images = [model.generate(particles, torch.Generator().manual_seed(1)) for model in (plain, scaled)]
    torch.testing.assert_close(images[1], images[0] * (particles.energy / 55)[:, None])


def test_layers_of_two_axes_are_refused():
    with pytest.raises(UsageError, match=r"three axes.*layer_0 3x96.*calogan"):
        WGAN.check({"layer_0": (3, 96), "layer_1": (12, 12)})


@pytest.mark.parametrize("shapes", [{"ECAL": (30, 30, 30)}, TWO, {"ECAL": (2, 3, 1)}])
def test_fast_generator_is_equal_before_the_last_relu(shapes: dict[str, tuple[int, ...]]):
    model = wgan(shapes, depth_axis=2, channels=8, latent=10).eval()
    for layer in model.generating.modules():
        if isinstance(layer, nn.LayerNorm):  # trained ones are not 1 and 0
            nn.init.normal_(layer.weight, 1.0, 0.3)
            nn.init.normal_(layer.bias, 0.0, 0.3)
    z, energy = torch.randn(3, 10), 3 * torch.rand(3, 1)
    with torch.inference_mode():
        fast = model.prepare()
        for plain, quick in zip(model.generator.branches, fast.generator.branches, strict=True):
            expected = plain(z, energy)
            torch.testing.assert_close(quick(z, energy), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
        images = [some.generate(condition(20.0, 90.0), torch.Generator().manual_seed(1)) for some in (model, fast)]
    torch.testing.assert_close(images[1], images[0], rtol=1e-3, atol=1e-5 * float(images[0].max()))
