"""What classifiers see of the two samples: tables of features, cells, graphs of hits; batch by batch."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import torch

from hgcal_gnn.batching.hit_features import FEATURES, hit_features
from hgcal_gnn.batching.hit_graphs import HitGraphs
from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.classifier_networks import CellClassifier, Cells, FeatureClassifier, HitClassifier, Hits
from hgcal_gnn.evaluation.two_samples import MIN_SHOWERS, TwoSamples
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.nn.adjacency import Adjacency
from hgcal_gnn.showers.ragged import offsets_of, segment_sums
from hgcal_gnn.showers.showers import Showers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import F64, I64, Array
    from hgcal_gnn.batching.voxels import VoxelTensors
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.store import ShowerStore

WIDTH, ROUNDS = 32, 2  # of the network on hits
N_VARIABLES = 3  # of a shower, see `_variables`


class ClassifierInputs(Protocol):
    """Showers of both samples, those of the reference first, and the network that tells them apart."""

    n_reference: int
    n_generated: int

    def batch(self, rows: I64) -> Any:
        """Return what the network sees of some showers (ascending), with `to(device)`."""

    def network(self, hidden: Sequence[int], dropout: float) -> Any:
        """Return a new network with `fit(batch)`; what it returns are scores, high for generated showers."""

    def halves(self, order: I64) -> ClassifierInputs:
        """Return the reference alone, in another order, cut into two samples: what chance does is measured on these."""


class FeatureInputs:
    """Tables of features.

    Parameters
    ----------
    reference : float [n, n_features]
    generated : float [m, n_features]
        NaN is "not available".

    Raises
    ------
    InputError
        See `TwoSamples.of`.
    """

    def __init__(self, reference: Array, generated: Array) -> None:
        TwoSamples.of(reference, generated)  # only to check them: NaN stays NaN here
        parts = [np.asarray(part, dtype=np.float32) for part in (reference, generated)]
        parts = [part[:, None] if part.ndim == 1 else part for part in parts]
        self.n_reference, self.n_generated = (len(part) for part in parts)
        self.values = np.concatenate(parts)

    def batch(self, rows: I64) -> torch.Tensor:
        """Return features of some showers, float32 [n, n_features]."""
        return torch.from_numpy(self.values[rows])

    def network(self, hidden: Sequence[int], dropout: float) -> FeatureClassifier:
        """Return a network for these features."""
        return FeatureClassifier(self.values.shape[1], hidden, dropout=dropout)

    def halves(self, order: I64) -> FeatureInputs:
        """Return the reference, in another order, cut into two samples."""
        return FeatureInputs(*(self.values[rows] for rows in _cut(order)))


class _ShowerInputs:
    """Showers of two samples, in memory or in files, all of the geometry that `make` is for."""

    def __init__(self, reference: ShowerStore | Showers, generated: ShowerStore | Showers, make: Any) -> None:
        for name, sample in (("reference", reference), ("generated", generated)):
            make.check(sample.metadata, source=name)
            if len(sample) < MIN_SHOWERS:
                msg = f"{name}: {len(sample)} showers are too few to be compared; give at least {MIN_SHOWERS}"
                raise InputError(msg)
        self._take((reference, generated), (np.arange(len(reference)), np.arange(len(generated))))

    def _take(self, samples: tuple[ShowerStore | Showers, ShowerStore | Showers], rows: tuple[I64, I64]) -> None:
        self._samples, self._rows = samples, rows
        self.n_reference, self.n_generated = (len(part) for part in rows)

    def showers(self, rows: I64) -> Showers:
        """Return showers of both samples by their ascending numbers, those of the reference first."""
        of_both = np.concatenate(self._rows)[rows]
        first = np.searchsorted(rows, self.n_reference)
        parts = (self._samples[0][of_both[:first]], self._samples[1][of_both[first:]])
        return Showers.concatenate([part for part in parts if len(part)])

    def halves(self, order: I64) -> Self:
        """Return the reference, in another order, cut into two samples."""
        one, two = _cut(order)
        made = copy(self)
        made._take((self._samples[0], self._samples[0]), (self._rows[0][one], self._rows[0][two]))
        return made


class CellInputs(_ShowerInputs):
    """All cells of a regular detector.

    Parameters
    ----------
    reference, generated
        Showers in memory or in a store.
    voxels
        Of the detector both were made with.

    Raises
    ------
    GeometryMismatchError
        If they were made with another.
    InputError
        For fewer than `MIN_SHOWERS` showers.
    """

    def __init__(
        self, reference: ShowerStore | Showers, generated: ShowerStore | Showers, voxels: VoxelTensors
    ) -> None:
        super().__init__(reference, generated, voxels)
        self.voxels = voxels

    def batch(self, rows: I64) -> Cells:
        """Return the cells of some showers."""
        made = self.voxels(self.showers(rows))
        energy = np.concatenate([part.reshape(len(made), -1) for part in made.voxels.values()], axis=1)
        total = np.maximum(energy.sum(axis=1, dtype=np.float64), 1e-12)
        share = np.sqrt(np.maximum(energy, 0) / total[:, None]).astype(np.float32)
        return Cells(torch.from_numpy(share), _variables(made.showers, total))

    def network(self, hidden: Sequence[int], dropout: float) -> CellClassifier:
        """Return a network for these cells."""
        return CellClassifier(self.voxels.map.n_cells, N_VARIABLES, hidden, dropout=dropout)


class HitInputs(_ShowerInputs):
    """Graphs of the hits, in any geometry.

    Parameters
    ----------
    reference, generated
        Showers in memory or in a store.
    graph, material
        Of the geometry both were made with.

    Raises
    ------
    GeometryMismatchError
        If they were made with another.
    InputError
        For fewer than `MIN_SHOWERS` showers.
    """

    def __init__(
        self,
        reference: ShowerStore | Showers,
        generated: ShowerStore | Showers,
        graph: CellGraph,
        material: MaterialProfile,
    ) -> None:
        self._make = HitGraphs(graph, cell_features=(), link_isolated=True)
        super().__init__(reference, generated, self._make)
        self._numbers = CellNumbers.of(graph.cells, material)

    def batch(self, rows: I64) -> Hits:
        """Return the graphs of some showers."""
        made = self._make(self.showers(rows))
        hits = made.showers
        features, energy, position = hit_features(hits, self._numbers)
        rowptr = offsets_of(np.bincount(made.edge_index[0], minlength=len(energy)))
        edges = (rowptr, made.edge_index[1].copy(), made.edge_type)
        return Hits(
            x=torch.from_numpy(features),
            energy=torch.from_numpy(energy),
            position=torch.from_numpy(position),
            adjacency=Adjacency(*(torch.from_numpy(part) for part in edges)),
            ptr=torch.from_numpy(hits.offsets.copy()),
            variables=_variables(hits, segment_sums(energy, hits.offsets)),
        )

    def network(self, hidden: Sequence[int], dropout: float) -> HitClassifier:  # noqa: ARG002 - has its own widths
        """Return a network for these hits; its layers are few and narrow, whatever is asked for."""
        return HitClassifier(len(FEATURES), N_VARIABLES, WIDTH, ROUNDS, dropout=dropout)


def _cut(order: I64) -> tuple[I64, I64]:
    """Cut some numbers in the middle; ascending in each half, as files are read."""
    middle = len(order) // 2
    return np.sort(order[:middle]), np.sort(order[middle:])


def _variables(showers: Showers, energy: F64) -> torch.Tensor:
    """Return ln of incident energy, of the energy found and of the number of hits, float32 [n_showers, 3]."""
    columns = np.stack([showers.incident_energy.astype(np.float64), energy, showers.n_hits.astype(np.float64)], axis=1)
    logarithms = np.full(columns.shape, np.nan, dtype=np.float32)  # not known: the mean after standardisation
    np.log(columns, out=logarithms, where=columns > 0, casting="same_kind")
    return torch.from_numpy(logarithms)
