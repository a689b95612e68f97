"""Numbers behind the profile pictures, summed over a store chunk by chunk.

Longitudinal and radial profiles are shares of the visible energy of each shower, so that showers of any energy
count alike; showers without energy have no share and are left out of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.shapes import cell_size
from hgcal_gnn.showers.ragged import segment_sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers

    Floats = NDArray[np.float64]

CONTAINED = 0.99  # share of the energy inside the largest radius shown
N_RINGS = 30  # at most
TYPICAL_HITS = 200  # of the largest energy: their cells are the typical ones
N_ENERGY_BINS = 60
FAINT_HITS = 0.002  # share of the hits below the smallest hit energy shown
HITS_AT_ONCE = 500_000
NICE = np.array([1.0, 2.0, 2.5, 5.0, 10.0])


class Bins(NamedTuple):
    """Binning of the profiles.

    Attributes
    ----------
    layers : int64 [n_layers]
        Layers of the geometry, ascending.
    radius : float64 [n_rings + 1]
        Edges of the distance from the shower axis [cm].
    hit_energy : float64 [n_bins + 1]
        Edges of the hit energy [GeV], even in the logarithm.
    """

    layers: NDArray[np.int64]
    radius: Floats
    hit_energy: Floats


class Moments(NamedTuple):
    """Mean over showers, spread of the showers (standard deviation), error of the mean: float64 [n_bins] each."""

    mean: Floats
    spread: Floats
    error: Floats


@dataclass(frozen=True)
class Profiles:
    """What the pictures show.

    Attributes
    ----------
    longitudinal
        Share of the visible energy in each layer.
    radial
        Share of the visible energy per cm of distance from the axis.
    occupancy
        Hits in each layer.
    hit_energy
        Hits per shower in each bin of hit energy.
    n_hits, visible : float64 [n_showers]
        Hits and visible energy [GeV] of each shower.
    weight : float64 [n_showers]
    """

    bins: Bins
    longitudinal: Moments
    radial: Moments
    occupancy: Moments
    hit_energy: Moments
    n_hits: Floats
    visible: Floats
    weight: Floats


def choose_bins(showers: Showers, cells: CellTable) -> Bins:
    """Choose bins that show showers like these well: `CONTAINED` of the energy, nearly all hits.

    Rings are at least as wide as the cells: narrower ones would only show where cells lie.
    """
    layers = np.unique(cells.layer).astype(np.int64)
    distance, energy = axis_distance(showers, cells), showers.energy.astype(np.float64)
    usable = np.flatnonzero(np.isfinite(distance) & (energy > 0))
    distance, energy = distance[usable], energy[usable]
    if not len(energy):
        return Bins(layers, np.linspace(0, 10, N_RINGS + 1), np.geomspace(1e-6, 1, N_ENERGY_BINS + 1))
    by_distance = np.argsort(distance)
    inside = np.searchsorted(np.cumsum(energy[by_distance]), CONTAINED * energy.sum())
    reach = max(float(distance[by_distance[min(inside, len(distance) - 1)]]), 1e-3)
    largest = usable[np.argsort(energy)[-TYPICAL_HITS:]]
    width = max(_nice(reach / N_RINGS), _typical_size(cells, showers.cell[largest]))
    low, high = float(np.quantile(energy, FAINT_HITS)), 1.2 * float(energy.max())
    hit_energy = np.geomspace(low, max(high, 2 * low), N_ENERGY_BINS + 1)
    return Bins(layers, width * np.arange(np.ceil(reach / width) + 1, dtype=np.float64), hit_energy)


def _typical_size(cells: CellTable, rows: NDArray[np.int32]) -> float:
    """Return the median size of some cells [cm]; 0 if nothing tells it."""
    try:
        return float(np.median(cell_size(cells, rows.astype(np.int64))))
    except InputError:
        return 0.0


def measure_profiles(chunks: Iterable[Showers], cells: CellTable, bins: Bins) -> Profiles:
    """Sum profiles over chunks of showers; memory is bounded by the chunk, apart from three numbers per shower."""
    sums = {name: _Sums() for name in ("longitudinal", "radial", "occupancy", "hit_energy")}
    columns: list[tuple[Floats, Floats, Floats]] = []
    for showers in _pieces(chunks):
        weight = _weights(showers)
        per_shower = _per_shower(showers, cells, bins)
        has_energy = showers.visible > 0
        for name, values in per_shower.items():
            counted = has_energy if name in ("longitudinal", "radial") else np.ones(len(showers), bool)
            sums[name].add(values[counted], weight[counted])
        columns.append((showers.n_hits.astype(np.float64), showers.visible, weight))
    n_hits, visible, weights = (
        np.concatenate([part[i] for part in columns]) if columns else np.zeros(0) for i in range(3)
    )
    sizes = {"radial": len(bins.radius) - 1, "hit_energy": len(bins.hit_energy) - 1}
    moments = {name: found.moments(sizes.get(name, len(bins.layers))) for name, found in sums.items()}
    return Profiles(bins=bins, **moments, n_hits=n_hits, visible=visible, weight=weights)


def axis_distance(showers: Showers, cells: CellTable) -> Floats:
    """Return the distance of every hit from the line of flight of its shower's particle [cm], float64 [n_hits].

    The line runs through the vertex; where that is not known, through the energy-weighted centre of the shower.
    Where the direction is not known, it comes from the origin.
    """
    position = [getattr(cells, axis)[showers.cell].astype(np.float64) for axis in "xyz"]
    energy = np.where(np.isfinite(showers.energy), showers.energy, 0.0).astype(np.float64)
    total = np.maximum(segment_sums(energy, showers.offsets), 1e-30)
    centre = [segment_sums(energy * values, showers.offsets) / total for values in position]
    vertex = [getattr(showers, f"vertex_{axis}").astype(np.float64) for axis in "xyz"]
    direction = [getattr(showers, f"direction_{axis}").astype(np.float64) for axis in "xyz"]
    known = np.isfinite(sum(vertex))
    length = np.sqrt(sum(values**2 for values in centre))
    from_origin = [values / np.maximum(length, 1e-30) for values in centre]
    aimed = np.isfinite(sum(direction))
    start = [np.where(known, given, middle) for given, middle in zip(vertex, centre, strict=True)]
    along = [np.where(aimed, given, guess) for given, guess in zip(direction, from_origin, strict=True)]
    # of length 1 to double precision: what single precision leaves, times metres of flight, would show
    norm = np.maximum(np.sqrt(sum(unit**2 for unit in along)), 1e-30)
    along = [unit / norm for unit in along]
    shower = showers.shower
    step = [values - begin[shower] for values, begin in zip(position, start, strict=True)]
    projected = sum(values * unit[shower] for values, unit in zip(step, along, strict=True))
    squared: Floats = np.asarray(sum(values**2 for values in step) - projected**2)
    return np.sqrt(np.maximum(squared, 0.0))


def _weights(showers: Showers) -> Floats:
    """Return the statistical weights; all of them 0 means that nobody set them (EDM4hep)."""
    if showers.weight is None or not (showers.weight != 0).any():
        return np.ones(len(showers))
    return showers.weight.astype(np.float64)


class _Sums:
    """Weighted sums of rows and of their squares."""

    def __init__(self) -> None:
        self.weight = self.weight2 = 0.0
        self.first: Floats | None = None
        self.second: Floats | None = None

    def add(self, values: Floats, weight: Floats) -> None:
        """Add values [n, n_bins] with weights [n]."""
        first, second = weight @ values, weight @ values**2
        self.first = first if self.first is None else self.first + first
        self.second = second if self.second is None else self.second + second
        self.weight += float(weight.sum())
        self.weight2 += float((weight**2).sum())

    def moments(self, n_bins: int) -> Moments:
        """Return mean, spread and error of the mean; NaN without showers."""
        if self.first is None or self.second is None or self.weight <= 0:
            return Moments(*np.full((3, n_bins), np.nan))
        mean = self.first / self.weight
        spread = np.sqrt(np.maximum(self.second / self.weight - mean**2, 0.0))
        return Moments(mean, spread, spread * np.sqrt(self.weight2) / self.weight)


def _per_shower(showers: Showers, cells: CellTable, bins: Bins) -> dict[str, Floats]:
    """Return the quantities of every shower, float64 [n_showers, n_bins] each."""
    energy = np.where(np.isfinite(showers.energy), showers.energy, 0.0).astype(np.float64)
    visible = np.where(showers.visible > 0, showers.visible, 1.0)
    share = energy / visible[showers.shower]
    layer = np.searchsorted(bins.layers, cells.layer[showers.cell])
    ring = np.searchsorted(bins.radius, axis_distance(showers, cells), side="right") - 1
    bin_of_energy = np.searchsorted(bins.hit_energy, energy, side="right") - 1
    width = np.diff(bins.radius)
    return {
        "longitudinal": _table(showers, layer, len(bins.layers), share),
        "radial": _table(showers, ring, len(width), share) / width,
        "occupancy": _table(showers, layer, len(bins.layers), (energy > 0).astype(np.float64)),
        "hit_energy": _table(showers, bin_of_energy, len(bins.hit_energy) - 1, np.ones(len(energy))),
    }


def _table(showers: Showers, place: NDArray[np.int64], n_bins: int, values: Floats) -> Floats:
    """Sum values of hits into [n_showers, n_bins]; places outside 0..n_bins - 1 are left out."""
    inside = (place >= 0) & (place < n_bins)
    key = showers.shower[inside] * n_bins + place[inside]
    sums: Floats = np.bincount(key, values[inside], len(showers) * n_bins).astype(np.float64)
    return sums.reshape(len(showers), n_bins)


def _pieces(chunks: Iterable[Showers]) -> Iterator[Showers]:
    """Cut chunks so that about `HITS_AT_ONCE` hits are looked at together."""
    for chunk in chunks:
        if len(chunk):
            yield from chunk.chunks(max(1, HITS_AT_ONCE * len(chunk) // max(len(chunk.cell), 1)))


def _nice(width: float) -> float:
    """Round up to 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(width))
    return float(power * NICE[np.searchsorted(NICE, width / power * (1 - 1e-9))])
