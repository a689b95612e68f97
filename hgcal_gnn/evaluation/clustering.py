"""Topological clustering of showers on the cell graph.

Clusters start from cells far above their noise, grow over neighbours above it and take in the cells around (ATLAS,
arXiv:1603.02934, section 3: thresholds 4, 2 and 0 standard deviations of the noise). Three differences, all so that
the clusters do not depend on the order of the cells: groups that meet in a growing cell are always one cluster, as
there; a boundary cell between two clusters belongs to that of its most significant neighbour; clusters are not split
at local maxima. Neighbours are those of the graph, in the layer, across the border to the tiles and in depth.

In the CMS HGCAL the readout threshold (0.5 E_MIP) is 6 standard deviations of the noise of 300 um silicon, 50 of tiles:
nearly every hit seeds, and a shower falls into one large cluster and as many small ones as it has isolated hits.
`min_cells` leaves those out, as the particle-flow reconstruction of the HGCAL does (CMSSW, RecoHGCal/TICL,
FilteredLayerClustersProducer: at least 2 or 3 cells).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation import cluster_kernels as kernels
from hgcal_gnn.showers.ragged import offsets_of, segment_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import F32, F64, I16, I32, I64, Array
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.hits import Digitiser
    from hgcal_gnn.showers.showers import Showers

THRESHOLDS = (4.0, 2.0, 0.0)  # standard deviations of the noise: seed, grow, boundary


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of showers, those of each shower by falling energy.

    Attributes
    ----------
    offsets : int64 [n_showers + 1]
        Clusters of shower i are ``offsets[i]:offsets[i + 1]``.
    energy : float32 [n_clusters]
        Calibrated [GeV].
    n_cells : int32 [n_clusters]
    x, y, z : float32 [n_clusters]
        Barycentre of the calibrated energy [cm].
    first_layer, last_layer : int16 [n_clusters]
    """

    offsets: I64
    energy: F32
    n_cells: I32
    x: F32
    y: F32
    z: F32
    first_layer: I16
    last_layer: I16

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_clusters(self) -> I64:
        """Clusters per shower, int64 [n_showers]."""
        return np.diff(self.offsets)

    @property
    def shower(self) -> I64:
        """Shower of each cluster, int64 [n_clusters]."""
        return segment_of(self.offsets)

    def leading(self, name: str) -> F64:
        """Return a column for the cluster of most energy, float64 [n_showers]; NaN for showers without clusters."""
        found = np.full(len(self), np.nan)
        some = np.flatnonzero(self.n_clusters)
        found[some] = getattr(self, name)[self.offsets[some]]
        return found


def topological_clusters(
    showers: Showers,
    graph: CellGraph,
    numbers: CellNumbers,
    noise: Array,
    thresholds: Sequence[float] = THRESHOLDS,
    min_cells: int = 1,
) -> Clusters:
    """Cluster the hits of each shower; only cells that are hit take part.

    Parameters
    ----------
    showers
        Deposits [GeV] after digitisation, noise included.
    graph
        The cells and their neighbours.
    numbers
        Places, layers and calibration of the same cells.
    noise : [n_cells]
        Standard deviation of each cell's noise [GeV of deposit], `cell_noise`.
    thresholds
        To seed, to grow and to join as boundary, in units of the noise; must be exceeded.
    min_cells
        Clusters of fewer cells are left out.

    Raises
    ------
    UsageError
        If the thresholds do not fall from the first to the third, or are negative.
    InputError
        If `noise` or `numbers` are not those of the graph, or a cell has no noise.
    GeometryMismatchError
        If the showers were made with another geometry.
    """
    if len(numbers.layer) != graph.n_cells:
        msg = f"the cell numbers describe {len(numbers.layer)} cells, the graph has {graph.n_cells}"
        raise InputError(msg)
    hits = showers.merged()
    label, counts = label_hits(hits, graph, noise, thresholds)
    offsets = offsets_of(counts)
    cells = numbers
    sums = kernels.cluster_sums(
        hits.offsets, hits.cell, hits.energy, label, offsets, cells.place, cells.layer, cells.weight
    )  # fmt: skip
    shower = segment_of(offsets)
    order = np.lexsort((-sums[:, 0], shower))
    order = order[sums[order, kernels.SUMS.index("n_cells")] >= min_cells]
    column = {name: sums[order, number] for number, name in enumerate(kernels.SUMS)}
    return Clusters(
        offsets=offsets_of(np.bincount(shower[order], minlength=len(hits))),
        n_cells=column["n_cells"].astype(np.int32),
        first_layer=column["first_layer"].astype(np.int16),
        last_layer=column["last_layer"].astype(np.int16),
        **{name: column[name].astype(np.float32) for name in ("energy", "x", "y", "z")},
    )


def label_hits(
    hits: Showers, graph: CellGraph, noise: Array, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[I32, I64]:
    """Find the cluster of each hit; parameters and errors as for `topological_clusters`.

    Parameters
    ----------
    hits
        One hit per cell, sorted by cell (`Showers.merged`).

    Returns
    -------
    label : int32 [n_hits]
        Number of the cluster in its shower, in the order of their first hits; -1: in none.
    counts : int64 [n_showers]
        Clusters per shower.
    """
    hits.metadata.check_geometry(graph.cells_sha256)
    limits = np.asarray(thresholds, np.float64)
    if limits.shape != (3,) or not (limits[0] >= limits[1] >= limits[2] >= 0):
        msg = f"thresholds {list(thresholds)}: give three in units of the noise, to seed >= to grow >= boundary >= 0"
        raise UsageError(msg)
    given = np.asarray(noise, np.float64)
    if given.shape != (graph.n_cells,):
        msg = f"noise must have shape [{graph.n_cells}], one per cell of the graph, got {list(given.shape)}"
        raise InputError(msg)
    own = given[hits.cell]
    bad = np.flatnonzero(~(own > 0))
    if len(bad):
        msg = (
            f"{len(bad)} of {len(own)} hits lie in cells without noise, first in cell {hits.cell[bad[0]]} "
            f"({own[bad[0]]} GeV); thresholds in units of the noise need one above 0"
        )
        raise InputError(msg)
    label, counts = kernels.label_hits(hits.offsets, hits.cell, hits.energy / own, graph.rowptr, graph.col, limits)
    return label, counts


def cell_noise(digitiser: Digitiser) -> F64:
    """Return the electronic noise of each cell [GeV of deposit], float64 [n_cells].

    The fluctuation of photo-electrons in tiles is no noise of an empty cell and not contained.
    """
    per_sensor = np.array([sensor.noise * sensor.e_mip for sensor in digitiser.sensors])
    noise: F64 = per_sensor[digitiser.sensor]
    return noise
