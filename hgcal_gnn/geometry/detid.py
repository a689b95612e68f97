"""CMS DetIds of the HGCAL: 32-bit numbers that pack subdetector, side, layer and place of a cell.

Bit layouts (lowest bit, width) as in CMSSW, DataFormats/ForwardDetId/interface/HGCSiliconDetId.h and
HGCScintillatorDetId.h (the latter with the trigger, SiPM and granularity bits of the V16 geometries on);
the detector codes are those of DataFormats/DetId/interface/DetId.h. Everything here works on whole arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hgcal_gnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

HGCAL_EE = 8  # CE-E silicon
HGCAL_HSI = 9  # CE-H silicon
HGCAL_HSC = 10  # CE-H scintillator
N_CELLS_FINE = 12  # cells along a side of a high-density wafer: cell u, v run over 0..23
N_CELLS_COARSE = 8  # of a low-density wafer: 0..15

Integers: TypeAlias = NDArray[np.integer] | int

# (lowest bit, width) of each field
_SILICON = {
    "cell_u": (0, 5),
    "cell_v": (5, 5),
    "wafer_u": (10, 4),  # magnitude; the sign has a bit of its own above
    "wafer_v": (15, 4),
    "layer": (20, 5),
    "cell_type": (26, 2),
}
_SIGN_OF_U, _SIGN_OF_V = 14, 19
_SCINTILLATOR = {
    "iphi": (0, 9),
    "ring": (9, 8),
    "layer": (17, 5),
    "trigger": (22, 1),
    "sipm": (23, 1),
    "granularity": (24, 1),
    "cell_type": (26, 2),
}
_Z_SIDE, _DETECTOR = 25, 28
_FIRST_BAD = 5  # rows shown in an error message


class SiliconIds(NamedTuple):
    """What a HGCSiliconDetId says, one array [n] per field.

    Attributes
    ----------
    detector : uint8
        8 CE-E, 9 CE-H silicon.
    z_side : int8
        +1, -1.
    layer : int16
        As stored: in CE-H it starts again at 1 (`endcap_layer` counts through).
    cell_type : int16
        0: 120 um fine, 1: 200 um coarse, 2: 300 um coarse, 3: 200 um fine (V17 geometries on).
    wafer_u, wafer_v : int16
        Wafer in the layer, -15..15; (0, 0) is on the beam line.
    cell_u, cell_v : int16
        Cell in the wafer, 0..23 in fine and 0..15 in coarse wafers.
    """

    detector: NDArray[np.uint8]
    z_side: NDArray[np.int8]
    layer: NDArray[np.int16]
    cell_type: NDArray[np.int16]
    wafer_u: NDArray[np.int16]
    wafer_v: NDArray[np.int16]
    cell_u: NDArray[np.int16]
    cell_v: NDArray[np.int16]


class ScintillatorIds(NamedTuple):
    """What a HGCScintillatorDetId says, one array [n] per field.

    Attributes
    ----------
    z_side : int8
        +1, -1.
    layer : int16
        As stored: it starts again at 1 in CE-H (`endcap_layer` counts through).
    cell_type : int16
        Before V16 0 fine, 1 coarse tiles; later 1 cast, 2 moulded.
    ring : int16
        Radial index, 0..255, as stored (CMSSW doubles it for trigger cells).
    iphi : int16
        Azimuthal index from 1 on, as stored (doubled likewise): the tile's centre lies at
        (iphi - 1/2) 2 pi / n_phi on the +z side, at pi minus that on the -z side.
    trigger : int16
        1 for a trigger cell, 0 for a cell that is read out.
    sipm : int16
        Size of the light sensor: 0 small, 1 large (4 or 9 mm2 by version).
    granularity : int16
        0 normal, 1 fine tiles.
    """

    z_side: NDArray[np.int8]
    layer: NDArray[np.int16]
    cell_type: NDArray[np.int16]
    ring: NDArray[np.int16]
    iphi: NDArray[np.int16]
    trigger: NDArray[np.int16]
    sipm: NDArray[np.int16]
    granularity: NDArray[np.int16]


def detector_of(ids: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the detector code of each DetId, [n]: 8 CE-E, 9 CE-H silicon, 10 CE-H scintillator.

    Ids with more than 32 bits are no DetIds and give 0.
    """
    wide = np.asarray(ids, np.uint64)
    code = wide >> np.uint64(_DETECTOR)
    return np.where(code < 16, code, 0).astype(np.uint8)


