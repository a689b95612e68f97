"""From stored showers and a cell graph to batches: hit graphs, fixed regions, voxels; transforms of their numbers.

Batches are assembled as NumPy arrays; `to_torch`, `pyg` and the transforms need torch.
"""
