"""Batches of arrays as objects of PyTorch Geometric; arrays are shared, not copied, wherever their types allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch_geometric.data import Batch, Data

from hgcal_gnn.batching.features import shower_arrays

if TYPE_CHECKING:
    from hgcal_gnn.arrays import I64, Array
    from hgcal_gnn.batching.hit_graphs import HitGraphBatch
    from hgcal_gnn.batching.regions import RegionBatch
    from hgcal_gnn.batching.voxels import VoxelBatch


def hit_graph_batch(graphs: HitGraphBatch) -> Batch:
    """Return hit graphs as a `Batch`, with all that `Batch.from_data_list` would have set.

    Returns
    -------
    Batch
        Nodes: x float32 [n_hits, n_features], pos float32 [n_hits, 3] in cm, cell int64 [n_hits] (row in the graph),
        batch int64 [n_hits], ptr int64 [n_showers + 1]. Edges: edge_index int64 [2, n_edges], edge_type int64
        [n_edges], edge_attr float32 [n_edges, 4] if asked for. Graphs: incident_energy float32 [n_showers] in GeV,
        pdg_id, event_id int64, direction, vertex float32 [n_showers, 3], further columns as the showers have them.
        ``batch[i]`` and ``to_data_list()`` give single showers.
    """
    showers = graphs.showers
    nodes: dict[str, Array] = {"x": graphs.x, "pos": graphs.positions, "cell": showers.cell.astype(np.int64)}
    edges: dict[str, Array] = {"edge_index": graphs.edge_index, "edge_type": graphs.edge_type.astype(np.int64)}
    if graphs.edge_attr is not None:
        edges["edge_attr"] = graphs.edge_attr
    of_showers = _of_showers(graphs)
    each = np.arange(len(showers) + 1)
    slices = dict.fromkeys(nodes, showers.offsets) | dict.fromkeys(edges, graphs.edge_offsets)
    slices |= dict.fromkeys(of_showers, each)
    batch = assemble({**nodes, **edges, **of_showers}, slices, shifts={"edge_index": showers.offsets[:-1]})
    batch.batch = torch.from_numpy(graphs.batch)
    batch.ptr = torch.from_numpy(showers.offsets)
    return batch


def static_data(region: RegionBatch) -> Data:
    """Return one graph with the features of all showers, as convolutions for static graphs take them.

    Returns
    -------
    Data
        x float32 [n_showers, n_cells, n_features] (node axis -2), pos float32 [n_cells, 3] in cm, edge_index int64
        [2, n_edges], edge_type int64 [n_edges], num_nodes, and what is known of each shower, as in `hit_graph_batch`.
    """
    data = Data(num_nodes=len(region.positions))
    arrays = {"x": region.x, "pos": region.positions, **_shared_edges(region), **_of_showers(region)}
    for name, values in arrays.items():
        data[name] = torch.from_numpy(values)
    return data


def region_batch(region: RegionBatch) -> Batch:
    """Return a copy of the graph for every shower, as `Batch.from_data_list` would make it.

    Returns
    -------
    Batch
        x float32 [n_showers * n_cells, n_features], pos, edge_index int64 [2, n_showers * n_edges], edge_type, batch,
        ptr and what is known of each shower, as in `hit_graph_batch`.
    """
    n_showers, n_cells, n_features = region.x.shape
    n_edges = region.edge_index.shape[1]
    each = np.arange(n_showers + 1)
    shared = _shared_edges(region)
    first = each[:-1] * n_cells
    edges: dict[str, Array] = {
        "edge_index": (shared["edge_index"][:, None, :] + first[None, :, None]).reshape(2, -1),
        "edge_type": np.tile(shared["edge_type"], n_showers),
    }
    nodes: dict[str, Array] = {"x": region.x.reshape(-1, n_features), "pos": np.tile(region.positions, (n_showers, 1))}
    of_showers = _of_showers(region)
    slices = dict.fromkeys(nodes, each * n_cells) | dict.fromkeys(edges, each * n_edges)
    slices |= dict.fromkeys(of_showers, each)
    batch = assemble({**nodes, **edges, **of_showers}, slices, shifts={"edge_index": first})
    batch.batch = torch.arange(n_showers).repeat_interleave(n_cells)
    batch.ptr = torch.from_numpy(each * n_cells)
    return batch


def voxel_tensors(batch: VoxelBatch) -> dict[str, torch.Tensor]:
    """Return the sections under their names, and what is known of the showers."""
    arrays: dict[str, Array] = {**batch.voxels, **shower_arrays(batch.showers)}
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def assemble(arrays: dict[str, Array], slices: dict[str, I64], shifts: dict[str, I64]) -> Batch:
    """Build a `Batch` from joined arrays.

    Parameters
    ----------
    arrays
        Under the names of the attributes.
    slices
        First entry of each graph in each array, int64 [n_graphs + 1].
    shifts
        What was added to the numbers of each graph, int64 [n_graphs], for arrays of node numbers.
    """
    batch: Any = Batch(_base_cls=Data)
    for name, values in arrays.items():
        batch[name] = torch.from_numpy(values)
    n_graphs = len(next(iter(slices.values()))) - 1
    nothing = torch.zeros(n_graphs, dtype=torch.long)
    # what from_data_list sets and to_data_list reads
    batch._num_graphs = n_graphs
    batch._slice_dict = {name: torch.from_numpy(values) for name, values in slices.items()}
    batch._inc_dict = {name: torch.from_numpy(shifts[name]) if name in shifts else nothing for name in arrays}
    return batch


def _of_showers(batch: HitGraphBatch | RegionBatch) -> dict[str, Array]:
    return {**shower_arrays(batch.showers), "outside_energy": batch.outside_energy.astype(np.float32)}


def _shared_edges(region: RegionBatch) -> dict[str, Array]:
    return {"edge_index": region.edge_index, "edge_type": region.edge_type.astype(np.int64)}
