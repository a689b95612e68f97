"""The cells that showers are judged on, and hit sets made of them: any hits, fixed regions, unions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.critics.axis_frame import from_axis
from hgcal_gnn.generation.critics.hit_sets import HitSets
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.neighbours.csr import INTRA
from hgcal_gnn.nn.adjacency import Adjacency

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32
    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.showers import Showers

FEATURES = ("layer", "silicon", "log_mip", "log_weight", "log_pitch")


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of a graph as tensors.

    Attributes
    ----------
    adjacency
        Their edges.
    position : float [n_cells, 3]
        [cm]
    unit : float [n_cells]
        E_MIP [GeV].
    features : float [n_cells, n_features]
        What else a critic is told of a cell, in any units.
    """

    adjacency: Adjacency
    position: Tensor
    unit: Tensor
    features: Tensor

    @classmethod
    def of(cls, graph: CellGraph, material: MaterialProfile) -> Cells:
        """Take the cells of a graph, with `FEATURES`.

        Raises
        ------
        InputError
            If the material does not fit the cells.
        """
        numbers = CellNumbers.of(graph.cells, material)
        columns: list[np.ndarray] = [
            numbers.layer / numbers.n_layers, numbers.silicon, np.log(numbers.mip), np.log(numbers.weight),
            np.log(neighbour_distance(graph)),
        ]  # fmt: skip
        return cls(
            Adjacency(*(torch.from_numpy(np.array(part)) for part in _rows(graph))),
            torch.from_numpy(numbers.place),
            torch.from_numpy(numbers.mip),
            torch.from_numpy(np.stack(columns, axis=1).astype(np.float32)),
        )

    def __len__(self) -> int:
        return len(self.position)

    def to(self, like: Tensor) -> Cells:
        """Return the same on the device and in the precision of some energies."""
        numbers = (part.to(like) for part in (self.position, self.unit, self.features))
        return Cells(self.adjacency.to(like.device), *numbers)

    def hits(self, energy: Tensor, cell: Tensor, ptr: Tensor, condition: Condition) -> HitSets:
        """Make hit sets of hits in any order; several in one cell are one, their energies added.

        Parameters
        ----------
        energy : float [n_hits]
            Deposits [GeV]; gradients flow back to them.
        cell : int64 [n_hits]
            Rows of the graph.
        ptr : int64 [n_showers + 1]
            First hit of each shower.
        condition
            The incident particle of each shower.

        Raises
        ------
        UsageError
            If there are not as many particles as showers.
        """
        _check(len(ptr) - 1, condition)
        shower = torch.repeat_interleave(torch.arange(len(ptr) - 1, device=cell.device), ptr.diff())
        key, place = torch.unique(shower * len(self) + cell, return_inverse=True)  # sorted: by shower, then by cell
        return self._made(key, energy.new_zeros(len(key)).index_add(0, place, energy), condition)

    def showers(self, showers: Showers, condition: Condition) -> HitSets:
        """Make hit sets of showers made with this graph."""
        numbers = (showers.energy, showers.cell.astype(np.int64), showers.offsets)
        energy, cell, ptr = (torch.from_numpy(np.array(part)).to(self.position.device) for part in numbers)
        return self.hits(energy.to(self.position.dtype), cell, ptr, condition)

    def region(self, energy: Tensor, condition: Condition) -> HitSets:
        """Make hit sets of all cells in every shower, as dense energies [n_showers, n_cells] [GeV] give them.

        Raises
        ------
        UsageError
            For another number of cells, or of particles.
        """
        n = len(energy)
        if energy.shape[1:] != (len(self),):
            msg = f"energies of a region of {len(self)} cells must have shape [n, {len(self)}], got {[*energy.shape]}"
            raise UsageError(msg)
        _check(n, condition)
        cell = torch.arange(len(self), device=energy.device).repeat(n)
        ptr = len(self) * torch.arange(n + 1, device=energy.device)
        return self._set(energy.reshape(-1), cell, ptr, self._copies(n), condition)

    def union(self, real: HitSets, fake: HitSets, condition: Condition) -> tuple[HitSets, Tensor]:
        """Bring two sets of the same showers to the cells that either has.

        Returns
        -------
        HitSets
            With the energies of `real`.
        float [n_hits]
            Energies of `fake` in the same cells [GeV].
        """
        if torch.equal(real.ptr, fake.ptr) and torch.equal(real.cell, fake.cell):  # fixed regions
            return real, fake.energy
        keys = torch.cat([some.shower * len(self) + some.cell for some in (real, fake)])
        key, place = torch.unique(keys, return_inverse=True)
        of_real, of_fake = place.split([len(real.cell), len(fake.cell)])
        zeros = real.energy.new_zeros(len(key))
        joint = self._made(key, zeros.index_add(0, of_real, real.energy), condition)
        return joint, zeros.index_add(0, of_fake, fake.energy)

    def _made(self, key: Tensor, energy: Tensor, condition: Condition) -> HitSets:
        """Make hit sets of ascending keys, shower * n_cells + cell."""
        shower, cell = key // len(self), key % len(self)
        counts = torch.bincount(shower, minlength=len(condition))
        return self._set(energy, cell, _from_zero(counts), self._among(key, cell), condition)

    def _set(self, energy: Tensor, cell: Tensor, ptr: Tensor, adjacency: Adjacency, condition: Condition) -> HitSets:
        vertex, direction = (
            torch.repeat_interleave(part.to(self.position), ptr.diff(), dim=0)
            for part in (condition.vertex, condition.direction)
        )
        place = from_axis(self.position[cell], vertex, direction)
        return HitSets(energy, cell, self.unit[cell], place, self.features[cell], adjacency, ptr)

    def _among(self, key: Tensor, cell: Tensor) -> Adjacency:
        """Find the edges between hits: neighbours of their cells that are among the keys, too."""
        edges = self.adjacency
        degree = edges.degree[cell]
        source = torch.repeat_interleave(torch.arange(len(key), device=key.device), degree)
        before = degree.cumsum(0) - degree  # edges looked at before those of each hit
        edge = torch.arange(len(source), device=key.device) + (edges.rowptr[cell] - before)[source]
        wanted = (key - cell)[source] + edges.col[edge]
        target = torch.searchsorted(key, wanted).clamp(max=max(len(key) - 1, 0))
        there = key[target] == wanted
        rowptr = _from_zero(torch.bincount(source[there], minlength=len(key)))
        return Adjacency(rowptr, target[there], edges.edge_type[edge[there]])

    def _copies(self, n: int) -> Adjacency:
        """Return the edges of n copies of all cells."""
        edges = self.adjacency
        copy = torch.arange(n, device=edges.col.device)[:, None]
        rowptr = (edges.rowptr[:-1] + copy * edges.n_edges).flatten()
        last = rowptr.new_full((1,), n * edges.n_edges)
        col = (edges.col + copy * len(self)).flatten()
        return Adjacency(torch.cat([rowptr, last]), col, edges.edge_type.repeat(n))


