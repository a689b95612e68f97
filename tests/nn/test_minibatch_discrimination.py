from __future__ import annotations

import math

import torch

from hgcal_gnn.nn.minibatch_discrimination import MinibatchDiscrimination


def test_worked_out_by_hand():
    layer = MinibatchDiscrimination(1, n_features=2, n_dims=2)
    with torch.no_grad():
        layer.projection.weight[:] = torch.tensor([[1.0], [1.0], [2.0], [0.0]])
        layer.projection.bias[:] = 5.0  # the same for all: no matter
    # samples 0 and 1 are 1 apart: 1 + 1 in the first feature, 2 + 0 in the second; sample 2 is far away
    found = layer(torch.tensor([[0.0], [1.0], [1000.0]]))
    near = 1 + math.exp(-2)
    assert torch.allclose(found, torch.tensor([[near, near], [near, near], [1.0, 1.0]]))


def test_copies_are_counted():
    layer = MinibatchDiscrimination(4)
    assert torch.allclose(layer(torch.randn(1, 4).repeat(7, 1)), torch.full((7, 10), 7.0), atol=1e-4)


def test_gradients_reach_the_samples():
    x = torch.randn(5, 3, requires_grad=True)
    MinibatchDiscrimination(3)(x)[0].sum().backward()
    assert (x.grad != 0).any(dim=1).all()  # those of all samples of the batch
