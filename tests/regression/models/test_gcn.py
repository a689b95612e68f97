from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch_geometric.data import Data

from hgcal_gnn.regression.models import MODELS
from tests.regression.models.batches import network_and_batch, picked, reordered
from tests.regression.models.peer_gcn import PygGcn, copy_weights, pairs

COUNTS = (40, 3, 0, 25, 1)
KINDS = ["gcn", "gcn_hlv"]
EXACT = {"rtol": 1e-10, "atol": 1e-10}
close = torch.testing.assert_close


def as_data(network, batch):
    hits, adjacency = batch.hits, batch.hits.adjacency
    graph = torch.repeat_interleave(torch.arange(len(batch)), hits.ptr.diff())
    edges = torch.stack([adjacency.row, adjacency.col])
    variables = network.standardise(batch.variables)
    # the graphs without hits at the end would not be counted
    return Counted(x=hits.x, edge_index=edges, batch=graph, variables=variables, n_graphs=len(batch))


class Counted(Data):
    @property
    def num_graphs(self):
        return self.n_graphs


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_pyg_step_by_step(kind):
    """Outputs, gradients and running statistics through some steps of training, then outside it."""
    ours, batch = network_and_batch(kind, COUNTS, dtype=torch.float64, hidden=16)
    theirs = PygGcn(batch.hits.x.shape[1], batch.variables.shape[1], 16, 1).double()
    copy_weights(ours, theirs)
    data = as_data(ours, batch)
    optimisers = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (ours, theirs)]
    for _ in range(4):
        here, there = ours(batch), theirs(data)
        close(here, there, **EXACT)
        for out, optimiser in zip((here, there), optimisers, strict=True):
            optimiser.zero_grad()
            (out[:, 0] - torch.linspace(0, 1, len(out))).square().sum().backward()
        for mine, peer in pairs(ours, theirs):
            close(mine.grad, peer.grad, **EXACT)
            assert peer.grad.any()
        for optimiser in optimisers:
            optimiser.step()
    for mine, peer in ((ours.first.norm, theirs.norms[0]), (ours.second.norm, theirs.norms[1])):
        close(mine.running_var, peer.running_var, **EXACT)
    ours.eval()
    theirs.eval()
    close(ours(batch), theirs(data), **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_hits_and_company_do_not_matter(kind):
    network, batch = network_and_batch(kind, COUNTS, dtype=torch.float64, hidden=16)
    close(network(reordered(batch)), network(batch), **EXACT)
    network.eval()
    together = network(batch)
    alone = torch.cat([network(picked(batch, number)) for number in range(len(COUNTS))])
    close(alone, together, **EXACT)
    assert together.std() > 1e-3


def test_learns_that_one_section_counts_twice():
    network, batch = network_and_batch("gcn_hlv", [30] * 64, hidden=16)
    wanted = batch.target[:, 0] / batch.target[:, 0].mean()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(80):
        loss = (1 - network(batch)[:, 0] / wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.5 * (1 - wanted.median() / wanted).abs().mean()


def test_high_level_variables_reach_the_network():
    network, batch = network_and_batch("gcn_hlv", (5, 8), hidden=8)
    network.eval()
    before = network(batch)
    batch.variables[1, 0] += 3.0
    changed = network(batch) != before
    assert changed.flatten().tolist() == [False, True]


def test_without_variables_it_is_another_model():
    with pytest.raises(ValidationError, match="at least 1 item"):
        MODELS["gcn_hlv"].config_class(variables=())


def test_published_settings_are_the_defaults():
    network, _ = network_and_batch("gcn", (5,))
    assert network.second.convolution.linear.weight.shape == (64, 64)
    # 3 convolutions (5 -> 64 -> 64 -> 64), the last with bias, 2 batch norms, dense 64 -> 64 -> 1
    assert sum(p.numel() for p in network.parameters()) == (5 + 64 + 64 + 1) * 64 + 4 * 64 + 65 * 64 + 65
