"""Showers as awkward arrays and back; a module of its own, as awkward takes a while to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import awkward as ak

from hgcal_gnn.showers.columns import HIT_NAMES
from hgcal_gnn.showers.ragged import offsets_of

if TYPE_CHECKING:
    from hgcal_gnn.showers.showers import Showers


def records_of(showers: Showers) -> ak.Array:
    """Return one record per shower, hits as lists; the arrays are shared, not copied."""
    contents = []
    present = showers.columns()
    for name, values in present.items():
        content = ak.contents.NumpyArray(values)
        if name in HIT_NAMES:
            content = ak.contents.ListOffsetArray(ak.index.Index64(showers.offsets), content)
        contents.append(content)
    return ak.Array(ak.contents.RecordArray(contents, list(present), length=len(showers)))


def columns_of(array: ak.Array) -> dict[str, Any]:
    """Return the columns of an array of records, for `Showers.from_columns`."""
    columns: dict[str, Any] = {"offsets": offsets_of(ak.to_numpy(ak.num(array["cell"])))}
    for name in array.fields:
        values = array[name]
        columns[name] = ak.to_numpy(ak.flatten(values) if name in HIT_NAMES else values)
    return columns
