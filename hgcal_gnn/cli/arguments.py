"""Options that several commands share, and how their text is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Output = Annotated[Path, typer.Option("-o", "--output", help="File to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="Name of a column in the file, as cell_id=id; a number sets all cells: layer=1."),
]
LengthUnit = Annotated[str, typer.Option("--length-unit", help="Unit of lengths in the file: mm, cm or m.")]
Tree = Annotated[str | None, typer.Option("--tree", help="Tree of a ROOT file that holds the cells.")]
CeeLayers = Annotated[int | None, typer.Option("--cee-layers", help="Number of CE-E layers, if CE-H restarts at 1.")]
LoneCells = Annotated[bool, typer.Option("--allow-lone-cells", help="Accept layers that hold a single cell.")]


def parse_columns(items: Sequence[str] | None) -> dict[str, str]:
    """Read ['cell_id=id', ...] into {'cell_id': 'id', ...}."""
    pairs = [item.partition("=") for item in items or []]
    for name, equals, value in pairs:
        if not (name and equals and value):
            msg = f"--column {name}{equals}{value}: write it as --column cell_id=NAME_IN_THE_FILE"
            raise UsageError(msg)
    return {name: value for name, _, value in pairs}


def parse_interval(text: str | None, option: str) -> tuple[float, float] | None:
    """Read '1.8..2.2' (or a single number) into (1.8, 2.2)."""
    if text is None:
        return None
    low, dots, high = text.partition("..")
    try:
        return (float(low), float(high)) if dots else (float(low), float(low))
    except ValueError as error:
        msg = f"{option} {text}: write an interval as {option} 1.8..2.2"
        raise UsageError(msg) from error


def parse_distance(text: str) -> float | str:
    """Read a length in cm, or 'auto'."""
    if text == "auto":
        return text
    try:
        distance = float(text)
    except ValueError:
        distance = -1.0
    if not 0 <= distance < float("inf"):
        msg = f"--border-distance {text}: give a length in cm (0.5) or auto"
        raise UsageError(msg)
    return distance
