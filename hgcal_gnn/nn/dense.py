"""Fully connected layers."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


def dense(*widths: int, starts_at_zero: bool = False, dropout: float = 0.0) -> nn.Sequential:
    """Return linear layers from each width to the next with ReLU between them.

    Parameters
    ----------
    widths
        Inputs, hidden widths, outputs.
    starts_at_zero
        The last layer gives 0 until it is trained: what it corrects is left as it is.
    dropout
        Share of the hidden numbers that is left out in each step of the training.
    """
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths[:-1]):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    last = nn.Linear(widths[-2], widths[-1])
    if starts_at_zero:
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)
