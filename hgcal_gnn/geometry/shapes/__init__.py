"""Outlines of cells, and what follows from them: area, size, distances."""

from __future__ import annotations

from hgcal_gnn.geometry.shapes.cell_outlines import Outlines, cell_area, cell_size, outlines, surface_coordinates
from hgcal_gnn.geometry.shapes.polygons import corner_distance, polygon_distance

__all__ = [
    "Outlines",
    "cell_area",
    "cell_size",
    "corner_distance",
    "outlines",
    "polygon_distance",
    "surface_coordinates",
]
