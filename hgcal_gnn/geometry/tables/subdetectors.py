"""Which subdetector a cell belongs to: codes from texts, from wide numbers or from CMS DetIds, and their names."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from hgcal_gnn.geometry.cells import CMS_SUBDETECTORS
from hgcal_gnn.geometry.detid import HGCAL_HSC, decode_scintillator, decode_silicon

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

CODES = range(256)  # subdetector codes are uint8


def settle_subdetectors(columns: dict[str, NDArray[Any]], texts: Mapping[str, pa.Array]) -> dict[int, str]:
    """Settle the columns `detector` and `subdetector` as CellTable wants them.

    Texts are numbered in alphabetical order. CMS DetIds tell the detector where no column does, and the type of
    the cells likewise. Several detectors with subdetectors each become one code per pair; codes beyond 0..255
    are numbered.

    Parameters
    ----------
    columns
        Our names to arrays [n_cells], with `cell_id`; changed in place.
    texts
        Those of `detector`, `subdetector` and `subdetid` that hold text.

    Returns
    -------
    mapping of code to name
        Names the table states or implies; CellTable adds the others.
    """
    names: dict[int, str] = {}
    for name in ("detector", "subdetid", "subdetector"):  # the last one that is there gives the codes
        if name in texts:
            columns[name], names = _numbered_words(texts[name])
        elif name in columns:
            names = {}
    in_ids = _detectors_in_ids(columns["cell_id"])
    if in_ids is not None and "detector" not in columns and "subdetector" not in columns:
        columns["detector"] = in_ids
        logger.info("the cell ids are CMS DetIds: the subdetector is read off them")
    if in_ids is not None and "cell_type" not in columns and np.array_equal(in_ids, columns.get("detector", ())):
        columns["cell_type"] = _types_in_ids(columns["cell_id"], in_ids)
        logger.info("the cell ids are CMS DetIds: the cell type is read off them")
    detector = columns.get("detector")
    if detector is not None and np.isin(detector, list(CMS_SUBDETECTORS)).all():
        return {}
    if in_ids is not None and np.array_equal(in_ids, columns.get("subdetector", ())):
        return dict(CMS_SUBDETECTORS)
    if "subdetector" not in columns and "subdetid" in columns:
        several = detector is not None and detector.dtype.kind in "iu" and (detector != detector[0]).any()
        columns["subdetector"] = _pairs(detector, columns["subdetid"]) if several else columns["subdetid"]
    return _number_codes(columns) or names


def _pairs(detector: Any, subdetector: NDArray[Any]) -> NDArray[np.int64]:
    """Join two codes in one number, the first above 32 bits."""
    joined: NDArray[np.int64] = (detector.astype(np.int64) + 1) << 32 | subdetector.astype(np.int64)
    return joined


def _numbered_words(texts: pa.Array) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Give the words of a column numbers in alphabetical order."""
    words = pc.fill_null(texts, "").dictionary_encode()
    known, place = np.unique(np.array(words.dictionary.to_pylist(), dtype=str), return_inverse=True)
    return place[words.indices.to_numpy(zero_copy_only=False)], dict(enumerate(known.tolist()))


def _detectors_in_ids(cell_id: NDArray[np.uint64]) -> NDArray[np.uint8] | None:
    """Read the detector (8, 9, 10) off CMS DetIds, None if some id is none (bits 28-31, DetId.h)."""
    lowest, highest = min(CMS_SUBDETECTORS) << 28, (max(CMS_SUBDETECTORS) + 1) << 28
    if len(cell_id) == 0 or int(cell_id.min()) < lowest or int(cell_id.max()) >= highest:
        return None
    return (cell_id >> np.uint64(28)).astype(np.uint8)


def _number_codes(columns: dict[str, NDArray[Any]]) -> dict[int, str]:
    """Give codes that do not fit in 0..255 new ones in ascending order, and name them by the old."""
    codes = columns.get("subdetector", columns.get("detector"))
    if codes is None or codes.dtype.kind not in "iu" or not len(codes):
        return {}
    if int(codes.min()) >= 0 and int(codes.max()) in CODES:
        return {}
    known, number = np.unique(codes, return_inverse=True)
    if len(known) > len(CODES):
        return {}  # CellTable refuses these and says why
    columns["subdetector"] = number.astype(np.uint8)
    words = [str(code) if code < 2**32 else f"{(code >> 32) - 1}/{code & 0xFFFFFFFF}" for code in known.tolist()]
    return {i: f"subdetector {word}" for i, word in enumerate(words)}


def _types_in_ids(cell_id: NDArray[np.uint64], detector: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Read the cell type off CMS DetIds."""
    tiles = detector == HGCAL_HSC
    cell_type = np.empty(len(cell_id), dtype=np.int16)
    cell_type[~tiles] = decode_silicon(cell_id[~tiles]).cell_type
    cell_type[tiles] = decode_scintillator(cell_id[tiles]).cell_type
    return cell_type
