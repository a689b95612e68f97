"""Tests of 3DGAN: published sizes, both auxiliary tasks, losses by hand, the angle of a shower."""

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
from hgcal_gnn.generation.voxel.gan3d import GAN3D, GAN3DConfig, percentage_error
from hgcal_gnn.generation.voxel.gan3d_networks import ANGLE, PLAIN, Discriminator, generator_layers
from hgcal_gnn.generation.voxel.slope import energy_slope, fit_slope

SMALL = {"latent": 4, "channels": (4, 2, 2), "discriminator": (2, 2, 2, 2), "momentum": 0.1}
SMALL_ANGLE = SMALL | {"angle": True, "channels": (2, 2, 2, 2, 2, 2)}


def condition(*energies: float, kind: int = 0, theta: float = math.pi / 2) -> Condition:
    n = len(energies)
    direction = torch.tensor([[math.sin(theta), 0.0, math.cos(theta)]]).repeat(n, 1)
    return Condition(torch.tensor(energies), direction, torch.zeros(n, 3), torch.full((n,), kind, dtype=torch.int64))


def gan3d(pdg_ids: tuple[int, ...] = (11,), **settings: object) -> GAN3D:
    torch.manual_seed(3)
    config = GAN3DConfig.model_validate({**(SMALL_ANGLE if settings.get("angle") else SMALL), **settings})
    return GAN3D(config, ImageSizes({"ECAL": config.layout.shape}, pdg_ids, (10.0, 500.0)))


def batch(model: GAN3D, n: int = 2) -> ImageBatch:
    image = torch.zeros(n, model.sizes.n_voxels)
    image[:, ::50] = 1e-3
    return ImageBatch(image, condition(*(50.0 * (1 + number) for number in range(n))))


def test_head_learns_at_rest():
    """At the end the second task alone: no statistics move, and an energy does not depend on the rest of the batch."""
    model = gan3d(head=0.5)
    gan, head = model.stages(10)
    assert (gan.iterations, head.iterations, len(gan3d().stages(10))) == (10, 5, 1)
    many = batch(model, 4)
    state = {name: values.clone() for name, values in model.discriminator.named_buffers()}
    rows = [ImageBatch(many.image[[row]], many.condition.rows(slice(row, row + 1))) for row in range(4)]
    with torch.no_grad():
        together, *alone = (float(model.head_losses(some)["loss"]) for some in (many, *rows))
    assert together == pytest.approx(sum(alone) / 4, rel=1e-4)
    assert all(torch.equal(state[name], values) for name, values in model.discriminator.named_buffers())


def test_published_numbers_of_weights():
    assert n_weights(generator_layers(PLAIN, 200, PLAIN.channels, 0.01)) == 872_808  # 0.87 million
    assert n_weights(generator_layers(ANGLE, 256, ANGLE.channels, 0.01)) == 1_364_995  # 1.36 million
    assert Discriminator(ANGLE, (1, 1, 1, 8), 0.01).n_features == 19_152
    assert n_weights(gan3d(latent=200, channels=PLAIN.channels).generating) == 872_808


@pytest.mark.parametrize("angle", [False, True])
def test_shapes(angle: bool):
    model = gan3d(angle=angle)
    images = model.generate(condition(20.0, 300.0))
    assert images.shape == (2, math.prod(model.config.layout.shape))
    assert (images >= 0).all()
    scores, second = model._heads(model._to_values(images))
    assert scores.shape == second.shape == (2,)


@pytest.mark.parametrize("angle", [False, True])
def test_voxels_per_energy(angle: bool):
    """The same network gives energies in proportion to the incident one, whatever the power of its values."""
    plain, scaled = gan3d(angle=angle).eval(), gan3d(angle=angle, per_energy=True).eval()
    particles = condition(20.0, 300.0)
    images = [model.generate(particles, torch.Generator().manual_seed(1)) for model in (plain, scaled)]
    torch.testing.assert_close(images[1], images[0] * (particles.energy / 255)[:, None])


