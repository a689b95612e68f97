from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.nn.locally_connected import LocallyConnected2d


def by_loops(layer, x, n_in):
    """Place by place, window by window."""
    up, left = layer.padding
    n, rows, columns, _ = x.shape
    padded = torch.zeros(n, rows + 2 * up, columns + 2 * left, n_in)
    padded[:, up : up + rows, left : left + columns] = x
    out = torch.zeros(n, *layer.out_shape, layer.weight.shape[2])
    for r in range(layer.out_shape[0]):
        for c in range(layer.out_shape[1]):
            place = r * layer.out_shape[1] + c
            first, start = r * layer.stride[0], c * layer.stride[1]
            window = padded[:, first : first + layer.kernel[0], start : start + layer.kernel[1]]
            out[:, r, c] = window.reshape(n, -1) @ layer.weight[place]
            if layer.bias is not None:
                out[:, r, c] += layer.bias[place, 0]
    return out


sizes = st.integers(1, 5)


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(st.integers(3, 7), st.integers(3, 7)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    channels=st.tuples(sizes, sizes),
    bias=st.booleans(),
)
def test_is_a_dense_layer_at_each_place(shape, kernel, stride, padding, channels, bias):
    layer = LocallyConnected2d(shape, *channels, kernel, stride=stride, padding=padding, bias=bias)
    if bias:
        torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, *shape, channels[0])
    assert torch.allclose(layer(x), by_loops(layer, x, channels[0]), atol=1e-5)


def test_equal_weights_make_a_convolution():
    """The order of weights within a window, against torch."""
    convolution = torch.nn.Conv2d(3, 2, (2, 3), stride=(1, 2), padding=1, bias=False)
    layer = LocallyConnected2d((5, 6), 3, 2, (2, 3), stride=(1, 2), padding=(1, 1), bias=False)
    with torch.no_grad():
        layer.weight[:] = convolution.weight.permute(2, 3, 1, 0).reshape(-1, 2)
    x = torch.randn(4, 5, 6, 3)
    expected = convolution(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_gradients():
    layer = LocallyConnected2d((3, 4), 2, 2, (2, 2), stride=(1, 2), padding=(1, 0)).double()
    assert torch.autograd.gradcheck(layer, torch.randn(2, 3, 4, 2, dtype=torch.float64, requires_grad=True))


def test_window_larger_than_the_input():
    with pytest.raises(ValueError, match="does not fit"):
        LocallyConnected2d((2, 5), 1, 1, (3, 3))
