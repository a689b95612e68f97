from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool

from hgcal_gnn.nn import pooling
from hgcal_gnn.nn.pooling import pool_max, pool_mean, pool_sum, spread
from tests.nn.batches import BATCHES, numbers

VALUES = torch.tensor([[1.0, -1.0], [2.0, -5.0], [4.0, 0.5]])
PTR = torch.tensor([0, 0, 2, 3, 3])  # first and last graph empty


@pytest.fixture(params=["compiled", "torch"])
def path(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(pooling, "is_compiled_for", lambda *_: False)


@pytest.mark.usefixtures("path")
def test_by_hand():
    assert pool_sum(VALUES, PTR).tolist() == [[0, 0], [3, -6], [4, 0.5], [0, 0]]
    assert pool_mean(VALUES, PTR).tolist() == [[0, 0], [1.5, -3], [4, 0.5], [0, 0]]
    assert pool_max(VALUES, PTR).tolist() == [[0, 0], [2, -1], [4, 0.5], [0, 0]]
    assert spread(torch.tensor([[9.0], [1.0], [2.0], [8.0]]), PTR).tolist() == [[1], [1], [2]]


@settings(deadline=None, max_examples=40)
@given(batch=BATCHES)
def test_equal_to_pyg_with_gradients(batch):
    sizes, _, seed = batch
    ptr = torch.tensor([0, *sizes]).cumsum(0)
    graph = torch.repeat_interleave(torch.arange(len(sizes)), ptr.diff())
    values, weights = numbers(sum(sizes), 3, seed=seed), numbers(len(sizes), 3, seed=seed + 1, grad=False)
    for ours, theirs in ((pool_sum, global_add_pool), (pool_mean, global_mean_pool), (pool_max, global_max_pool)):
        here, there = ours(values, ptr), theirs(values, graph, len(sizes))
        torch.testing.assert_close(here, there, rtol=1e-10, atol=1e-10)
        mine, peers = (torch.autograd.grad((out * weights).sum(), values) for out in (here, there))
        torch.testing.assert_close(mine, peers, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("path")
def test_gradients_by_differences():
    values, ptr = numbers(6, 2), torch.tensor([0, 0, 4, 6])
    for pool in (pool_sum, pool_mean, pool_max):
        assert torch.autograd.gradcheck(lambda values, pool=pool: pool(values, ptr), (values,))


def test_many_small_numbers_in_single_precision():
    """10 million times 0.1, added up one after the other in single precision, would give 1,087,937."""
    values = torch.full((10_000_000, 1), 0.1)
    assert pool_sum(values, torch.tensor([0, len(values)])).item() == pytest.approx(1e6, rel=1e-6)
