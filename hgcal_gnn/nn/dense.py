"""Fully connected layers."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


def dense(*widths: int, starts_at_zero: bool = False) -> nn.Sequential:
    """Return linear layers from each width to the next with ReLU between them.

    Parameters
    ----------
    widths
        Inputs, hidden widths, outputs.
    starts_at_zero
        The last layer gives 0 until it is trained: what it corrects is left as it is.
    """
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    last = layers[-2]
    if starts_at_zero and isinstance(last, nn.Linear):
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return nn.Sequential(*layers[:-1])
