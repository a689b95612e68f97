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
Graph = Annotated[Path | None, typer.Option("--graph", help="Cell graph of the detector (.safetensors).")]
Detector = Annotated[
    str | None, typer.Option("--detector", help="Instead of --graph: a built-in detector (make-geometry --list).")
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset", "--branches", help="Branch names: hgcal, cmssw-reco, edm4hep or a YAML file (default: tried)."
    ),
]
Branches = Annotated[
    list[str] | None,
    typer.Option("--branch", help="One name in the preset changed: hits.energy=myHit_E, energy_unit=MeV."),
]
Collections = Annotated[
    list[str] | None, typer.Option("--collection", help="Hit collections of EDM4hep files to read: 'ECalBarrel*'.")
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps", min=0, help="Of generators that sample in steps; 0: one evaluation. Default: as it was trained for."
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        help="Work on a Dask cluster: tcp://host:8786 of its scheduler, or local (local:4) for processes here.",
    ),
]
ShowerTree = Annotated[str, typer.Option("--tree", help="Tree of ROOT files that holds the showers (default: found).")]
LoneCells = Annotated[bool, typer.Option("--allow-lone-cells", help="Accept layers that hold a single cell.")]


def parse_columns(items: Sequence[str] | None) -> dict[str, str]:
    """Read ['cell_id=id', ...] into {'cell_id': 'id', ...}."""
    return dict(parse_pair(item, "--column", "cell_id=NAME_IN_THE_FILE") for item in items or [])


def parse_pair(item: str, option: str, example: str = "hits.energy=NAME_IN_THE_FILE") -> tuple[str, str]:
    """Read 'cell_id=id' into ('cell_id', 'id')."""
    name, equals, value = item.partition("=")
    if not (name and equals and value):
        msg = f"{option} {item}: write it as {option} {example}"
        raise UsageError(msg)
    return name, value


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


def parse_vector(text: str | None, option: str) -> tuple[float, float, float] | None:
    """Read '0,0,4.2' into (0.0, 0.0, 4.2)."""
    if text is None:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        msg = f"{option} {text}: write three numbers as {option} 0,0,4.2"
        raise UsageError(msg) from error
    return x, y, z


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
