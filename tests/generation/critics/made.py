"""Small detectors, showers and critics in double precision."""

from __future__ import annotations

import torch
from pydantic import TypeAdapter

from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.critics.cells import Cells
from hgcal_gnn.generation.critics.config import GraphCriticConfig
from hgcal_gnn.generation.critics.critic import GraphCritic
from hgcal_gnn.generation.critics.networks import make_critic
from tests.nn.batches import numbers, random_graphs

KINDS = ("gcn", "message_passing", "deep_sets")
N_CELLS = 9


def made_cells(seed: int = 0) -> Cells:
    """Cells behind each other along z with random edges."""
    adjacency, _ = random_graphs([N_CELLS], 0.4, seed)
    position = 5 * numbers(N_CELLS, 3, seed=seed, grad=False) + torch.tensor([20.0, 10.0, 320.0])
    unit = 0.5 + numbers(N_CELLS, seed=seed + 1, grad=False).abs()
    return Cells(adjacency, position, unit, numbers(N_CELLS, 2, seed=seed + 2, grad=False))


def particles(n: int, seed: int = 0) -> Condition:
    """Two kinds of particles from near the origin."""
    random = numbers(n, 7, seed=seed + 9, grad=False)
    direction = torch.nn.functional.normalize(random[:, :3] + torch.tensor([1.0, 0.5, 12.0]), dim=1)
    return Condition(10 + 5 * random[:, 6].abs(), direction, 0.1 * random[:, 3:6], torch.arange(n) % 2)


def dense_showers(n: int, seed: int = 0, share: float = 0.5) -> torch.Tensor:
    """Energies [n, N_CELLS], some 0."""
    energy = 2 * numbers(n, N_CELLS, seed=seed + 5, grad=False).abs() + 0.1
    lit = torch.rand(n, N_CELLS, generator=torch.Generator().manual_seed(seed)) < share
    return torch.where(lit, energy, 0.0)


def lit_hits(cells: Cells, energy: torch.Tensor, condition: Condition):
    """Hit sets of the cells with energy alone."""
    shower, cell = energy.nonzero(as_tuple=True)
    ptr = torch.cat([torch.zeros(1, dtype=torch.long), torch.bincount(shower, minlength=len(energy)).cumsum(0)])
    return cells.hits(energy[shower, cell], cell, ptr, condition)


def made_critic(kind: str, **settings: object) -> GraphCritic:
    """A small critic, scaled to some showers."""
    torch.manual_seed(4)
    config = TypeAdapter(GraphCriticConfig).validate_python({"kind": kind, "hidden": 6, "n_layers": 2, **settings})
    critic = make_critic(config, 2, n_kinds=2).double()
    condition = particles(20)
    critic.fit(made_cells().region(dense_showers(20), condition), condition)
    return critic
