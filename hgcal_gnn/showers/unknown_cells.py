"""Hits whose cell id the geometry does not hold, counted by subdetector and layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.geometry.cells import CMS_SUBDETECTORS, as_cell_ids
from hgcal_gnn.geometry.detid import HGCAL_EE, HGCAL_HSC, detector_of, endcap_layer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

CEE_LAYERS = 26  # CE-E layers since the V16 geometries, where the table has none to tell (`cee_layers_of`)
FEW_LAYERS = 6  # so many are listed one by one
SHOWN_LAYERS = 2  # of a subdetector with more
NOT_HGCAL = "no HGCAL DetId"


@dataclass(frozen=True)
class UnknownCells:
    """Hits of one subdetector and layer that the geometry does not hold.

    Attributes
    ----------
    subdetector
        Name of the subdetector the DetId says, "no HGCAL DetId" for ids that say nothing.
    layer
        Counted through CE-E and CE-H; 0 for other ids.
    hits
    energy
        Sum of their deposits [GeV], without those that are not finite.
    example
        One of the ids.
    """

    subdetector: str
    layer: int
    hits: int
    energy: float
    example: int


def count_unknown(ids: NDArray[np.integer], energy: NDArray[np.floating], cee_layers: int) -> list[UnknownCells]:
    """Count hits by subdetector and layer of their ids, in this order.

    Parameters
    ----------
    ids, energy : [n_hits]
        Of the unknown hits alone; energy in GeV.
    cee_layers
        Number of CE-E layers, added to the layer of CE-H ids.
    """
    words = as_cell_ids(ids, "hits")
    code = detector_of(words)
    is_hgcal = (code >= HGCAL_EE) & (code <= HGCAL_HSC)
    code = np.where(is_hgcal, code, 0)
    layer = np.zeros(len(words), np.int64)
    layer[is_hgcal] = endcap_layer(words[is_hgcal], cee_layers)
    place, first, group = np.unique(code.astype(np.int64) << 32 | layer, return_index=True, return_inverse=True)
    hits = np.bincount(group, minlength=len(place))
    total = np.bincount(group, np.where(np.isfinite(energy), energy, 0.0), len(place))
    return [
        UnknownCells(CMS_SUBDETECTORS.get(key >> 32, NOT_HGCAL), key & 0xFFFFFFFF, count, deposit, example)
        for key, count, deposit, example in zip(
            place.tolist(), hits.tolist(), total.tolist(), words[first].tolist(), strict=True
        )
    ]


def added_unknown(counted: Iterable[UnknownCells]) -> list[UnknownCells]:
    """Add up counts of the same subdetector and layer, sorted by both."""
    total: dict[tuple[str, int], UnknownCells] = {}
    for item in counted:
        key = (item.subdetector, item.layer)
        seen = total.get(key)
        total[key] = (
            item
            if seen is None
            else UnknownCells(*key, seen.hits + item.hits, seen.energy + item.energy, min(seen.example, item.example))
        )
    return [total[key] for key in sorted(total)]


def describe_unknown(counted: Iterable[UnknownCells]) -> str:
    """Say in one line what was not found and where; of many layers only where most of it was."""
    items = list(counted)
    if len(items) <= FEW_LAYERS:
        return ", ".join(_describe(item) for item in items)
    parts = []
    for name in dict.fromkeys(item.subdetector for item in items):
        mine = [item for item in items if item.subdetector == name]
        most = sorted(mine, key=lambda item: -item.hits)[:SHOWN_LAYERS]
        where = f"layers {mine[0].layer} to {mine[-1].layer}, most in " + ", ".join(
            f"{item.layer}: {item.hits}" for item in most
        )
        total = sum(item.hits for item in mine)
        parts.append(f"{name}: {total} ({where})" if len(mine) > SHOWN_LAYERS else ", ".join(map(_describe, mine)))
    return "; ".join(parts)


def _describe(item: UnknownCells) -> str:
    layer = f" layer {item.layer}" if item.layer else ""
    return f"{item.subdetector}{layer}: {item.hits}"


def cee_layers_of(cells: CellTable) -> int:
    """Return how many CE-E layers a table counts before CE-H: layer of its rows minus layer of their DetIds."""
    in_ceh = np.flatnonzero((cells.subdetector > HGCAL_EE) & (cells.subdetector <= HGCAL_HSC))[:1]
    if len(in_ceh):
        words = cells.cell_id[in_ceh]
        if HGCAL_EE < detector_of(words)[0] <= HGCAL_HSC:
            return int(cells.layer[in_ceh[0]] - endcap_layer(words, 0)[0])
    in_cee = cells.layer[cells.subdetector == HGCAL_EE]
    return max(int(in_cee.max()), CEE_LAYERS) if len(in_cee) else CEE_LAYERS
