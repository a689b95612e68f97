"""From showers and a cell graph to what a regressor sees: the one place where its inputs are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from hgcal_gnn.batching.hit_features import FEATURES, check_features, hit_features
from hgcal_gnn.batching.hit_graphs import HitGraphs
from hgcal_gnn.batching.nearest_hits import nearest_hits
from hgcal_gnn.evaluation.observables import shower_variables, variable_names
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.nn.adjacency import Adjacency
from hgcal_gnn.regression.batch import HitBatch, ShowerBatch
from hgcal_gnn.showers.ragged import offsets_of

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, I64, U8
    from hgcal_gnn.batching.voxel_windows import VoxelWindows
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers

Edges = Literal["cells", "knn", "none"]
SMALLEST = 1e-3  # GeV; reference of showers that left (nearly) nothing, so that ratios stay finite


@dataclass(frozen=True)
class InputNeeds:
    """What a model wants to see.

    Attributes
    ----------
    targets
        Of "energy", "eta", "phi"; energy first.
    variables
        High-level variables and sets of them (`evaluation.observables.variable_names`).
    features
        Hit features (`batching.hit_features.FEATURES`); empty: no hits.
    edges
        "cells": of the cell graph (exported or geometric); "knn": each hit with its nearest ones; "none".
    neighbours
        Of "knn".
    voxels
        Windows of voxels around the shower, for convolutional networks.
    """

    targets: tuple[str, ...] = ("energy",)
    variables: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    edges: Edges = "cells"
    neighbours: int = 8
    voxels: VoxelWindows | None = None


class RegressionInputs:
    """Makes `ShowerBatch` of showers (a maker for `BatchLoader`).

    Parameters
    ----------
    graph
        Cells and edges of the detector.
    material
        Gives calibrated energies.
    needs
        What the model wants.

    Raises
    ------
    UsageError
        For features, variables or targets that do not exist.

    Attributes
    ----------
    variables
        Names of the high-level variables, sets replaced by their members.
    detector
        Its name.
    """

    def __init__(self, graph: CellGraph, material: MaterialProfile, needs: InputNeeds) -> None:
        check_features(needs.features)
        self.needs = needs
        self.cells_sha256 = graph.cells_sha256
        self.detector = graph.cells.detector
        self.numbers = CellNumbers.of(graph.cells, material)
        self.variables = variable_names(self.numbers, needs.variables)
        self._columns = [FEATURES.index(name) for name in needs.features]
        self._graphs = HitGraphs(graph, cell_features=())

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry.

        Raises
        ------
        GeometryMismatchError
        """
        self._graphs.check(metadata, source=source)

    def __call__(self, showers: Showers) -> ShowerBatch:
        """Make the batch.

        Raises
        ------
        InputError
            If hits lie in cells the graph does not hold.
        """
        hits: HitBatch | None = None
        if self.needs.features:
            showers, hits = self._hits(showers)
        names = ("energy", "eta", "phi")
        plain = shower_variables(showers, self.numbers, (*names, *self.variables))
        wanted = [names.index(name) for name in self.needs.targets]
        reference = plain[:, wanted]
        reference[:, 0] = np.maximum(reference[:, 0], SMALLEST)
        return ShowerBatch(
            target=_tensor(np.stack([_truth(showers, name) for name in self.needs.targets], axis=1)),
            reference=_tensor(reference),
            variables=_tensor(plain[:, len(names) :]),
            hits=hits,
            voxels=None if self.needs.voxels is None else self.needs.voxels(showers, self.numbers),
        )

    def _hits(self, showers: Showers) -> tuple[Showers, HitBatch]:
        """Return the showers with one hit a cell, and these hits."""
        made = self._graphs(showers)
        merged = made.showers
        features, energy, position = hit_features(merged, self.numbers)
        ends, kinds = made.edge_index, made.edge_type
        if self.needs.edges == "knn":
            ends, kinds = nearest_hits(position, merged.offsets, self.needs.neighbours)
        elif self.needs.edges == "none":
            ends, kinds = ends[:, :0], kinds[:0]
        return merged, HitBatch(
            x=torch.from_numpy(np.ascontiguousarray(features[:, self._columns])),
            energy=torch.from_numpy(energy),
            position=torch.from_numpy(position),
            adjacency=_adjacency(ends, kinds, len(energy)),
            ptr=torch.from_numpy(merged.offsets.copy()),
        )


def _adjacency(ends: I64, kinds: U8, n_hits: int) -> Adjacency:
    rowptr = offsets_of(np.bincount(ends[0], minlength=n_hits))
    return Adjacency(torch.from_numpy(rowptr), torch.from_numpy(ends[1].copy()), torch.from_numpy(kinds.copy()))


def _truth(showers: Showers, name: str) -> F32:
    values: F32 = showers.incident_energy if name == "energy" else getattr(showers, name)
    return values


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
