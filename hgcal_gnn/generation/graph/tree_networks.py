"""The tree: from a root in every shower, level by level, to its leaves.

The tree is regular, so that all nodes of a level are one tensor [n_showers, n_nodes, width]; child c of a node i is
node i * branches + c of the next level; the ancestor of node i some levels up is node i // (product of the branches).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgcal_gnn.generation.noise import normal

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAK = 0.1


def descendants(x: Tensor, n_nodes: int) -> Tensor:
    """Give each of `n_nodes` nodes of a level below its ancestor's row: [n, n_above, width] to [n, n_nodes, width]."""
    n, n_above, width = x.shape
    return x[:, :, None].expand(n, n_above, n_nodes // n_above, width).reshape(n, n_nodes, width)


class Feed(nn.Module):
    """A network on nodes that knows something of their shower, without a copy of that for every node.

    Parameters
    ----------
    n_node, n_shower
        Numbers per node and per shower that enter.
    hidden, n_out
    """

    def __init__(self, n_node: int, n_shower: int, hidden: int, n_out: int) -> None:
        super().__init__()
        self.of_node = nn.Linear(n_node, hidden)
        self.of_shower = nn.Linear(n_shower, hidden, bias=False)
        self.middle = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, n_out)

    def forward(self, node: Tensor, shower: Tensor) -> Tensor:
        """Return [n, n_nodes, n_out] of [n, n_nodes, n_node] and [n, n_shower]."""
        x = functional.leaky_relu(self.of_node(node) + self.of_shower(shower)[:, None], LEAK)
        found: Tensor = self.last(functional.leaky_relu(self.middle(x), LEAK))
        return found


class Level(nn.Module):
    """From the nodes of one level to those of the next (DeepTreeGAN, arXiv:2311.12616, section 3.1).

    1. What all nodes have in common: globals = post(mean of pre(nodes) || told).
    2. Branching: children = network(parent || noise || told || globals) + parent.
    3. Reduction to the width of the next level.
    4. Messages of all ancestors (a graph isomorphism network): x + network((1 + eps) x + sum of the ancestors).

    Parameters
    ----------
    branches
        Children of a node.
    widths
        Numbers per node of all levels up to this one, and of the next.
    n_told
        Numbers told per shower.
    n_globals, hidden
    noise
        Fresh numbers per node.
    """

    def __init__(
        self, branches: int, widths: Sequence[int], n_told: int, n_globals: int, hidden: int, noise: int
    ) -> None:
        super().__init__()
        *before, width, n_out = widths
        self.branches, self.noise = branches, noise
        self.pre = nn.Sequential(nn.Linear(width, hidden), nn.LeakyReLU(LEAK), nn.Linear(hidden, n_globals))
        self.post = nn.Sequential(
            nn.Linear(n_globals + n_told, hidden), nn.LeakyReLU(LEAK), nn.Linear(hidden, n_globals)
        )  # fmt: skip
        self.branch = Feed(width + noise, n_told + n_globals, hidden, branches * width)
        self.reduce = nn.Linear(width, n_out)
        self.ancestors = nn.ModuleList(nn.Linear(some, n_out, bias=False) for some in (*before, width))
        self.eps = nn.Parameter(torch.zeros(()))
        self.update = nn.Sequential(nn.Linear(n_out, hidden), nn.LeakyReLU(LEAK), nn.Linear(hidden, n_out))

    def forward(self, levels: Sequence[Tensor], told: Tensor, random: torch.Generator | None) -> Tensor:
        """Return the next level, [n, n_nodes * branches, width], of all levels so far and what is told [n, n_told]."""
        x = levels[-1]
        n, n_nodes, width = x.shape
        in_common = torch.cat([told, self.post(torch.cat([self.pre(x).mean(dim=1), told], dim=1))], dim=1)
        fresh = normal((n, n_nodes, self.noise), x, random)
        children = self.branch(torch.cat([x, fresh], dim=2), in_common).reshape(n, n_nodes, self.branches, width)
        children = (children + x[:, :, None]).reshape(n, n_nodes * self.branches, width)
        reduced = self.reduce(children)
        messages = [
            descendants(layer(level), reduced.shape[1]) for layer, level in zip(self.ancestors, levels, strict=True)
        ]
        joined: Tensor = reduced + self.update((1 + self.eps) * reduced + torch.stack(messages).sum(dim=0))
        return joined


class Tree(nn.Module):
    """The whole tree, with a few numbers per leaf at its end.

    Parameters
    ----------
    branches
        Children of a node, level by level.
    widths
        Numbers per node of the root and of each level.
    n_out
        Numbers of a leaf.
    n_told, n_globals, hidden, noise
        As in `Level`.
    """

    def __init__(
        self, branches: Sequence[int], widths: Sequence[int], n_out: int, *, n_told: int, n_globals: int, hidden: int,
        noise: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.root = widths[0]
        self.n_leaves = math.prod(branches)
        self.levels = nn.ModuleList(
            Level(some, widths[: number + 2], n_told, n_globals, hidden, noise) for number, some in enumerate(branches)
        )
        self.leaf = nn.Linear(widths[-1], n_out)
        self.spread = nn.Parameter(torch.full((n_out,), 0.8))

    def forward(self, told: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Return leaves [n, n_leaves, n_out] of what is told [n, n_told]."""
        levels = [normal((told.shape[0], 1, self.root), told, random)]
        for level in self.levels:
            levels.append(level(levels, told, random))
        found: Tensor = self.leaf(levels[-1])
        return found + self.spread * normal(found.shape, found, random)


def check_shape(branches: Sequence[int], widths: Sequence[int]) -> None:
    """Refuse a tree without a width for each of its levels.

    Raises
    ------
    ValueError
    """
    if len(widths) != len(branches) + 1:
        msg = f"widths {list(widths)} are needed for the root and each of {len(branches)} levels of branches"
        raise ValueError(msg)
    if any(above < below for above, below in pairwise(widths)):
        msg = f"widths {list(widths)} must not grow from the root to the leaves"
        raise ValueError(msg)
