"""Batch norm and ReLU in as few passes over memory as there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor, nn

from hgcal_gnn.nn.threads import array, is_compiled_for, relu, use_torch_threads

if TYPE_CHECKING:
    from hgcal_gnn.arrays import Array

BLOCK = 256  # rows summed by themselves: sums do not depend on the number of threads


def norm_relu(x: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    """Return ``relu(norm(x))`` and count the batch in the running mean and variance, as `norm` itself does in training.

    Parameters
    ----------
    x : float [n_rows, n_columns]
        At least 2 rows.
    norm
        In training mode; its parameters are used, its own code is not where the kernels serve.
    """
    if not is_compiled_for(x, norm.weight):
        activated: Tensor = torch.relu(norm(x))
        return activated
    out: Tensor
    out, mean, variance = _NormRelu.apply(x, norm.weight, norm.bias, norm.eps)  # type: ignore[no-untyped-call]
    count_batch(norm, mean, variance, len(x))
    return out


def count_batch(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor, n_rows: int) -> None:
    """Bring mean and (biased) variance of a batch into the running ones, as `torch.nn.BatchNorm1d` does."""
    running_mean, running_variance = running_statistics(norm)
    with torch.no_grad():
        batches = norm.num_batches_tracked.add_(1) if norm.num_batches_tracked is not None else 1
        share = 1 / float(batches) if norm.momentum is None else norm.momentum
        running_mean.lerp_(mean.to(running_mean.dtype), share)
        running_variance.lerp_((variance * n_rows / (n_rows - 1)).to(running_variance.dtype), share)


def running_line(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return factor and constant [n_columns] that batch norm is outside training."""
    mean, variance = running_statistics(norm)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return scale, norm.bias - mean * scale


def running_statistics(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return running mean and variance of a batch norm that has them.

    Raises
    ------
    ValueError
        If it has none (`track_running_stats=False`).
    """
    if norm.running_mean is None or norm.running_var is None:
        msg = "batch norm without running mean and variance"
        raise ValueError(msg)
    return norm.running_mean, norm.running_var


class _NormRelu(torch.autograd.Function):
    """With z = (x - mean) / std: relu(weight z + bias).

    Its gradient, g being that of the output where it is positive, else 0: d weight = sum g z, d bias = sum g,
    d x = weight / std (g - mean(g) - z mean(g z)).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        use_torch_threads()
        x = x.contiguous()
        mean, square = _moments(array(x))
        variance = np.maximum(square - mean * mean, 0.0)
        std = np.sqrt(variance + eps)
        scale = array(weight) / std
        shift = array(bias) - mean * scale
        out = torch.empty_like(x)
        dtype = array(x).dtype
        ctx.scale, ctx.shift = scale.astype(dtype), shift.astype(dtype)
        _scale_shift_relu(array(x), ctx.scale, ctx.shift, array(out))
        ctx.mean, ctx.std = mean, std
        ctx.save_for_backward(x)
        statistics = torch.from_numpy(mean), torch.from_numpy(variance)
        ctx.mark_non_differentiable(*statistics)
        return out, *statistics

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        use_torch_threads()
        (x,) = ctx.saved_tensors
        given = array(gradient)
        of_one, of_x = _gradient_means(array(x), given, ctx.scale, ctx.shift)
        of_z = (of_x - ctx.mean * of_one) / ctx.std
        along_x = -ctx.scale * of_z / ctx.std
        constant = -ctx.scale * of_one - along_x * ctx.mean
        out = torch.empty_like(x)
        line = along_x.astype(given.dtype), constant.astype(given.dtype)
        _input_gradient(array(x), given, ctx.scale, ctx.shift, *line, array(out))
        return out, torch.from_numpy(of_z * len(x)).to(x.dtype), torch.from_numpy(of_one * len(x)).to(x.dtype), None


@njit(cache=True, parallel=True)
def _moments(x: Array) -> tuple[Array, Array]:
    """Mean and mean square of each column, float64."""
    n_rows, n_columns = x.shape
    n_blocks = (n_rows + BLOCK - 1) // BLOCK
    sums = np.zeros((n_blocks, 2, n_columns))
    for block in prange(n_blocks):
        for i in range(block * BLOCK, min(n_rows, (block + 1) * BLOCK)):
            for f in range(n_columns):
                value = np.float64(x[i, f])
                sums[block, 0, f] += value
                sums[block, 1, f] += value * value
    total = sums.sum(axis=0) / n_rows
    return total[0], total[1]


@njit(cache=True, parallel=True, fastmath={"contract"})
def _scale_shift_relu(x: Array, scale: Array, shift: Array, out: Array) -> None:
    zero = x.dtype.type(0)
    for i in prange(x.shape[0]):
        for f in range(x.shape[1]):
            out[i, f] = relu(x[i, f] * scale[f] + shift[f], zero)


@njit(cache=True, parallel=True, fastmath={"contract"})
def _gradient_means(x: Array, gradient: Array, scale: Array, shift: Array) -> tuple[Array, Array]:
    """Means of g and of g x over the rows, float64."""
    n_rows, n_columns = x.shape
    n_blocks = (n_rows + BLOCK - 1) // BLOCK
    sums = np.zeros((n_blocks, 2, n_columns))
    zero = x.dtype.type(0)
    for block in prange(n_blocks):
        for i in range(block * BLOCK, min(n_rows, (block + 1) * BLOCK)):
            for f in range(n_columns):
                passed = np.float64(zero if x[i, f] * scale[f] + shift[f] <= zero else gradient[i, f])
                sums[block, 0, f] += passed
                sums[block, 1, f] += passed * x[i, f]
    total = sums.sum(axis=0) / n_rows
    return total[0], total[1]


@njit(cache=True, parallel=True, fastmath={"contract"})
def _input_gradient(
    x: Array, gradient: Array, scale: Array, shift: Array, along_x: Array, constant: Array, out: Array
) -> None:
    zero = x.dtype.type(0)
    for i in prange(x.shape[0]):
        for f in range(x.shape[1]):
            passed = zero if x[i, f] * scale[f] + shift[f] <= zero else scale[f] * gradient[i, f]
            out[i, f] = passed + along_x[f] * x[i, f] + constant[f]
