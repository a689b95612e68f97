"""Scintillator tiles of the HGCAL: rings in r, 288 tiles around, outside the silicon of the mixed layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.geometry.detectors.numbers import numbers
from hgcal_gnn.geometry.detid import scintillator_detid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.detectors.windows import Window

CAST, MOULDED = 1, 2  # HGCalTypes TileCoarseCast, TileCoarseMould
PER_MODULE = 8  # tiles along phi in a module of 10 degrees
PER_CASSETTE = 24  # in 30 degrees


def tile_layer(layer: int, z: float, side: int, window: Window) -> dict[str, NDArray[Any]] | None:
    """Return the tiles of a layer, columns [n_tiles] in the order of their ids.

    The centre of a tile lies at the middle of its ring and at (iphi - 1/2) 2 pi / 288:
    HGCalDDDConstants::locateCellTrap of CMSSW, which mirrors x on side -1. `z` [cm] is positive on either
    side. None if the layer has no tiles in the window.
    """
    listed = numbers("hgcal")["tiles"]
    of_layer = listed["layers"].get(layer)
    if of_layer is None:
        return None
    n_phi, edges = listed["n_phi"], np.array(listed["ring_edges_mm"]) / 10
    first, last = of_layer["rings"]
    ring, iphi = (index.ravel() for index in np.mgrid[first : last + 1, 1 : n_phi + 1])
    present = _present(ring, iphi, of_layer)
    ring, iphi = ring[present], iphi[present]
    r = (edges[ring - 1] + edges[ring]) / 2
    phi = (iphi - 0.5) * (2 * np.pi / n_phi)
    x, y = (side * r * np.cos(phi)).astype(np.float32), (r * np.sin(phi)).astype(np.float32)
    inside = window.holds(x, y, side * z)
    if inside is not None:
        ring, iphi, x, y = ring[inside], iphi[inside], x[inside], y[inside]
    if not len(ring):
        return None
    moulded = ring >= of_layer.get("moulded_from", last + 1)
    columns: dict[str, NDArray[Any]] = {
        "x": x,
        "y": y,
        "cell_type": np.where(moulded, MOULDED, CAST).astype(np.int16),
        "ring": ring.astype(np.int16),
        "iphi": iphi.astype(np.int16),
    }
    columns["cell_id"] = scintillator_detid(
        z_side=side,
        layer=layer - numbers("hgcal")["layers"]["cee"],
        cell_type=columns["cell_type"],
        ring=ring,
        iphi=iphi,
    )
    order = np.argsort(columns["cell_id"])
    return {name: values[order] for name, values in columns.items()}


def _present(ring: NDArray[np.integer], iphi: NDArray[np.integer], of_layer: dict[str, Any]) -> NDArray[np.bool_]:
    """Mark the tiles that exist: not every module reaches the first ring, the last rings have notches."""
    first, last = of_layer["rings"]
    module_of_six = (iphi - 1) // PER_MODULE % 6
    in_cassette = (iphi - 1) % PER_CASSETTE
    reaches = np.isin(module_of_six, of_layer.get("first_ring_in", range(6)))
    at_notch = (in_cassette == 0) | (in_cassette == PER_CASSETTE - 1)
    missing: NDArray[np.bool_] = (ring == first) & ~reaches
    missing |= at_notch & (ring >= of_layer.get("notched_from", last + 1))
    return ~missing
