"""Layers of the networks: convolutions on graphs, pooling, dense parts. They know numbers, no data and no config."""
