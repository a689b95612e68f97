"""What a reconstruction makes of each shower of a sample: digitise, cluster, and a few numbers of the clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.clustering import THRESHOLDS, cell_noise, topological_clusters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hgcal_gnn.arrays import F32, F64
    from hgcal_gnn.evaluation.clustering import Clusters
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.hits import Digitiser
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.showers.store import ShowerStore

CHUNK = 2048  # showers at a time; part of the recipe, as each chunk has random numbers of its own
NOISE_HITS = 1 << 22  # expected at most in a chunk
# as in CMSSW (RecoHGCal/TICL, FilteredLayerClustersProducer); noise alone, in all cells of an HGCAL endcap, makes 41
# clusters, 1.4 of them of so many cells
MIN_CELLS = 3

UNITS = {
    "clustered_energy": "GeV",
    "leading_energy": "GeV",
    "regressed_energy": "GeV",
    "isolated_share": "",
    "n_clusters": "",
    "leading_cells": "",
    "leading_layers": "",
    "axis_distance": "cm",
}
ENERGIES = ("clustered_energy", "leading_energy", "regressed_energy")


@dataclass(frozen=True, eq=False)
class Reconstructed:
    """A sample after reconstruction.

    Attributes
    ----------
    incident_energy : float32 [n_showers]
        [GeV]
    columns
        float64 [n_showers] by the names of `UNITS`: energy in all clusters and in the leading one; energy by the
        regressor, if one was given; share of the energy of all hits that no cluster holds; number of clusters; cells,
        layers (last - first + 1) and distance from the line of flight of the leading cluster. NaN where there is no
        hit, no cluster, or where the line is not known.
    """

    incident_energy: F32
    columns: Mapping[str, F64]

    def __len__(self) -> int:
        return len(self.incident_energy)


def reconstruct(
    sample: Showers | ShowerStore,
    graph: CellGraph,
    numbers: CellNumbers,
    digitiser: Digitiser,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    min_cells: int = MIN_CELLS,
    regressor: Callable[[Showers], F32] | None = None,
    seed: int = 0,
    progress: Callable[[int], Any] | None = None,
) -> Reconstructed:
    """Digitise and cluster a sample, 2,048 showers at a time.

    Parameters
    ----------
    sample
        Raw deposits.
    graph, numbers
        The cells, their neighbours and calibration.
    digitiser
        Noise and threshold; cells without a deposit take part only with its `noise_hits`.
    thresholds, min_cells
        Of `topological_clusters`.
    regressor
        Estimates energies [GeV] from the raw deposits, which is what regressors are trained on.
    seed
        Of the noise: the same sample and seed give the same numbers.
    progress
        Called with the number of showers done.

    Raises
    ------
    InputError
        If the regressor does not give one number per shower, or as `topological_clusters`.
    """
    noise = cell_noise(digitiser)
    per_shower = digitiser.noise_hits_per_shower if digitiser.noise_hits else 0.0
    size = int(np.clip(NOISE_HITS / max(per_shower, 1.0), 1, CHUNK))
    incident, parts = [np.zeros(0, np.float32)], []
    for number, start in enumerate(range(0, len(sample), size)):
        showers = sample[start : start + size]
        hits = digitiser(showers, np.random.default_rng([seed, number]))
        clusters = topological_clusters(hits, graph, numbers, noise, thresholds, min_cells)
        columns = cluster_columns(clusters, showers, calibrated(hits, numbers))
        if regressor is not None:
            columns["regressed_energy"] = _estimated(regressor, showers)
        incident.append(showers.incident_energy)
        parts.append(columns)
        if progress is not None:
            progress(start + len(showers))
    names = parts[0] if parts else ()
    return Reconstructed(np.concatenate(incident), {n: np.concatenate([part[n] for part in parts]) for n in names})


def calibrated(hits: Showers, numbers: CellNumbers) -> F64:
    """Return the calibrated energy of all hits of each shower [GeV], float64 [n_showers]."""
    energy = hits.energy.astype(np.float64) * numbers.weight[hits.cell]
    total: F64 = np.bincount(hits.shower, energy, minlength=len(hits)).astype(np.float64)
    return total


def cluster_columns(clusters: Clusters, showers: Showers, hit_energy: F64) -> dict[str, F64]:
    """Return the columns of `Reconstructed` that clusters tell; `hit_energy` is that of all hits [GeV]."""
    energy = clusters.energy.astype(np.float64)
    total: F64 = np.bincount(clusters.shower, energy, minlength=len(clusters)).astype(np.float64)
    known = np.where(hit_energy > 0, hit_energy, np.nan)
    return {
        "clustered_energy": total,
        "leading_energy": np.nan_to_num(clusters.leading("energy"), nan=0.0),
        "isolated_share": np.maximum(1 - total / known, 0.0),  # clusters are summed in single precision
        "n_clusters": clusters.n_clusters.astype(np.float64),
        "leading_cells": clusters.leading("n_cells"),
        "leading_layers": clusters.leading("last_layer") - clusters.leading("first_layer") + 1,
        "axis_distance": axis_distance(clusters, showers),
    }


def axis_distance(clusters: Clusters, showers: Showers) -> F64:
    """Return how far the leading cluster lies from the incident particle's straight line [cm], float64 [n_showers].

    NaN where there is no cluster, or where vertex or direction are not known.
    """
    away = np.stack([clusters.leading(a) - getattr(showers, f"vertex_{a}") for a in "xyz"], axis=1)
    along = np.stack([getattr(showers, f"direction_{a}") for a in "xyz"], axis=1).astype(np.float64)
    distance: F64 = np.linalg.norm(np.cross(away, along), axis=1) / np.linalg.norm(along, axis=1)
    return distance


def _estimated(regressor: Callable[[Showers], F32], showers: Showers) -> F64:
    energy = np.asarray(regressor(showers))
    if energy.shape != (len(showers),):
        msg = f"the regressor gave energies of shape {list(energy.shape)} for {len(showers)} showers"
        raise InputError(msg)
    return energy.astype(np.float64)
