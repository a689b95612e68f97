"""Numbers of any size and unit, brought to order 1 with mean and spread of the training sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LIMIT = 10.0  # standard deviations; what lies further out is held there


class Standardise(nn.Module):
    """Subtracts the mean and divides by the standard deviation; both are fitted once and saved with the network.

    What is not finite becomes 0, the mean: nothing is known.

    Parameters
    ----------
    n
        Number of columns.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("std", torch.ones(n))

    @torch.no_grad()
    def fit(self, values: Tensor) -> None:
        """Take mean and standard deviation of each column of [n_rows, n]; infinite and NaN entries are left out.

        Columns without any spread keep a standard deviation of 1.
        """
        exact = values.cpu().double()  # not every device has double precision
        finite = torch.isfinite(exact)
        count = finite.sum(dim=0).clamp(min=1)
        known = torch.where(finite, exact, 0.0)
        mean = known.sum(dim=0) / count
        spread = torch.where(finite, known - mean, 0.0)
        std = (spread.square().sum(dim=0) / count).sqrt()
        varies = std > 1e-6 * mean.abs()  # smaller is rounding
        self.mean.copy_(mean)
        self.std.copy_(torch.where(varies, std, 1.0))

    def forward(self, values: Tensor) -> Tensor:
        """Return [n_rows, n] within +-`LIMIT`."""
        return torch.nan_to_num((values - self.mean) / self.std, nan=0.0).clamp(-LIMIT, LIMIT)
