"""Graphs of built-in detectors: built once, then kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from hgcal_gnn import __version__
from hgcal_gnn.cache import cache_folder
from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.graph_file import FORMAT, load_graph, save_graph

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.geometry.graph import CellGraph


def detector_graph(
    name: str,
    *,
    eta: tuple[float, float] | None = None,
    phi: tuple[float, float] | None = None,
    layers: tuple[int, int] | None = None,
    side: int | None = None,
) -> tuple[CellGraph, Path]:
    """Return the graph of a built-in detector, or of a piece of it, and the cached file it lies in.

    The first call builds it. A damaged file in the cache is built anew.

    Raises
    ------
    UsageError
        If there is no such detector or no cell in the window.
    OutputError
        If the cache folder cannot be written (set HGCAL_GNN_CACHE to another one).
    """
    window = {"eta": eta, "phi": phi, "layers": layers, "side": side}
    key = json.dumps([name, window, __version__, FORMAT], sort_keys=True)
    path = cache_folder() / "graphs" / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.safetensors"
    if path.exists():
        try:
            return load_graph(path), path
        except InputError:
            path.unlink()
    graph, _ = build_graph(make_detector(name, eta=eta, phi=phi, layers=layers, side=side))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_graph(graph, path, overwrite=True)
    return load_graph(path), path