def _rows(graph: CellGraph) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return graph.rowptr, graph.col.astype(np.int64), graph.edge_type


def neighbour_distance(graph: CellGraph) -> F32:
    """Mean distance of each cell to its neighbours in the layer [cm]; of cells without any: the mean of all.

    Raises
    ------
    UsageError
        If neighbours have one centre, as rings around an axis that are not divided in azimuth do.
    """
    source, target = graph.edge_list()
    within = graph.edge_type == INTRA
    source, target = source[within], target[within]
    distance = np.linalg.norm(graph.cells.positions[source] - graph.cells.positions[target], axis=1)
    together = np.unique(source[distance == 0])
    if len(together):
        msg = (
            f"{len(together)} of {graph.n_cells} cells have the centre of a neighbour, like rings around an "
            "axis; graph generators and critics go by the distances of centres: take a voxel model"
        )
        raise UsageError(msg)
    count = np.bincount(source, minlength=graph.n_cells)
    mean = float(distance.mean()) if len(distance) else 1.0
    total = np.bincount(source, weights=distance, minlength=graph.n_cells)
    pitch: F32 = np.where(count > 0, total / np.maximum(count, 1), mean).astype(np.float32)
    return pitch


def _from_zero(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _check(n_showers: int, condition: Condition) -> None:
    if n_showers != len(condition):
        msg = f"{n_showers} showers need as many incident particles, got {len(condition)}"
        raise UsageError(msg)
