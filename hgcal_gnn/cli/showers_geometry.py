"""The geometry a shower command works in: a graph file, a built-in detector, or the one a store names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hgcal_gnn.errors import GeometryMismatchError, UsageError

if TYPE_CHECKING:
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.metadata import ShowerMetadata

TABLES = (".csv", ".gz", ".parquet", ".root")


def choose_graph(
    graph: Path | None, detector: str | None, *, made_with: ShowerMetadata | None = None, source: str = ""
) -> CellGraph:
    """Load the graph a command was given, or else the built-in detector that the showers of a store name.

    Parameters
    ----------
    graph, detector
        The options ``--graph`` and ``--detector``.
    made_with, source
        Metadata and name of a store in use, if there is one.

    Raises
    ------
    UsageError
        If both options are given, or neither is and the store names no built-in detector.
    GeometryMismatchError
        If the built-in detector a store names is not the one it was made with.
    """
    if graph is not None and detector is not None:
        msg = "give --graph or --detector, not both"
        raise UsageError(msg)
    if graph is not None:
        return _from_file(graph)
    if detector is not None:
        return _built_in(detector)
    from hgcal_gnn.geometry.detectors import DETECTORS

    named = made_with.extra.get("detector", "") if made_with else ""
    if made_with is None or named not in DETECTORS:
        of = f" {source} was made with ({_known(made_with)})" if made_with else ""
        msg = f"which geometry? Give the graph{of} with --graph FILE, or --detector NAME"
        raise UsageError(msg)
    found = _built_in(named)
    if made_with.cells_sha256 not in ("", found.cells_sha256):
        msg = (
            f"{source}: made with a geometry called {named}, but not with the whole built-in detector of this version "
            f"(cells_sha256 {made_with.cells_sha256[:12]}..., here {found.cells_sha256[:12]}...); give its graph with "
            "--graph FILE"
        )
        raise GeometryMismatchError(msg)
    return found


def _from_file(path: Path) -> CellGraph:
    from hgcal_gnn.geometry.graph_file import load_graph

    if path.suffix.lower() in TABLES:
        msg = f"{path}: is a table; build its graph first: hgcal-gnn build-graph {path} -o graph.safetensors"
        raise UsageError(msg)
    return load_graph(path)


def _built_in(name: str) -> CellGraph:
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.geometry.detector_graph import detector_graph

    with compile_note():
        graph, path = detector_graph(name)
    print(f"graph of {name}: {path}", file=sys.stderr)
    return graph


def _known(metadata: ShowerMetadata) -> str:
    """Describe a geometry by what showers know of it."""
    name = metadata.extra.get("detector", "unknown")
    return f"detector {name}, cells_sha256 {metadata.cells_sha256[:12] or 'unknown'}"