def test_refuses_other_grids_and_says_which_would_do():
    with pytest.raises(UsageError, match=r"25x25x25.*51x51x25.*ECAL 25x25x25, HCAL 5x5x60.*gan takes"):
        GAN3D.check({"ECAL": (25, 25, 25), "HCAL": (5, 5, 60)})
    with pytest.raises(UsageError, match=r"without model.angle generates 25x25x25.*51x51x25"):
        GAN3D(GAN3DConfig(), ImageSizes({"ECAL": (51, 51, 25)}))
    with pytest.raises(UsageError, match=r"with model.angle generates 51x51x25.*25x25x25"):
        GAN3D(GAN3DConfig(angle=True), ImageSizes({"ECAL": (25, 25, 25)}))


def test_particle_needs_two_kinds():
    with pytest.raises(UsageError, match="two kinds of particles apart, the training sample has 1"):
        gan3d(auxiliary="particle")


def test_percentage_error_by_hand():
    error = percentage_error(torch.tensor([1.0, 6.0]), torch.tensor([2.0, 4.0]))
    assert error.item() == pytest.approx(50.0)


def test_fit_takes_the_share_of_each_kind():
    model = gan3d((11, 211), auxiliary="particle")
    image = torch.zeros(2, 15625)
    image[0, :10], image[1, 5] = 0.2, 0.5
    kinds = Condition(torch.tensor([100.0, 100.0]), torch.zeros(2, 3), torch.zeros(2, 3), torch.tensor([0, 1]))
    model.fit(ImageBatch(image, kinds))
    assert model._visible(kinds).tolist() == pytest.approx([2.0, 0.5])
    values = model._to_values(image)
    # images sum up to 0.02 per GeV as those of the paper do
    assert values.sum().item() == pytest.approx(0.02 * 200, rel=1e-5)
    torch.testing.assert_close(model._energies(values).flatten(1), image)


@pytest.mark.parametrize("angle", [False, True])
def test_first_showers_are_as_bright_as_real_ones(angle: bool):
    model = gan3d(angle=angle)
    n = 16
    thetas = torch.linspace(1.2, 1.9, n)
    direction = torch.stack([torch.sin(thetas), torch.zeros(n), torch.cos(thetas)], dim=1)
    particles = Condition(torch.full((n,), 100.0), direction, torch.zeros(n, 3), torch.zeros(n, dtype=torch.int64))
    image = torch.rand(n, model.sizes.n_voxels)
    model.fit(ImageBatch(image * 2 / image.sum(dim=1, keepdim=True), particles))
    with torch.no_grad():
        assert model.generate(particles).sum().item() == pytest.approx(2.0 * n, rel=0.3)


class Fixed(nn.Module):
    """A discriminator that gives the first two voxels."""

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return values[:, 0, 0, 0], values[:, 0, 0, 1]


@pytest.mark.parametrize(
    ("auxiliary", "expected"), [("energy", 0.2 * 50), ("particle", 0.2 * math.log1p(math.exp(0.25)))]
)
def test_losses_by_hand(auxiliary: str, expected: float):
    model = gan3d((11, 211), auxiliary=auxiliary, label_flip=0.0)
    model.discriminator = Fixed()  # type: ignore[assignment]
    values = torch.zeros(2, 25, 25, 25)
    values[:, 0, 0, 1] = 0.25  # half of the 50 GeV it should see; or a particle of kind 0
    model._values = lambda *_: values  # type: ignore[method-assign]
    model.generating.get_buffer("shares").fill_(0.01)
    losses = model.generator_losses(ImageBatch(values.flatten(1), condition(50.0, 50.0)))
    # the visible energy should be 0.5 GeV and is half of that
    assert losses["loss"].item() == pytest.approx(6 * math.log(2) + expected + 0.1 * 50, rel=1e-5)
    both = model.discriminator_losses(ImageBatch(values.flatten(1), condition(50.0, 50.0)))
    assert both["loss"].item() == pytest.approx(2 * (6 * math.log(2) + expected), rel=1e-5)


