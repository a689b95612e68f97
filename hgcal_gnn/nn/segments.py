"""Which segment of a row of numbers each of them lies in."""

from __future__ import annotations

import torch
from torch import Tensor

from hgcal_gnn.nn.threads import is_traced


def segment_of(ptr: Tensor, n: int) -> Tensor:
    """Return the number of the segment of each entry.

    Parameters
    ----------
    ptr : int64 [n_segments + 1]
        First entry of each segment, and `n`.
    n
        Entries of all segments.

    Returns
    -------
    int64 [n]
    """
    if is_traced():  # the length of a repetition would depend on numbers that are not known yet
        begins = ptr.new_zeros(n + 1).index_add(0, ptr[1:-1], torch.ones_like(ptr[1:-1]))
        return begins[:n].cumsum(0)
    return torch.repeat_interleave(torch.arange(ptr.shape[0] - 1, device=ptr.device), ptr.diff(), output_size=n)
