"""Critics: what scores do and do not depend on, gradients, spectral norm."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch import nn

from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.critics.config import GraphCriticConfig
from hgcal_gnn.generation.critics.pooling import pool_hits
from tests.generation.critics.made import KINDS, dense_showers, lit_hits, made_cells, made_critic, particles

close = torch.testing.assert_close
every_critic = pytest.mark.parametrize("kind", KINDS)


@every_critic
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), share=st.sampled_from([0.0, 0.2, 0.6, 1.0]))
def test_cells_without_energy_change_nothing(kind, seed, share):
    """A fixed region and the hits in it have the same scores and gradients: in layers, means, degrees, pooling."""
    cells, critic, condition = made_cells(seed), made_critic(kind), particles(3, seed)
    energy = dense_showers(3, seed, share).requires_grad_(True)
    dense = critic(cells.region(energy, condition), condition)
    sparse = critic(lit_hits(cells, energy, condition), condition)
    close(dense, sparse, rtol=1e-9, atol=1e-9)
    if energy.any():
        of_dense, of_sparse = (torch.autograd.grad(score.sum(), energy)[0] for score in (dense, sparse))
        close(torch.where(energy > 0, of_dense, 0.0), of_sparse, rtol=1e-8, atol=1e-9)


@every_critic
def test_scores_see_their_own_shower_only(kind):
    cells, critic, condition, energy = made_cells(), made_critic(kind), particles(5), dense_showers(5)
    energy[3] = 0.0
    together = critic(cells.region(energy, condition), condition)
    alone = [critic(cells.region(energy[i : i + 1], condition.rows([i])), condition.rows([i])) for i in range(5)]
    close(together, torch.cat(alone), rtol=1e-10, atol=1e-10)
    assert len(set(together.tolist())) == 5


@every_critic
def test_order_of_hits_does_not_matter(kind):
    cells, critic, condition = made_cells(), made_critic(kind), particles(1)
    energy, cell = torch.tensor([1.0, 2, 3, 4]).double(), torch.tensor([4, 0, 7, 2])
    ptr, order = torch.tensor([0, 4]), torch.tensor([2, 0, 3, 1])
    first = critic(cells.hits(energy, cell, ptr, condition), condition)
    second = critic(cells.hits(energy[order], cell[order], ptr, condition), condition)
    close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["gcn", "message_passing"])
def test_edges_matter(kind):
    one, other, critic, condition = made_cells(0), made_cells(1), made_critic(kind), particles(1)
    other = type(one)(other.adjacency, one.position, one.unit, one.features)
    energy = dense_showers(1, share=1.0)
    assert critic(one.region(energy, condition), condition) != critic(other.region(energy, condition), condition)


@every_critic
def test_every_part_of_the_condition_matters(kind):
    cells, critic, condition = made_cells(), made_critic(kind), particles(1)
    energy = dense_showers(1)
    plain = critic(cells.region(energy, condition), condition)
    tilted = nn.functional.normalize(condition.direction + torch.tensor([0.2, 0, 0]), dim=1)
    changes = {"energy": 2 * condition.energy, "direction": tilted, "kind": 1 - condition.kind}
    for name, value in changes.items():
        changed = Condition(
            *(
                {**dict(zip(Condition._fields, condition, strict=True)), name: value}[field]
                for field in Condition._fields
            )
        )
        assert critic(cells.region(energy, changed), changed) != plain, name


@every_critic
@pytest.mark.parametrize("regularisation", ["gradient_penalty", "spectral_norm"])
def test_gradients_of_first_and_second_order(kind, regularisation):
    """Through energies, as the generator and the gradient penalty need them; against differences."""
    cells, critic, condition = made_cells(), made_critic(kind, regularisation=regularisation).eval(), particles(2)
    energy = dense_showers(2, share=1.0).requires_grad_(True)

    def score(values):
        return critic(cells.region(values, condition), condition)

    assert torch.autograd.gradcheck(score, energy, eps=1e-7, atol=1e-6)
    assert torch.autograd.gradgradcheck(score, energy, eps=1e-7, atol=1e-5)


@every_critic
def test_spectral_norm_is_one(kind):
    critic, cells, condition = made_critic(kind, regularisation="spectral_norm"), made_cells(), particles(2)
    for _ in range(200):
        critic(cells.region(dense_showers(2), condition), condition)
    critic.eval()
    linear = [part for part in critic.modules() if isinstance(part, nn.Linear)]
    assert len(linear) > 5
    for part in linear:
        assert float(torch.linalg.matrix_norm(part.weight.detach(), 2)) == pytest.approx(1, abs=1e-3)


def test_pooling_by_hand():
    x, energy = torch.tensor([[2.0], [6.0], [5.0]]), torch.tensor([1.0, 3.0, 9.0])
    pooled = pool_hits(x, torch.ones(3), energy, torch.tensor([0, 2, 3, 3]), torch.tensor(4.0))
    assert pooled.tolist() == [[2, 4, 5, 2], [1.25, 5, 5, 0], [0, 0, 0, 0]]


def test_settings_name_their_kind():
    adapter = TypeAdapter(GraphCriticConfig)
    assert {adapter.validate_python({"kind": kind}).kind for kind in KINDS} == set(KINDS)
    for wrong in ({"kind": "gnc"}, {"kind": "gcn", "message": 3}):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)