def test_labels_are_flipped_as_often_as_asked():
    torch.manual_seed(0)
    flipped = gan3d(label_flip=0.05)._flipped(torch.ones(20_000))
    assert flipped.mean().item() == pytest.approx(0.95, abs=0.005)


def test_kinds_make_different_showers():
    model = gan3d((11, 211), auxiliary="particle").eval()
    one, other = (
        model.generate(condition(50.0, kind=kind), torch.Generator().manual_seed(1)).detach() for kind in (0, 1)
    )
    assert not torch.allclose(one, other)


def test_gradients_reach_the_right_player():
    model = gan3d((11, 211), auxiliary="particle")
    model.discriminator_losses(batch(model))["loss"].backward()
    assert all(weight.grad is not None for weight in model.discriminator.parameters())
    assert all(weight.grad is None for weight in model.generating.parameters())
    model.generator_losses(batch(model))["loss"].backward()
    assert all(weight.grad is not None for weight in model.generating.parameters())


def test_sum_alone_teaches_the_generator():
    model = gan3d(auxiliary_weight=0.0, sum_weight=1.0)
    model._heads = lambda values: (values.new_zeros(len(values)), values.new_zeros(len(values)))  # type: ignore[method-assign]
    model.generator_losses(batch(model))["loss"].backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in model.generating.parameters())


def straight_shower(theta: float, n: int = 25) -> Tensor:
    """Return one shower along a line through the middle of 51x51x25 voxels, energies between two voxels each."""
    image = torch.zeros(1, 51, 51, n)
    for layer in range(n):
        place = 25 + (layer - n // 2) / math.tan(theta)
        low = math.floor(place)
        image[0, 25, low, layer] = (1 - (place - low)) * (1 + layer)
        image[0, 25, low + 1, layer] = (place - low) * (1 + layer)
    return image


@pytest.mark.parametrize("theta", [1.1, math.pi / 2, 1.9])
def test_slope_of_a_straight_shower(theta: float):
    assert energy_slope(straight_shower(theta)).item() == pytest.approx(1 / math.tan(theta), abs=1e-4)


def test_slope_of_nothing_is_0():
    assert energy_slope(torch.zeros(1, 3, 3, 3)).item() == 0
    assert energy_slope(torch.eye(3)[None, None, :, :, None].sum(dim=2)).isfinite().all()


def test_angle_is_read_off_the_image():
    model = gan3d(angle=True)
    angles = (1.2, 1.4, 1.6, 1.9)
    images = torch.cat([straight_shower(theta) for theta in angles])
    parts = [condition(50.0, theta=theta) for theta in angles]
    together = Condition(*(torch.cat(columns) for columns in zip(*parts, strict=True)))
    model.fit(ImageBatch(images.flatten(1), together))
    assert model.measured_theta(images).tolist() == pytest.approx(angles, abs=1e-4)


def test_one_direction_is_refused():
    with pytest.raises(UsageError, match="many polar angles"):
        fit_slope(torch.rand(5), torch.full((5,), 1.5))


def test_power_is_undone():
    model = gan3d(angle=True)
    image = torch.rand(1, 51 * 51 * 25)
    torch.testing.assert_close(model._energies(model._to_values(image)).flatten(1), image)


def test_energy_head():
    model = gan3d()
    model.discriminator = Fixed()  # type: ignore[assignment]
    image = torch.zeros(1, 15625)
    image[0, 1] = 0.75
    assert model.head_energy(image).tolist() == pytest.approx([75.0])
    with pytest.raises(UsageError, match="kinds of particles"):
        gan3d((11, 211), auxiliary="particle").head_energy(image)


@pytest.mark.parametrize("angle", [False, True])
def test_seeds_reproduce_and_prepared_generates_the_same(angle: bool):
    model = gan3d(angle=angle).eval().requires_grad_(requires_grad=False)
    one, again, other = (
        model.generate(condition(30.0, 60.0), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    fast = model.prepare().generate(condition(30.0, 60.0), torch.Generator().manual_seed(1))
    torch.testing.assert_close(fast, one, rtol=1e-5, atol=1e-5)
