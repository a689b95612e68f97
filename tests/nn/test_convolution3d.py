from __future__ import annotations

import pytest
import torch

from hgcal_gnn.nn.convolution3d import ConvPool, Inception, conv_block


def test_sums_of_pairs_and_their_maximum_by_hand():
    block = ConvPool((3, 1, 5), 1, (2, 4, 2))  # the kernel is cut to 2 x 1 x 2, the result is 2 x 1 x 4
    with torch.no_grad():
        convolution = block.layers[0]
        assert convolution.weight.shape == (1, 1, 2, 1, 2)
        convolution.weight.fill_(1.0)
        convolution.bias.fill_(-10.0)
    voxels = torch.tensor([[[[1.0, 2, 3, 4, 5]], [[0, 0, 0, 0, 0]], [[6, 5, 4, 3, 2]]]])
    # sums over 2 x 2: [3, 5, 7, 9], [11, 9, 7, 5], less 10, cut at 0, then pairs in depth and across
    assert block(voxels).tolist() == [[1.0, 0.0]]
    assert block.n_out == 2


@pytest.mark.parametrize("shape", [(25, 25, 25), (5, 5, 60), (15, 15, 47), (1, 1, 1), (4, 5, 2)])
@pytest.mark.parametrize("kernel", [(4, 4, 4), (2, 2, 6), (1, 1, 1)])
def test_number_of_columns(shape, kernel):
    block = ConvPool(shape, 3, kernel)
    assert block(torch.rand(2, *shape)).shape == (2, block.n_out)


def test_inception_keeps_the_lengths_and_the_showers_apart():
    torch.manual_seed(0)
    block = Inception(4, 16)
    x = torch.randn(3, 4, 5, 6, 7)
    out = block(x)
    assert out.shape == (3, 16, 5, 6, 7)
    changed = x.clone()
    changed[1] += torch.randn_like(changed[1])
    again = block(changed)
    assert torch.equal(again[[0, 2]], out[[0, 2]])
    assert not torch.allclose(again[1], out[1])
    with pytest.raises(ValueError, match="divisible by 8, got 12"):
        Inception(4, 12)


def test_reach_of_the_branches():
    """One voxel of the input reaches 0, 1 and 2 voxels far in the branches of width 1, 3 and 5."""
    torch.manual_seed(0)
    block = Inception(1, 8).eval()
    for norm in [module for module in block.modules() if isinstance(module, torch.nn.GroupNorm)]:
        norm.forward = lambda values: values  # normalisation would reach everywhere
    relu = [module for module in block.modules() if isinstance(module, torch.nn.ReLU)]
    for module in relu:
        module.forward = lambda values: values
    x = torch.zeros(1, 1, 9, 9, 9)
    x[0, 0, 4, 4, 4] = 1.0
    seen = (block(x)[0] != 0).flatten(2).any(dim=2)  # [channels, first axis]
    reach = [seen[channels].any(dim=0).nonzero().flatten().tolist() for channels in (slice(0, 2), slice(2, 5))]
    assert reach == [[4], [3, 4, 5]]
    assert seen[5:7].any(dim=0).nonzero().flatten().tolist() == [2, 3, 4, 5, 6]
    assert seen[7].nonzero().flatten().tolist() == [3, 4, 5]


def test_stride_halves():
    assert conv_block(1, 4, 3, stride=2)(torch.randn(2, 1, 25, 25, 25)).shape == (2, 4, 13, 13, 13)
