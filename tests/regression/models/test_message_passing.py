"""What is special to this network; the rest is in `test_networks`."""

from __future__ import annotations

import pytest
import torch

from tests.regression.models.batches import network_and_batch, stir


@pytest.mark.parametrize("n_layers", [1, 2])
def test_every_layer_takes_messages_one_edge_further(n_layers):
    network, batch = network_and_batch("message_passing", (40,), hidden=8, message=8, n_layers=n_layers)
    stir(network)
    hits = batch.hits
    state = network._through(network.enter(hits.x), hits)
    hits.x[0] += 1.0
    changed = (network._through(network.enter(hits.x), hits) - state).abs().amax(dim=1) > 1e-7
    near = torch.zeros(40, dtype=torch.bool)
    near[0] = True
    for _ in range(n_layers):
        near[hits.adjacency.col[near[hits.adjacency.row]]] = True
    assert changed.any()
    assert not (changed & ~near).any()


def test_no_edges_leave_the_hits_alone():
    network, batch = network_and_batch("message_passing", (30,), hidden=8, edges="none")
    assert batch.hits.adjacency.n_edges == 0
    state = network._through(network.enter(batch.hits.x), batch.hits)
    batch.hits.x[0] += 1.0
    moved = network._through(network.enter(batch.hits.x), batch.hits) != state
    assert moved.any(dim=1).tolist() == [True] + [False] * 29


def test_sizes_by_hand():
    network, _ = network_and_batch("message_passing", (5,), hidden=16, message=4, n_layers=2)
    # own (16 -> 4 with constant), other, displacement (3 -> 4), 5 types, keep and change (16 -> 16), receive (4 -> 16)
    layer = (17 * 4) + 16 * 4 + 3 * 4 + 5 * 4 + 2 * 17 * 16 + 4 * 16
    assert sum(p.numel() for p in network.layers.parameters()) == 2 * layer
