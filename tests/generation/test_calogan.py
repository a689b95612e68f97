"""CaloGAN: published sizes, losses by hand, and the faster way to generate."""

from __future__ import annotations

import math

import pytest
import torch

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.adversarial import n_weights
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.image_batch import ImageBatch
from hgcal_gnn.generation.voxel.base import ImageSizes
from hgcal_gnn.generation.voxel.calogan import (
    CaloGAN,
    CaloGANConfig,
    CarryOver,
    Stream,
    cross_entropy,
    flipped,
)
from hgcal_gnn.generation.voxel.calogan_layers import convolved

LAYERS = {"layer_0": (3, 96), "layer_1": (12, 12), "layer_2": (12, 6)}
SMALL = {"layer_0": (3, 8), "layer_1": (6, 4), "layer_2": (3, 2)}
TINY = {"latent": 8, "channels": (4, 4, 2), "critic_channels": (4, 3, 2, 2), "minibatch": (3, 2)}


def make(shapes=SMALL, pdg_ids=(22,), **settings):
    torch.manual_seed(0)
    return CaloGAN(CaloGANConfig(**{**TINY, **settings}), ImageSizes(shapes, pdg_ids))


def condition(n, kinds=1):
    energy = torch.linspace(1, 100, n)
    return Condition(energy, torch.zeros(n, 3), torch.zeros(n, 3), torch.arange(n) % kinds)


def batch(model, n=16):
    kinds = len(model.sizes.pdg_ids)
    return ImageBatch(torch.rand(n, model.sizes.n_voxels), condition(n, kinds))


