"""Branches of a ROOT tree as flat NumPy arrays: uproot reads them, nothing loops over events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.ragged import offsets_of

if TYPE_CHECKING:
    import awkward as ak
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """Values of some events, one after the other.

    Attributes
    ----------
    offsets : int64 [n_events + 1]
        Values of event i are ``values[offsets[i]:offsets[i + 1]]``; starts at 0.
    values : [n_values]
    """

    offsets: NDArray[np.int64]
    values: NDArray[Any]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Values per event, int64 [n_events]."""
        return np.diff(self.offsets)


def ragged(array: ak.Array, branch: str) -> Ragged:
    """Return the buffers of a branch of lists, of fixed-size arrays or of single values (lists of one).

    Raises
    ------
    InputError
        If the branch holds anything else: lists of lists, text, records.
    """
    layout = array.layout
    if layout.is_numpy and layout.purelist_depth == 1:
        values = _native(layout.data)
        return Ragged(np.arange(len(values) + 1), values)
    content = layout.to_ListOffsetArray64(True) if layout.is_list else None
    if layout.is_numpy:  # a branch of fixed size: one row per event
        content = layout.to_RegularArray().to_ListOffsetArray64(True)
    if content is None or not content.content.is_numpy or content.content.purelist_depth != 1:
        msg = f"branch {branch} holds {array.type.content}: one number or one list of numbers per event is needed"
        raise InputError(msg)
    if content.parameter("__array__") in ("string", "bytestring"):
        msg = f"branch {branch} holds text, numbers are needed"
        raise InputError(msg)
    offsets = np.asarray(content.offsets.data, np.int64)
    return Ragged(offsets, _native(content.content.data[: offsets[-1]]))


def join(parts: list[Ragged]) -> Ragged:
    """Join the lists of several branches event by event, in the order of the branches."""
    if len(parts) == 1:
        return parts[0]
    counts = np.stack([part.counts for part in parts], axis=1)  # [n_events, n_parts]
    offsets = offsets_of(counts.ravel())
    values = np.empty(offsets[-1], np.result_type(*[part.values.dtype for part in parts]))
    for number, part in enumerate(parts):
        shift = offsets[number :: len(parts)][: len(part.counts)] - part.offsets[:-1]
        values[np.repeat(shift, part.counts) + np.arange(len(part.values))] = part.values
    return Ragged(offsets[:: len(parts)].copy(), values)


def _native(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
