"""Minibatch discrimination: how close a sample is to the others of its batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MinibatchDiscrimination(nn.Module):
    """Tells a discriminator how alike the samples of a batch are, so that a generator cannot repeat itself.

    With M = A x + b, a matrix of `n_features` rows per sample: feature f of sample i is
    sum over all samples j, i included, of exp(-|M_if - M_jf|_1). Salimans et al., arXiv:1606.03498, section 3.2;
    with the bias b as in CaloGAN (arXiv:1705.02355).

    Parameters
    ----------
    n_in
    n_features
    n_dims
        Columns of M.
    """

    def __init__(self, n_in: int, n_features: int = 10, n_dims: int = 10) -> None:
        super().__init__()
        self.n_features, self.n_dims = n_features, n_dims
        self.projection = nn.Linear(n_in, n_features * n_dims)
        nn.init.xavier_uniform_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features [n, n_features] of samples [n, n_in]."""
        rows = self.projection(x).view(-1, self.n_features, self.n_dims).transpose(0, 1)
        closeness: Tensor = torch.exp(-torch.cdist(rows, rows, p=1.0))  # [n_features, n, n]
        return closeness.sum(dim=2).T
