"""Small showers in a small detector, for the tests of networks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import torch

from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.nn.adjacency import Adjacency
from hgcal_gnn.regression.batch import HitBatch
from hgcal_gnn.regression.inputs import RegressionInputs
from hgcal_gnn.regression.models import MODELS
from hgcal_gnn.regression.models.base import Sizes
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.ragged import offsets_of, segment_sums
from hgcal_gnn.showers.showers import Showers

DETECTOR = "lcd25"


@cache
def detector():
    return build_graph(make_detector(DETECTOR))[0], load_material(DETECTOR)


def compact_showers(counts, seed=0) -> Showers:
    """Hits close to the axis; the truth counts hits of the HCAL twice, so that the plain sum is wrong."""
    graph, material = detector()
    cells, random = graph.cells, np.random.default_rng(seed)
    off = np.hypot(cells.y, cells.z) / np.where(cells.subdetector == 1, 0.8, 4.0)
    chance = np.exp(-0.5 * off**2) * np.where(cells.subdetector == 1, 1.0, 0.3)
    cell = np.concatenate([random.choice(cells.n_cells, n, replace=False, p=chance / chance.sum()) for n in counts])
    numbers = RegressionInputs(graph, material, MODELS["dnn"].config_class().needs()).numbers
    calibrated = random.exponential(0.2, len(cell)) * random.choice([0.2, 1.0, 5.0], len(cell))
    offsets = offsets_of(np.asarray(counts))
    truth = segment_sums(calibrated * np.where(cells.subdetector[cell] == 2, 2.0, 1.0), offsets)
    columns = {
        "offsets": offsets,
        "cell": cell.astype(np.int32),
        "energy": calibrated / numbers.weight[cell],
        "incident_energy": np.maximum(truth, 1.0),
    }
    return Showers.from_columns(columns, metadata=ShowerMetadata(cells_sha256=cells.sha256))


def network_and_batch(kind, counts, seed=0, dtype=torch.float32, **settings):
    """A network of a kind with weights of its own, and the batch it sees of some showers."""
    config = MODELS[kind].config_class(**settings)
    inputs = RegressionInputs(*detector(), config.needs())
    batch = inputs(compact_showers(counts, seed)).to(dtype)
    voxels = config.needs().voxels
    sizes = Sizes(len(config.needs().features), batch.variables.shape[1], voxels.shapes if voxels else None)
    torch.manual_seed(seed)
    network = MODELS[kind](config, sizes).to(dtype)
    for module in network.modules():
        if hasattr(module, "fit") and len(module.mean):
            module.fit(batch.variables)
    return network, batch


def stir(network) -> None:
    """Give the layers that start at 0 some weights, else every output is 0."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)


def picked(batch, number):
    """Only one shower of a batch."""
    one = slice(number, number + 1)
    hits = batch.hits
    if hits is not None:
        first, last = hits.ptr[number : number + 2].tolist()
        edges = slice(int(hits.adjacency.rowptr[first]), int(hits.adjacency.rowptr[last]))
        rowptr = hits.adjacency.rowptr[first : last + 1] - edges.start
        adjacency = Adjacency(rowptr, hits.adjacency.col[edges] - first, hits.adjacency.edge_type[edges])
        own = slice(first, last)
        hits = HitBatch(hits.x[own], hits.energy[own], hits.position[own], adjacency, torch.tensor([0, last - first]))
    voxels = None if batch.voxels is None else {name: values[one] for name, values in batch.voxels.items()}
    return replace(
        batch, target=batch.target[one], reference=batch.reference[one], variables=batch.variables[one], hits=hits,
        voxels=voxels,
    )  # fmt: skip


def reordered(batch, seed=0):
    """The same showers with the hits of each in another order."""
    hits, random = batch.hits, np.random.default_rng(seed)
    bounds = hits.ptr.tolist()
    order = np.concatenate([first + random.permutation(last - first) for first, last in pairwise(bounds)])
    place = np.argsort(order)
    row, col = place[hits.adjacency.row.numpy()], place[hits.adjacency.col.numpy()]
    sort = np.lexsort((col, row))
    rowptr = torch.from_numpy(offsets_of(np.bincount(row, minlength=len(order))))
    adjacency = Adjacency(rowptr, torch.from_numpy(col[sort]), hits.adjacency.edge_type[sort])
    new = HitBatch(hits.x[order], hits.energy[order], hits.position[order], adjacency, hits.ptr)
    return replace(batch, hits=new)
