"""The cells a run works in: graph and material of its settings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detector_graph import detector_graph
from hgcal_gnn.geometry.graph_file import load_graph
from hgcal_gnn.geometry.material import load_material

if TYPE_CHECKING:
    from hgcal_gnn.config.data import GeometryConfig
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile

log = logging.getLogger(__name__)


def load_geometry(config: GeometryConfig) -> tuple[CellGraph, MaterialProfile]:
    """Load the graph, building and keeping that of a built-in detector, and the material of its layers.

    Raises
    ------
    InputError
        If a file cannot be used.
    UsageError
        If nothing is known of the material.
    """
    if config.graph is not None:
        graph = load_graph(config.graph)
    else:
        window = {} if config.window is None else config.window.model_dump()
        graph, path = detector_graph(str(config.detector), **window)
        log.info("graph of %s: %s", config.detector, path)
    return graph, find_material(config.material, graph.cells.detector)


def find_material(material: str | None, detector: str) -> MaterialProfile:
    """Load a material from a YAML file, or by the name of a detector (by default `detector`).

    Raises
    ------
    InputError
        If the file cannot be used.
    UsageError
        If nothing is known of the material.
    """
    if material is not None and Path(material).suffix in (".yaml", ".yml"):
        return load_material(detector, Path(material))
    try:
        return load_material(material or detector)
    except UsageError as error:
        msg = f"{error}: data.material: FILE.yaml in the settings (its form: geometry/detectors/*_material.yaml)"
        raise UsageError(msg) from None
