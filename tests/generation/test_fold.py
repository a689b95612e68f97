"""Tests of networks for inference: the same numbers, and nothing of the original is touched."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hgcal_gnn.generation.voxel.fold import folded


def trained(network: nn.Module, *shape: int) -> nn.Module:
    """Give the normalisations statistics and weights that are not 0 and 1."""
    network.train()
    for _ in range(3):
        network(1 + 2 * torch.randn(8, *shape))
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm3d):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return network


NETWORKS = {
    "convolution": (nn.Sequential(nn.Conv3d(2, 3, 3), nn.BatchNorm3d(3), nn.ReLU()), (2, 5, 4, 6)),
    "transposed": (
        nn.Sequential(
            nn.ConvTranspose3d(2, 4, 4, 2, 1, bias=False), nn.BatchNorm3d(4), nn.ReLU(), nn.ConvTranspose3d(4, 1, 3)
        ),
        (2, 5, 4, 6),
    ),
    "grouped": (nn.Sequential(nn.ConvTranspose3d(4, 6, 3, groups=2), nn.BatchNorm3d(6)), (4, 3, 3, 3)),
    "dense": (nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2)), (7,)),
    "after the activation": (nn.Sequential(nn.Conv3d(2, 3, 3), nn.ReLU(), nn.BatchNorm3d(3)), (2, 5, 4, 6)),
    "no statistics": (nn.Sequential(nn.Conv3d(2, 3, 3), nn.BatchNorm3d(3, track_running_stats=False)), (2, 5, 4, 6)),
    "upsampled": (
        nn.Sequential(nn.Upsample(scale_factor=(2.0, 2.0, 3.0)), nn.Conv3d(2, 3, (3, 4, 8), padding=(1, 0, 3))),
        (2, 5, 4, 6),
    ),
    "upsampled in one number": (
        nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv3d(2, 3, (6, 5, 1), padding=(2, 3, 0), bias=False)),
        (2, 3, 3, 2),
    ),
    "trilinear": (nn.Sequential(nn.Upsample(scale_factor=2, mode="trilinear"), nn.Conv3d(2, 3, 3)), (2, 5, 4, 6)),
    "trilinear of 3DGAN": (
        nn.Sequential(nn.Upsample(scale_factor=(6.0, 6.0, 6.0), mode="trilinear"), nn.Conv3d(2, 3, (6, 6, 8))),
        (2, 3, 2, 3),
    ),
    "trilinear, odd": (
        nn.Sequential(nn.Upsample(scale_factor=(3.0, 1.0, 5.0), mode="trilinear"), nn.Conv3d(2, 3, (1, 2, 9))),
        (2, 4, 3, 2),
    ),
    "trilinear, padded: stays as it is": (
        nn.Sequential(nn.Upsample(scale_factor=2, mode="trilinear"), nn.Conv3d(2, 3, 3, padding=1)),
        (2, 5, 4, 6),
    ),
    "nested": (nn.Sequential(nn.Sequential(nn.Conv3d(2, 3, 1), nn.BatchNorm3d(3)), nn.BatchNorm3d(3)), (2, 3, 3, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gives_the_same(name: str):
    torch.manual_seed(1)
    network, shape = NETWORKS[name]
    trained(network, *shape).eval()
    sample = torch.randn(4, *shape)
    torch.testing.assert_close(folded(network)(sample), network(sample), rtol=1e-5, atol=1e-5)


def test_leaves_the_original_alone():
    network = trained(NETWORKS["transposed"][0], 2, 5, 4, 6)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    copy = folded(network)
    assert network.training
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    assert all(weight.requires_grad for weight in network.parameters())
    assert not copy.training
    assert not any(weight.requires_grad for weight in copy.parameters())


def test_normalisations_that_follow_a_layer_are_gone():
    copy = folded(NETWORKS["transposed"][0])
    assert not any(isinstance(part, nn.BatchNorm3d) for part in copy.modules())
    assert copy[0].weight.is_contiguous(memory_format=torch.channels_last_3d)
