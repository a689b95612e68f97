"""Locally connected layers: convolutions whose weights differ from place to place."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from hgcal_gnn.nn.threads import is_traced


class LocallyConnected2d(nn.Module):
    """A convolution with weights of its own at each place of the output; channels last.

    Parameters
    ----------
    shape
        Rows and columns of the input.
    n_in, n_out
        Channels.
    kernel
        Rows and columns of the window.
    stride
    padding
        Rows and columns of zeros on each side.
    bias
        One per place and channel, 0 at the start.

    Attributes
    ----------
    weight : [n_places, rows * columns * n_in, n_out]
        Places row by row; within a window row by row, channels fastest.
    bias : [n_places, 1, n_out]
    out_shape
        Rows and columns of the output.

    Raises
    ------
    ValueError
        If the window is larger than the padded input.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        n_in: int,
        n_out: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        rows, columns = (
            (size + 2 * pad - window) // step + 1
            for size, pad, window, step in zip(shape, padding, kernel, stride, strict=True)
        )
        if rows < 1 or columns < 1:
            msg = f"a window of {kernel} does not fit into {shape} with padding {padding}"
            raise ValueError(msg)
        self.out_shape = (rows, columns)
        fan_in = n_in * math.prod(kernel)
        self.weight = nn.Parameter(torch.empty(rows * columns, fan_in, n_out))
        self.bias = nn.Parameter(torch.zeros(rows * columns, 1, n_out)) if bias else None
        # Keras, which the published models are written in, starts with Glorot uniform, counting one window
        bound = math.sqrt(6 / (fan_in + n_out * math.prod(kernel)))
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Turn [n, rows, columns, n_in] into [n, out_rows, out_columns, n_out]."""
        return locally_connected(x, self.weight, self.bias, self.kernel, self.stride, self.padding)


def locally_connected(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
) -> Tensor:
    """Apply weights and biases in the layout of `LocallyConnected2d` to [n, rows, columns, n_in]."""
    if any(padding):
        x = functional.pad(x, (0, 0, padding[1], padding[1], padding[0], padding[0]))
    if is_traced():
        return _traced(x, weight, bias, kernel, stride)
    windows: Tensor = _Windows.apply(x, kernel, stride)  # type: ignore[no-untyped-call]
    rows, columns = (
        (size - window) // step + 1 for size, window, step in zip(x.shape[1:3], kernel, stride, strict=True)
    )
    # one matrix product per place: [n, window] x [window, n_out]
    found = torch.bmm(windows, weight) if bias is None else torch.baddbmm(bias, windows, weight)
    return found.view(rows, columns, x.shape[0], -1).permute(2, 0, 1, 3)


def _traced(x: Tensor, weight: Tensor, bias: Tensor | None, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """Do the same for an export: what windows see are slices side by side."""
    rows, columns = (
        (size - window) // step + 1 for size, window, step in zip(x.shape[1:3], kernel, stride, strict=True)
    )
    places = x.permute(1, 2, 0, 3)
    down, right = ([slice(at, at + (n - 1) * step + 1, step) for at in range(window)]
                   for n, window, step in zip((rows, columns), kernel, stride, strict=True))  # fmt: skip
    windows = torch.cat([places[row, column] for row in down for column in right], dim=3)
    found = windows @ weight.reshape(rows, columns, *weight.shape[1:])
    found = found if bias is None else found + bias.reshape(rows, columns, *bias.shape[1:])
    return found.permute(2, 0, 1, 3)


class _Windows(torch.autograd.Function):
    """What the windows see: [n, rows, columns, channels] to [n_places, n, window].

    The gradient of `Tensor.unfold` takes half the time of a training (PyTorch 2.13, CPU): here it is added up shift by
    shift.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
        windows = x.unfold(1, kernel[0], stride[0]).unfold(
            2, kernel[1], stride[1]
        )  # [n, r, c, channels, rows, columns]
        ctx.shape, ctx.kernel, ctx.stride, ctx.places = x.shape, kernel, stride, windows.shape[1:3]
        return windows.permute(1, 2, 0, 4, 5, 3).reshape(math.prod(ctx.places), x.shape[0], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows, columns = ctx.places
        of_windows = gradient.reshape(rows, columns, ctx.shape[0], *ctx.kernel, ctx.shape[3])
        of_x = gradient.new_zeros(ctx.shape)
        for row in range(ctx.kernel[0]):
            below = slice(row, row + (rows - 1) * ctx.stride[0] + 1, ctx.stride[0])
            for column in range(ctx.kernel[1]):
                right = slice(column, column + (columns - 1) * ctx.stride[1] + 1, ctx.stride[1])
                of_x[:, below, right] += of_windows[:, :, :, row, column].permute(2, 0, 1, 3)
        return of_x, None, None
