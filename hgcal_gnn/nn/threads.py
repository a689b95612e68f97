"""What the compiled kernels share: which tensors they serve, on how many threads, ReLU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import torch
from numba import njit

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import Array

COMPILED = (torch.float32, torch.float64)
LAUNCHED = numba.get_num_threads()  # that numba can have, when nobody has asked for fewer yet


def is_compiled_for(*tensors: Tensor) -> bool:
    """Say whether the compiled kernels take these tensors of numbers: on the CPU, in single or double precision.

    Not while a network is traced, for an export: then all that happens must be operations of PyTorch.
    """
    return not is_traced() and all(tensor.device.type == "cpu" and tensor.dtype in COMPILED for tensor in tensors)


def is_traced() -> bool:
    """Say whether operations are written down for later rather than done: sizes and numbers are symbols then."""
    return torch.compiler.is_compiling()


def use_torch_threads() -> None:
    """Let the kernels called next run on as many threads as torch does."""
    numba.set_num_threads(min(torch.get_num_threads(), LAUNCHED))


def array(tensor: Tensor) -> Array:
    """Return the numbers of a tensor side by side in memory, for a kernel; not copied where they are already."""
    numbers: Array = tensor.detach().contiguous().numpy()
    return numbers


@njit(cache=True)
def relu(value: float, zero: float) -> float:
    """Return the larger of value and zero (of the same type), for kernels; NaN stays NaN, which ``max`` would hide."""
    if value <= zero:
        return zero
    return value