@pytest.mark.parametrize(
    ("settings", "ratio"),
    [
        ({}, 16),
        ({"per_energy": True}, 256),  # the energy twice: in the noise and in the voxels
        ({"per_energy": True, "energy_power": 0.5}, 64),
        ({"per_energy": True, "energy_power": 0.0}, 16),
    ],
)
def test_images_grow_with_the_energy(settings, ratio):
    """Untrained, all biases 0 and without normalisation, a stream of 16 times the noise gives 16 times the image."""
    model = make(attention=False, **settings)
    for stream in model.generating.streams:
        stream.norm = torch.nn.Identity()
    energy = torch.tensor([4.0, 64.0])
    particles = Condition(energy, torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    same = torch.randn(1, model.config.latent).expand(2, -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hgcal_gnn.generation.voxel.calogan.noise", lambda *_: same)
        low, high = model.generate(particles).sum(dim=1).tolist()
    assert high / low == pytest.approx(ratio, rel=1e-4)


@pytest.mark.parametrize(("shape", "expected"), [((3, 96), 18_241_584), ((12, 12), 7_304_118), ((12, 6), 4_172_370)])
def test_published_sizes(shape, expected):
    """arXiv:1712.10321 as coded: 18.2, 7.3 and 4.2 million."""
    with torch.device("meta"):
        stream = Stream(shape, 1024, (36, 16, 6), 0.01)
    dense = 1024 * (shape[0] + 2) * (shape[1] + 2) * 36
    assert n_weights(stream) == expected
    assert dense / expected > 0.98


def test_size_of_the_whole():
    with torch.device("meta"):
        model = CaloGAN(CaloGANConfig(), ImageSizes(LAYERS))
    # attention: 3 x 3 windows of two images to two weights with a bias, at each cell
    assert n_weights(model.generating) == 18_241_584 + 7_304_118 + 4_172_370 + (144 + 72) * (18 * 2 + 2)


@pytest.mark.parametrize("shapes", [LAYERS, SMALL, {"a": (12, 12), "b": (12, 12), "c": (12, 12)}, {"only": (4, 5)}])
def test_images(shapes):
    model = make(shapes).eval()
    images = model.generate(condition(5))
    assert images.shape == (5, model.sizes.n_voxels)
    assert (images >= 0).all()


@pytest.mark.parametrize("shapes", [{"ECAL": (5, 5, 5)}, {"layer_0": (3, 96), "ECAL": (5, 5, 5)}, {}])
def test_other_grids_are_refused(shapes):
    with pytest.raises(UsageError, match="layers of two axes"):
        make(shapes)


@pytest.mark.parametrize("kinds", [(22,), (-211, 11, 22)])
def test_faster_way_gives_the_same(kinds):
    model = make(pdg_ids=kinds)
    with torch.no_grad():
        for _ in range(5):  # norms that have seen something
            model.layers(condition(32, len(kinds)))
        for stream in model.generating.streams:
            torch.nn.init.normal_(stream.norm.weight)
            torch.nn.init.normal_(stream.norm.bias)
            torch.nn.init.normal_(stream.dense.bias)
    model.eval()
    plain = model.generate(condition(9, len(kinds)), torch.Generator().manual_seed(1)).detach()
    with torch.inference_mode():
        fast = model.prepare().generate(condition(9, len(kinds)), torch.Generator().manual_seed(1))
    assert n_weights(model.prepare().generating.streams) < n_weights(model.generating.streams)
    assert torch.allclose(plain, fast, rtol=1e-5, atol=1e-5 * float(plain.max()))


def test_seeds():
    model = make().eval()
    one, same, other = (model.generate(condition(4), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_carry_over_at_the_start():
    """With a bias of -10 a layer begins as its own image; with +10 it is that of the layer before, resized."""
    layer = CarryOver((4, 2))
    torch.nn.init.zeros_(layer.local.weight)
    own, before = torch.randn(3, 4, 2, 1), torch.randn(3, 2, 4, 1)
    assert torch.allclose(layer(own, before), own, atol=1e-3)
    with torch.no_grad():
        layer.local.bias[:, :, 1] = 20.0
    # twice as many rows: each twice; half the columns: means of two
    expected = before.view(3, 2, 2, 2).mean(dim=3).repeat_interleave(2, dim=1)[..., None]
    assert torch.allclose(layer(own, before), expected, atol=1e-5)


def test_resizing_as_published():
    """3 x 96 to 12 x 12: rows repeated four times, means of eight columns."""
    layer = CarryOver((12, 12))
    torch.nn.init.zeros_(layer.local.weight)
    with torch.no_grad():
        layer.local.bias[:, :, 1] = 20.0
    before = torch.randn(2, 3, 96, 1)
    expected = before.view(2, 3, 12, 8).mean(dim=3).repeat_interleave(4, dim=1)[..., None]
    assert torch.allclose(layer(torch.zeros(2, 12, 12, 1), before), expected, atol=1e-5)


def test_images_stay_in_place_in_convolutions():
    """A window of 2 x 2 looks at a cell and the next ones, zeros after the last, as in Keras."""
    layer = torch.nn.Conv2d(1, 1, 2, bias=False)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([[1.0, 10.0], [100.0, 1000.0]])
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]
    assert convolved(x, layer).flatten().tolist() == [4321.0, 402.0, 43.0, 4.0]


def test_shares_of_the_kinds():
    model = make(pdg_ids=(11, 22, 111))
    image = torch.zeros(4, model.sizes.n_voxels)
    image[:, 0] = torch.tensor([1.0, 2.0, 3.0, 6.0])
    kind = torch.tensor([0, 0, 1, 1])
    energy = torch.tensor([10.0, 20.0, 10.0, 20.0])
    model.fit(ImageBatch(image, Condition(energy, torch.zeros(4, 3), torch.zeros(4, 3), kind)))
    assert torch.allclose(model.generating.share, torch.tensor([0.1, 0.3, 0.2]))  # the third was not seen: all


def test_energies_the_discriminator_is_told():
    model = make({"a": (2, 2), "b": (2, 2)})
    judge = model.discriminator
    told = []
    judge.verdict.register_forward_pre_hook(lambda _, given: told.append(given[0]))
    images = [torch.full((2, 2, 2), 5.0), torch.full((2, 2, 2), 10.0)]  # 20 and 40 GeV
    judge(images, torch.tensor([56.0, 54.0]))
    n_layers = sum(layer.n_out for layer in judge.layers)
    # energies / 10, total / 100, distance to the request, 10 where that is more than 5 GeV
    assert torch.allclose(told[0][0, n_layers : n_layers + 5], torch.tensor([2.0, 4.0, 0.6, 4.0, 0.0]))
    assert torch.allclose(told[0][1, n_layers : n_layers + 5], torch.tensor([2.0, 4.0, 0.6, 6.0, 10.0]))


def test_share_of_cells_hit():
    model = make({"a": (2, 4)})
    layer = model.discriminator.layers[0]
    image = torch.zeros(3, 2, 4)
    image[0, 0, :2] = 1.0
    place = layer.n_out - layer.alike_sparsity.n_features - 1
    assert layer(image)[:, place].tolist() == [0.25, 0.0, 0.0]


def test_losses_by_hand(monkeypatch):
    """Verdicts of 0 cost ln 2 each; the generator pays 0.05 per GeV that the sum is away from the request."""
    model = make()
    model.generating.share.fill_(0.5)
    given = batch(model, 4)
    layers = [torch.ones(4, *shape) for shape in SMALL.values()]
    monkeypatch.setattr(model, "layers", lambda _: layers)
    monkeypatch.setattr(model.discriminator, "forward", lambda _, energy: (torch.zeros(len(energy)), None))
    assert float(model.critic_losses(given)["loss"]) == pytest.approx(2 * math.log(2))
    far = float((given.condition.energy - model.sizes.n_voxels).abs().mean())
    assert float(model.generator_losses(given)["loss"]) == pytest.approx(math.log(2) + 0.05 * far)


def test_real_images_are_calibrated(monkeypatch):
    model = make()
    model.generating.share.fill_(0.25)
    given = batch(model, 4)
    seen = []

    def judge(images, energy):
        seen.append(sum(float(image.sum()) for image in images))
        return torch.zeros(len(energy)), None

    monkeypatch.setattr(model.discriminator, "forward", judge)
    model.critic_losses(given)
    assert seen[0] == pytest.approx(4 * float(given.image.sum()), rel=1e-5)
    assert len(seen) == 2  # real and generated never in one batch


def test_generated_images_are_deposits():
    model = make().eval()
    model.generating.share.fill_(0.25)
    calibrated = model.layers(condition(3), torch.Generator().manual_seed(1))
    images = model.generate(condition(3), torch.Generator().manual_seed(1))
    assert torch.allclose(images, 0.25 * torch.cat([layer.flatten(1) for layer in calibrated], dim=1))


def test_cross_entropy():
    assert float(cross_entropy(torch.tensor([2.0]), real=True)) == pytest.approx(math.log(1 + math.exp(-2)))
    assert float(cross_entropy(torch.tensor([2.0]), real=False)) == pytest.approx(math.log(1 + math.exp(2)))


def test_flipped_kinds():
    torch.manual_seed(1)
    kind = torch.arange(30_000) % 3
    found = flipped(kind, 0.3, 3)
    assert float((found != kind).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert set(found.tolist()) == {0, 1, 2}
    assert torch.equal(flipped(kind, 0.0, 3), kind)


@pytest.mark.parametrize("kinds", [(22,), (-211, 11, 22)])
def test_gradients_reach_all_weights(kinds):
    model = make(pdg_ids=kinds)
    given = batch(model)
    critic, generator = model.stages(10)[0].players
    assert (critic.turns, generator.turns) == (1, 2)
    for player in (critic, generator):
        model.zero_grad()
        player.losses(given)["loss"].backward()
        without = [name for name, weight in player.trains.named_parameters() if weight.grad is None]
        assert not without
    # the discriminator's turn left no trace in the generator
    model.zero_grad()
    critic.losses(given)["loss"].backward()
    assert all(weight.grad is None for weight in model.generating.parameters())


def test_one_kind_has_no_classes():
    assert "critic_classes" not in make().critic_losses(batch(make()))
    several = make(pdg_ids=(11, 22))
    losses = several.generator_losses(batch(several))
    assert {"energy", "classes"} < set(losses)


def test_without_attention():
    model = make(attention=False)
    assert not len(model.generating.attention)
    assert model.generate(condition(2)).shape == (2, model.sizes.n_voxels)
