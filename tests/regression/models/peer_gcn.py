"""The published network in plain PyTorch Geometric, as one would write it."""

from __future__ import annotations

import torch
from torch import nn
from torch_geometric.nn import GCNConv, global_mean_pool


class PygGcn(nn.Module):
    """Sees `Data` with x, edge_index, batch and variables [n_graphs, n_variables]."""

    def __init__(self, n_features, n_variables, hidden, n_outputs):
        super().__init__()
        self.convolutions = nn.ModuleList(
            [GCNConv(n_features, hidden), GCNConv(hidden, hidden), GCNConv(hidden, hidden)]
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(2))
        self.dense = nn.Sequential(nn.Linear(hidden + n_variables, hidden), nn.ReLU(), nn.Linear(hidden, n_outputs))

    def forward(self, data):
        x = self.norms[0](self.convolutions[0](data.x, data.edge_index)).relu()
        x = self.norms[1](self.convolutions[1](x, data.edge_index)).relu()
        x = self.convolutions[2](x, data.edge_index).relu()
        pooled = global_mean_pool(x, data.batch, data.num_graphs)
        return self.dense(torch.cat([pooled, data.variables], dim=1))


def pairs(ours, theirs):
    """The parameters of `Gcn` and where they are in the peer; biases before batch norm have no partner."""
    layers = zip((ours.first, ours.second, ours.third), theirs.convolutions, strict=True)
    found = [(mine.convolution.linear.weight, peer.lin.weight) for mine, peer in layers]
    found.append((ours.third.bias, theirs.convolutions[2].bias))
    for mine, peer in ((ours.first.norm, theirs.norms[0]), (ours.second.norm, theirs.norms[1])):
        found += zip(mine.parameters(), peer.parameters(), strict=True)
    return found + list(zip(ours.leave.parameters(), theirs.dense.parameters(), strict=True))


@torch.no_grad()
def copy_weights(ours, theirs):
    """Give the peer our parameters and running statistics."""
    for mine, peer in pairs(ours, theirs):
        peer.copy_(mine)
    for mine, peer, layer in zip((ours.first, ours.second), theirs.norms, theirs.convolutions[:2], strict=True):
        layer.bias.normal_()
        peer.load_state_dict(mine.norm.state_dict())
        peer.running_mean += layer.bias
