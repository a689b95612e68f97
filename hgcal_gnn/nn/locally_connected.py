"""Locally connected layers: convolutions whose weights differ from place to place."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


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
    windows = x.unfold(1, kernel[0], stride[0]).unfold(2, kernel[1], stride[1])  # [n, r, c, n_in, rows, columns]
    n, rows, columns = windows.shape[:3]
    # one matrix product per place: [n, window] x [window, n_out]
    windows = windows.permute(1, 2, 0, 4, 5, 3).reshape(rows * columns, n, -1)
    found = torch.bmm(windows, weight) if bias is None else torch.baddbmm(bias, windows, weight)
    return found.view(rows, columns, n, -1).permute(2, 0, 1, 3)
