"""How many threads the numerical libraries use."""

from __future__ import annotations


def use_threads(number: int | None) -> None:
    """Let PyTorch and numba use so many threads; None: as many as this process may have cores."""
    import torch

    from hgcal_gnn.hardware import usable_cores
    from hgcal_gnn.nn.threads import use_torch_threads

    torch.set_num_threads(number or usable_cores())
    use_torch_threads()
