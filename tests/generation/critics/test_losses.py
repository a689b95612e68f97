"""Gradient penalty, feature matching and losses by hand."""

from __future__ import annotations

import pytest
import torch

from hgcal_gnn.generation.critics.losses import critic_losses, feature_matching, generator_losses
from hgcal_gnn.generation.critics.penalty import hit_gradient_penalty
from tests.generation.critics.made import KINDS, N_CELLS, dense_showers, lit_hits, made_cells, made_critic, particles
from tests.nn.batches import numbers

close = torch.testing.assert_close


def two_sets(n: int = 4):
    """Real and generated showers, dense and as hits."""
    cells, condition = made_cells(), particles(n)
    dense = dense_showers(n, 1), dense_showers(n, 2)
    return cells, condition, dense, [lit_hits(cells, energy, condition) for energy in dense]


def summed(values, hits):
    return torch.zeros(len(hits), dtype=values.dtype).index_add(0, hits.shower, values)


def test_penalty_of_a_linear_critic():
    """Its slope is its weights on the cells that either shower has, whatever alpha is."""
    cells, condition, (real, fake), sets = two_sets()
    weight = numbers(N_CELLS, seed=3, grad=False)
    penalty = hit_gradient_penalty(
        lambda hits: summed(weight[hits.cell] * hits.energy / hits.unit, hits), *sets, cells, condition, "linear"
    )
    norm = torch.where((real > 0) | (fake > 0), weight, 0.0).norm(dim=1)
    close(penalty, (norm - 1).square().mean())


@pytest.mark.parametrize("space", ["linear", "log"])
def test_one_alpha_and_one_norm_per_shower(space):
    """With half the square as the score the slope is the mixture itself."""
    cells, condition, dense, sets = two_sets()

    def score(hits):
        mips = hits.energy / hits.unit
        return summed(0.5 * (mips.log1p() if space == "log" else mips).square(), hits)

    torch.manual_seed(8)
    penalty = hit_gradient_penalty(score, *sets, cells, condition, space)
    torch.manual_seed(8)
    alpha = torch.rand(4, dtype=torch.float64)[:, None]
    real, fake = (part / cells.unit if space == "linear" else (part / cells.unit).log1p() for part in dense)
    close(penalty, ((alpha * real + (1 - alpha) * fake).norm(dim=1) - 1).square().mean())


def test_penalty_where_there_is_nothing():
    """Showers without any cell count for nothing, flat critics cost 1, and no gradient is NaN."""
    cells, condition = made_cells(), particles(2)
    energy = dense_showers(2, share=1.0)
    energy[1] = 0.0
    hits = lit_hits(cells, energy, condition)
    weight = torch.zeros((), dtype=torch.float64, requires_grad=True)
    penalty = hit_gradient_penalty(lambda some: weight * summed(some.energy, some), hits, hits, cells, condition)
    assert float(penalty.detach()) == pytest.approx(1)
    assert torch.autograd.grad(penalty, weight)[0].isfinite()


@pytest.mark.parametrize("kind", KINDS)
def test_penalty_is_the_same_on_regions_and_hits(kind):
    """On regions more cells have a slope: compared where every cell is hit by one or the other."""
    cells, condition, (real, fake), _ = two_sets()
    fake = torch.where((real == 0) & (fake == 0), 0.7, fake)
    critic, found = made_critic(kind), []
    for make in (lambda energy: cells.region(energy, condition), lambda energy: lit_hits(cells, energy, condition)):
        torch.manual_seed(8)
        losses = critic_losses(critic, make(real), make(fake), cells, condition)
        gradients = torch.autograd.grad(losses["loss"], critic.enter[0].weight)
        found.append((*losses.values(), *gradients))
    for one, other in zip(*found, strict=True):
        close(one, other, rtol=1e-8, atol=1e-9)
    assert float(found[0][-1].abs().sum()) > 0


def test_matching_by_hand():
    """Spreads 1 and 2, means apart by 3 and 4: (3 / 1 + 4 / 2) / 2, whatever the numbers of showers."""
    real = torch.tensor([[-1.0, -2.0], [1.0, 2.0]])
    fake = torch.tensor([[3.0, 4.0]])
    for times in (1, 3):
        assert float(feature_matching(real.repeat(times, 1), fake.repeat(times, 1))) == pytest.approx(2.5)


def test_matching_ignores_what_never_varies():
    """A dead feature has no spread to count in."""
    real = torch.tensor([[0.0, -2.0], [0.0, 2.0]])
    assert float(feature_matching(real, torch.tensor([[0.1, 0.0]]))) == pytest.approx(0.5 * 0.1 / 0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("regularisation", ["gradient_penalty", "spectral_norm"])
def test_a_step_of_each_player(kind, regularisation):
    """The critic's loss teaches every weight of the critic and not the generator, the generator's its energies."""
    cells, condition, (_, fake), (real, _) = two_sets()
    critic = made_critic(kind, regularisation=regularisation)
    fake = fake.requires_grad_(True)
    critic_losses(critic, real, cells.region(fake, condition), cells, condition)["loss"].backward()
    assert fake.grad is None
    missing = [name for name, weight in critic.named_parameters() if weight.grad is None]
    assert missing == []
    losses = generator_losses(critic, real, cells.region(fake, condition), condition)
    losses["loss"].backward()
    assert fake.grad is not None
    assert fake.grad.isfinite().all()
    assert (fake.grad != 0).all(dim=1).any()  # cells without energy learn, too


def test_hinge_by_hand():
    cells, condition, _, (real, fake) = two_sets()
    critic = made_critic("deep_sets", regularisation="spectral_norm").eval()
    losses = critic_losses(critic, real, fake, cells, condition)
    of_real, of_fake = critic(real, condition), critic(fake, condition)
    wanted = torch.clamp(1 - of_real, min=0).mean() + torch.clamp(1 + of_fake, min=0).mean()
    close(losses["loss"], wanted)
    close(losses["distance"], of_real.mean() - of_fake.mean())
