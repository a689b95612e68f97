"""Layer numbers as exports write them, turned into one ordinal that counts through an endcap."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import CMS_SUBDETECTORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

# Layers of CE-E: 28 up to the V15 geometries (D86), 26 since V16 (D92); CMSSW, Geometry/HGCalCommonData.
CEE_LAYERS = (26, 28)


def unsigned_layers(layer: NDArray[Any], z: NDArray[Any], source: str) -> NDArray[Any]:
    """Take off the sign that the CMSSW extractor gives the layers at negative z.

    Layers with another meaning of negative numbers are left as they are.

    Parameters
    ----------
    layer, z
        Shape [n_cells].
    """
    if layer.dtype.kind != "i" or not (layer < 0).any() or ((layer < 0) != (z < 0))[layer != 0].any():
        return layer
    logger.info("%s: layers at negative z carry a minus sign, taken off", source)
    counted: NDArray[Any] = np.abs(layer)
    return counted


def count_through(
    layer: NDArray[Any], detector: NDArray[Any] | None, z: NDArray[Any], cee_layers: int | None, source: str
) -> NDArray[Any]:
    """Add the number of CE-E layers to CE-H layers that start again at 1, as DetIds count them.

    Parameters
    ----------
    layer, z
        Shape [n_cells]; z in cm.
    detector
        8 CE-E, 9 CE-H silicon, 10 CE-H scintillator; other values or None leave the layers as they are.
    cee_layers
        Number of CE-E layers, None to read it off the table.

    Raises
    ------
    InputError
        If CE-H starts again but the table does not show how many layers CE-E has.
    """
    if detector is None or layer.dtype.kind not in "iu" or not np.isin(detector, list(CMS_SUBDETECTORS)).all():
        return layer
    hadronic = detector != min(CMS_SUBDETECTORS)
    if not hadronic.any():
        return layer
    if hadronic.all():
        return _lone_ceh(layer, cee_layers, source)
    last = int(layer[~hadronic].max())
    if int(layer[hadronic].min()) > last or not _lies_behind(np.abs(z), hadronic):
        return layer
    n_layers = cee_layers if cee_layers is not None else last
    if cee_layers is None and last not in CEE_LAYERS:
        msg = (
            f"{source}: the layers of CE-H start again at {int(layer[hadronic].min())}, but those of CE-E end at "
            f"{last}, not at 26 or 28; say how many CE-E layers the detector has with --cee-layers"
        )
        raise InputError(msg)
    logger.info("%s: the layers of CE-H start again at 1; %d layers of CE-E are added to them", source, n_layers)
    return np.where(hadronic, layer.astype(np.int64) + n_layers, layer)


def _lone_ceh(layer: NDArray[Any], cee_layers: int | None, source: str) -> NDArray[Any]:
    """Treat a table of CE-H alone: nothing in it tells whether its layers start again at 1."""
    starts_again = int(layer.min()) <= (cee_layers if cee_layers is not None else min(CEE_LAYERS))
    if not starts_again:
        return layer
    if cee_layers is None:
        logger.warning("%s: CE-H layers start at %d; --cee-layers adds those of CE-E", source, int(layer.min()))
        return layer
    logger.info("%s: %d layers of CE-E are added to those of CE-H", source, cee_layers)
    return layer.astype(np.int64) + cee_layers


def _lies_behind(height: NDArray[Any], hadronic: NDArray[np.bool_]) -> bool:
    return bool(height[hadronic].mean() > height[~hadronic].mean())
