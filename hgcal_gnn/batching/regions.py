"""Fixed-region graphs: one set of cells and edges for all showers, dense features [showers, cells, features]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.batching.cell_match import CellMatch
from hgcal_gnn.batching.dense import from_dense, to_dense
from hgcal_gnn.batching.features import cell_table
from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.metadata import ShowerMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch_geometric.data import Batch, Data

    from hgcal_gnn.arrays import F32, F64, I64, U8, Array
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.showers import Showers


@dataclass(frozen=True, eq=False)
class RegionBatch:
    """Showers on one graph.

    Attributes
    ----------
    showers
        The hits inside, merged, in rows of the region.
    x : float32 [n_showers, n_cells, n_features]
        Energy [GeV], then the cell features asked for, the same in all showers.
    edge_index : int64 [2, n_edges]
        Of the one graph; shared by all batches.
    edge_type : uint8 [n_edges]
    positions : float32 [n_cells, 3]
        [cm]
    outside_hits : int64 [n_showers]
    outside_energy : float64 [n_showers]
        What the showers leave outside the region [GeV].
    """

    showers: Showers
    x: F32
    edge_index: I64
    edge_type: U8
    positions: F32
    outside_hits: I64
    outside_energy: F64

    def __len__(self) -> int:
        return len(self.showers)

    def to_torch(self) -> Data:
        """Return a PyTorch Geometric `Data` with one graph and features of all showers (`torch_batch.static_data`)."""
        from hgcal_gnn.batching.torch_batch import static_data  # noqa: PLC0415 (arrays need no torch)

        return static_data(self)

    def to_batch(self) -> Batch:
        """Return a PyTorch Geometric `Batch` with a copy of the graph per shower, for layers that pool graphs."""
        from hgcal_gnn.batching.torch_batch import region_batch  # noqa: PLC0415 (arrays need no torch)

        return region_batch(self)


class RegionGraphs:
    """Makes dense features of showers on the cells of one graph.

    Parameters
    ----------
    region
        The cells of interest, cut out of the showers' graph (`CellGraph.subgraph`, `window`, `rings`), or all of it.
    cell_features
        Columns of the cell table to repeat for every shower.
    showers_from
        Table of another geometry the showers were made with, see `CellMatch`.

    Attributes
    ----------
    names : tuple of str
        Last axis of `RegionBatch.x`.

    Raises
    ------
    UsageError
        For features that do not exist.
    """

    def __init__(
        self, region: CellGraph, *, cell_features: Sequence[str] = (), showers_from: CellTable | None = None
    ) -> None:
        self.region = region
        self.names = ("energy", *cell_features)
        self._match = CellMatch(region, showers_from=showers_from)
        self._features = cell_table(region.cells, cell_features)
        self._positions = region.cells.positions.astype(np.float32)
        source, target = region.edge_list()
        self._edge_index = np.stack([source, target.astype(np.int64)])

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry (`CellMatch.check`).

        Raises
        ------
        GeometryMismatchError
        """
        self._match.check(metadata, source=source)

    def __call__(self, showers: Showers) -> RegionBatch:
        """Make the features of some showers.

        Raises
        ------
        GeometryMismatchError
            If the showers were made with a geometry that cannot be matched.
        """
        matched = self._match.match(showers)
        energy = to_dense(matched.showers, self.region.n_cells)
        return RegionBatch(
            showers=matched.showers,
            x=self._with_features(energy),
            edge_index=self._edge_index,
            edge_type=self.region.edge_type,
            positions=self._positions,
            outside_hits=matched.outside_hits,
            outside_energy=matched.outside_energy,
        )

    def to_showers(
        self,
        energy: Array,
        of_showers: Showers | Mapping[str, Array],
        *,
        threshold: float = 0.0,
        whole_geometry: bool = False,
        source: str = "region",
    ) -> Showers:
        """Return dense energies as showers again.

        Parameters
        ----------
        energy : [n_showers, n_cells]
            [GeV]
        of_showers
            Columns of the showers, `incident_energy` [GeV] at least; or the showers the energies were made from.
        threshold
            Cells of at most this energy [GeV] are empty.
        whole_geometry
            Number the cells as the geometry that the region was cut from does.
        source
            Kept in the metadata of the showers.

        Raises
        ------
        InputError
            For wrong shapes and energies that are not finite.
        UsageError
            If the region was not cut from anything.
        """
        region = self.region
        metadata = ShowerMetadata(cells_sha256=region.cells_sha256, source=source)
        showers = from_dense(energy, of_showers, metadata, threshold=threshold, source=source)
        if not whole_geometry:
            return showers
        if region.parent_row is None:
            msg = "the region is a whole geometry; leave out whole_geometry"
            raise UsageError(msg)
        cell = region.parent_row[showers.cell].astype(np.int32)
        return showers.replace(cell=cell, metadata=ShowerMetadata(cells_sha256=region.parent_sha256, source=source))

    def _with_features(self, energy: F32) -> F32:
        if len(self.names) == 1:
            return energy[:, :, None]
        x = np.empty((*energy.shape, len(self.names)), dtype=np.float32)
        x[:, :, 0] = energy
        x[:, :, 1:] = self._features
        return x
