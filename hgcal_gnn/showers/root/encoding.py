"""How EDM4hep files describe their 64-bit cell ids: fields of bits with names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.root.tree import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIX = "__CellIDEncoding"  # of the file-level parameter that describes the ids of a collection
TREE = "metadata"
BRANCHES = (("_stringMap.first", "_stringMap.second"), ("GPStringKeys", "GPStringValues"))  # podio < 1, >= 1


@dataclass(frozen=True)
class BitField:
    """One field of a DD4hep cell id: `width` bits from bit `start` on, signed (two's complement) or not."""

    start: int
    width: int
    signed: bool

    def decode(self, ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the values of the field, int64 [n]."""
        values = ((ids >> np.uint64(self.start)) & np.uint64((1 << self.width) - 1)).astype(np.int64)
        if not self.signed:
            return values
        return np.where(values >> (self.width - 1), values - (1 << self.width), values)


def parse_encoding(text: str) -> dict[str, BitField]:
    """Parse a DD4hep id specification, as in ``system:5,side:-2,layer:9,x:32:-16``.

    A field is name:width, following the one before, or name:start:width; a negative width means signed
    (DD4hep, DDSegmentation BitFieldCoder).

    Raises
    ------
    InputError
        If the text is none.
    """
    fields: dict[str, BitField] = {}
    end = 0
    try:
        for entry in text.split(","):
            name, *numbers = entry.split(":")
            start = int(numbers[0]) if len(numbers) == 2 else end
            width = int(numbers[-1])
            fields[name.strip()] = BitField(start, abs(width), signed=width < 0)
            end = start + abs(width)
    except (ValueError, IndexError) as error:
        msg = f"{text!r} is no cell id specification (expected as in 'system:5,side:-2,layer:9,x:32:-16')"
        raise InputError(msg) from error
    return fields


def read_encodings(file: Any, path: str) -> dict[str, str]:
    """Return the id specification of each collection, as far as the file carries them.

    Most of podio's own metadata cannot be read with uproot; these parameters (keys, and a list of texts
    for each) can.
    """
    if TREE not in file.keys(cycle=False):
        return {}
    with reading(path, f"tree {TREE}"):
        tree = file[TREE]
        leaves = {key.rsplit("/", 1)[-1]: key for key in tree.keys(recursive=True)}
        for keys, values in BRANCHES:
            if keys in leaves and values in leaves and tree.num_entries:
                names, texts = (tree[leaves[branch]].array(entry_stop=1)[0].to_list() for branch in (keys, values))
                pairs = zip(names, texts, strict=True)
                return {name.removesuffix(SUFFIX): text[0] for name, text in pairs if name.endswith(SUFFIX) and text}
    return {}
