"""Small ROOT files as other programs write them, and the geometry their hits lie in."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
import uproot

from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detid import scintillator_detid, silicon_detid

if TYPE_CHECKING:
    from pathlib import Path

CEE_LAYERS = 3


def toy_cells() -> CellTable:
    """Both endcaps of a tiny CMS-like calorimeter: 3 CE-E layers, 2 CE-H layers of silicon and tiles, 40 cells."""
    columns: dict[str, list[Any]] = {name: [] for name in ("cell_id", "detector", "layer", "x", "y", "z")}
    for side in (1, -1):
        for detector, layers in ((8, (1, 2, 3)), (9, (1, 2)), (10, (1, 2))):
            for layer in layers:
                number = np.arange(layer + 1 if detector == 10 else 3)
                if detector == 10:
                    ids = scintillator_detid(z_side=side, layer=layer, cell_type=0, ring=10, iphi=number + 1)
                else:
                    place = {"wafer_u": 1, "wafer_v": -2, "cell_u": number, "cell_v": 4}
                    ids = silicon_detid(detector=detector, z_side=side, layer=layer, cell_type=1, **place)
                ordinal = layer + (0 if detector == 8 else CEE_LAYERS)
                columns["cell_id"].extend(ids.tolist())
                columns["detector"].extend([detector] * len(ids))
                columns["layer"].extend([ordinal] * len(ids))
                columns["x"].extend((10.0 * detector + number).tolist())
                columns["y"].extend((0.5 * number).tolist())
                columns["z"].extend([side * (320.0 + ordinal)] * len(ids))
    return CellTable.from_columns({name: np.array(values) for name, values in columns.items()}, detector="toy")


def write_tree(path: Path, branches: dict[str, Any], *, tree: str = "tree", **options: Any) -> Path:
    """Write branches (nested lists become jagged, arrays stay as they are) into one tree, each on its own."""
    arrays = {name: values if isinstance(values, np.ndarray) else ak.Array(values) for name, values in branches.items()}
    types = {
        name: array.type.content if isinstance(array, ak.Array) else np.dtype((array.dtype, array.shape[1:]))
        for name, array in arrays.items()
    }
    with uproot.recreate(path, **options) as file:
        file.mktree(tree, types).extend(arrays)
    return path


def hgcal_branches(cells: CellTable, *, rows: list[list[int]] | None = None) -> dict[str, Any]:
    """Branches of the preset hgcal: four events, the third without hits; energies that float32 holds exactly."""
    hit_rows = rows or [[0, 5, 7], [33], [], [2, 39]]
    counter = count(1)
    return {
        "simHit_detId": _typed([[int(cells.cell_id[row]) for row in event] for event in hit_rows], np.uint32),
        "simHit_E": _typed([[next(counter) / 1024 for _ in event] for event in hit_rows], np.float32),
        "genPart_E": _typed([[10.0 * (i + 1)] for i in range(len(hit_rows))], np.float32),
        "genPart_eta": _typed([[2.0] for _ in hit_rows], np.float32),
        "genPart_phi": _typed([[0.5] for _ in hit_rows], np.float32),
    }


def _typed(values: list[list[Any]], dtype: type[np.generic]) -> ak.Array:
    return ak.values_astype(ak.Array([*values, [0]])[:-1], dtype)