def holds_detids(cell_id: NDArray[np.uint64], subdetector: NDArray[np.uint8]) -> bool:
    """Say whether all ids of a table are HGCAL DetIds of the subdetector their row names."""
    code = detector_of(cell_id)
    return bool(((code == subdetector) & (code >= HGCAL_EE) & (code <= HGCAL_HSC)).all())


def cells_across(cell_type: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return N of each cell's wafer, which holds 3 N^2 cells: 12 for types 0 and 3, 8 for types 1 and 2."""
    fine = (cell_type == 0) | (cell_type == 3)
    return np.where(fine, N_CELLS_FINE, N_CELLS_COARSE)


def decode_silicon(ids: NDArray[np.uint64]) -> SiliconIds:
    """Unpack HGCSiliconDetIds, shape [n].

    Raises
    ------
    InputError
        If an id is not one of CE-E or CE-H silicon.
    """
    word = _words(ids, (HGCAL_EE, HGCAL_HSI), "silicon (detector 8 or 9)")
    fields = {name: _field(word, *place) for name, place in _SILICON.items()}
    fields["wafer_u"] *= _sign(word, _SIGN_OF_U)
    fields["wafer_v"] *= _sign(word, _SIGN_OF_V)
    return SiliconIds(
        detector=(word >> np.uint32(_DETECTOR)).astype(np.uint8),
        z_side=_sign(word, _Z_SIDE),
        **fields,
    )


def decode_scintillator(ids: NDArray[np.uint64]) -> ScintillatorIds:
    """Unpack HGCScintillatorDetIds, shape [n].

    Raises
    ------
    InputError
        If an id is not one of the CE-H scintillator.
    """
    word = _words(ids, (HGCAL_HSC,), "scintillator (detector 10)")
    fields = {name: _field(word, *place) for name, place in _SCINTILLATOR.items()}
    return ScintillatorIds(z_side=_sign(word, _Z_SIDE), **fields)


def endcap_layer(ids: NDArray[np.uint64], cee_layers: int) -> NDArray[np.int16]:
    """Return the layer of HGCAL DetIds counted through CE-E and CE-H, [n].

    Parameters
    ----------
    cee_layers
        Number of CE-E layers of the geometry (26, or 28 before V16), added to the layer of CE-H ids.

    Raises
    ------
    InputError
        If an id belongs to no part of the HGCAL.
    """
    word = _words(ids, (HGCAL_EE, HGCAL_HSI, HGCAL_HSC), "HGCAL (detector 8, 9 or 10)")
    code = word >> np.uint32(_DETECTOR)
    scintillator = _field(word, *_SCINTILLATOR["layer"])
    layer = np.where(code == HGCAL_HSC, scintillator, _field(word, *_SILICON["layer"]))
    return (layer + np.where(code == HGCAL_EE, 0, cee_layers)).astype(np.int16)


def silicon_detid(
    *,
    detector: Integers,
    z_side: Integers,
    layer: Integers,
    cell_type: Integers,
    wafer_u: Integers,
    wafer_v: Integers,
    cell_u: Integers,
    cell_v: Integers,
) -> NDArray[np.uint64]:
    """Pack HGCSiliconDetIds; the arguments (see `SiliconIds`) broadcast against each other.

    Raises
    ------
    UsageError
        If a value does not fit its bits, or detector is not 8 or 9, or z_side not +1 or -1.
    """
    _check_range("detector", detector, HGCAL_EE, HGCAL_HSI)
    _check_range("wafer_u", wafer_u, -15, 15)
    _check_range("wafer_v", wafer_v, -15, 15)
    fields = {
        "cell_u": cell_u,
        "cell_v": cell_v,
        "wafer_u": np.abs(wafer_u),
        "wafer_v": np.abs(wafer_v),
        "layer": layer,
        "cell_type": cell_type,
    }
    sign_u = _shift(np.less(wafer_u, 0), _SIGN_OF_U)
    sign_v = _shift(np.less(wafer_v, 0), _SIGN_OF_V)
    return _pack(fields, _SILICON) | sign_u | sign_v | _side(z_side) | _shift(detector, _DETECTOR)


def scintillator_detid(
    *,
    z_side: Integers,
    layer: Integers,
    cell_type: Integers,
    ring: Integers,
    iphi: Integers,
    trigger: Integers = 0,
    sipm: Integers = 0,
    granularity: Integers = 0,
) -> NDArray[np.uint64]:
    """Pack HGCScintillatorDetIds; the arguments (see `ScintillatorIds`) broadcast against each other.

    Raises
    ------
    UsageError
        If a value does not fit its bits or z_side is not +1 or -1.
    """
    fields = {
        "iphi": iphi,
        "ring": ring,
        "layer": layer,
        "trigger": trigger,
        "sipm": sipm,
        "granularity": granularity,
        "cell_type": cell_type,
    }
    return _pack(fields, _SCINTILLATOR) | _side(z_side) | _shift(HGCAL_HSC, _DETECTOR)


def _words(ids: NDArray[np.uint64], wanted: tuple[int, ...], what: str) -> NDArray[np.uint32]:
    """Return ids as 32-bit words after checking their detector code."""
    bad = np.flatnonzero(~np.isin(detector_of(ids), wanted))
    if len(bad):
        rows = ", ".join(str(row) for row in bad[:_FIRST_BAD].tolist())
        msg = (
            f"{len(bad)} of {len(ids)} ids are no {what} DetIds, for instance {ids[bad[0]]}; "
            f"first in rows {rows} (counted from 0)"
        )
        raise InputError(msg)
    return np.asarray(ids).astype(np.uint32)


def _field(word: NDArray[np.uint32], lowest: int, width: int) -> NDArray[np.int16]:
    return ((word >> np.uint32(lowest)) & np.uint32((1 << width) - 1)).astype(np.int16)


def _sign(word: NDArray[np.uint32], bit: int) -> NDArray[np.int8]:
    """Return -1 where the bit is set, else +1."""
    return (1 - 2 * _field(word, bit, 1)).astype(np.int8)


def _pack(values: Mapping[str, Integers], layout: Mapping[str, tuple[int, int]]) -> NDArray[np.uint64]:
    packed = np.zeros((), np.uint64)
    for name, (lowest, width) in layout.items():
        _check_range(name, values[name], 0, (1 << width) - 1)
        packed = packed | _shift(values[name], lowest)
    return packed


def _side(z_side: Integers) -> NDArray[np.uint64]:
    if not np.isin(z_side, (-1, 1)).all():
        msg = "z_side must be +1 or -1"
        raise UsageError(msg)
    return _shift(np.less(z_side, 0), _Z_SIDE)


def _shift(value: Integers | NDArray[np.bool_], lowest: int) -> NDArray[np.uint64]:
    return np.asarray(value).astype(np.uint64) << np.uint64(lowest)


def _check_range(name: str, value: Integers, low: int, high: int) -> None:
    values = np.asarray(value)
    bad = values[(values < low) | (values > high)]
    if bad.size:
        msg = f"{name} must lie in {low}..{high}, got {bad.flat[0]} ({bad.size} such values)"
        raise UsageError(msg)
