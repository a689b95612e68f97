"""What the unit checks share: the layers of a table and the sentence that refuses some of its lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.tables.units import CM_PER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

FEWEST = 10  # cells in a layer for a comparison


@dataclass(frozen=True)
class UnitReport:
    """Where the cells come from, to say which rows are wrong and which unit they seem to be in.

    Attributes
    ----------
    table
        The cells, lengths in cm.
    source
        The file, named in error messages.
    unit
        What the file's lengths were taken to be.
    file_ids
        Cell ids in the order of the file, to name rows as the file counts them.
    """

    table: CellTable
    source: str
    unit: str
    file_ids: NDArray[np.uint64] | None

    def refuse(self, rows: NDArray[np.int64], what: str, decades: int) -> NoReturn:
        """Raise for the cells `rows` whose lengths are 10**decades times too large."""
        seems = self.unit_off_by(decades)
        if len(rows) < self.table.n_cells:
            odd = f"these look like {seems}, the others like {self.unit}" if seems else f"these are {_factor(decades)}"
            self.refuse_some(rows, what, odd)
        advice = (
            f"look like {seems}, not {self.unit}: use --length-unit {seems}" if seems else f"are {_factor(decades)}"
        )
        msg = f"{self.source}: {what}; the lengths {advice}"
        raise InputError(msg)

    def refuse_some(self, rows: NDArray[np.int64], what: str, seems: str) -> NoReturn:
        """Raise for some cells or columns whose unit is not that of the others."""
        msg = (
            f"{self.source}: {what} ({len(rows)} of {self.table.n_cells} cells, {self._first(rows)}); mixed units: "
            f"{seems}; bring all to one unit and say which with --length-unit"
        )
        raise InputError(msg)

    def unit_off_by(self, decades: int) -> str | None:
        """Name the unit that is 10**decades times smaller than the one assumed, if there is one."""
        known = {round(np.log10(value)): name for name, value in CM_PER.items()}
        return known.get(round(np.log10(CM_PER[self.unit])) - decades)

    def _first(self, rows: NDArray[np.int64]) -> str:
        ids = self.table.cell_id[rows]
        if self.file_ids is None:
            return f"first cell ids {', '.join(str(cell) for cell in ids[:5])}"
        in_file = np.flatnonzero(np.isin(self.file_ids, ids))
        return f"first in rows {', '.join(str(row) for row in in_file[:5])}, counted from 0"


def layer_rows(table: CellTable) -> list[NDArray[np.int64]]:
    """List the rows of each (layer, subdetector), both sides together."""
    starts = table.layer_starts
    stops = np.append(starts[1:], table.n_cells)
    merged: dict[tuple[int, int], list[NDArray[np.int64]]] = {}
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        key = int(table.layer[start]), int(table.subdetector[start])
        merged.setdefault(key, []).append(np.arange(start, stop))
    return [np.concatenate(pieces) for pieces in merged.values()]


def _factor(decades: int) -> str:
    return f"{10 ** abs(decades)} times too {'large' if decades > 0 else 'small'}"
