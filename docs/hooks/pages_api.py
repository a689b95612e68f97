"""Pages of the Python interface, one per package, filled by mkdocstrings from the docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

import hgcal_gnn

PUBLIC = {
    "geometry": [
        "cells", "tables", "detectors", "build", "graph", "subgraph", "graph_file", "checks", "detid", "material",
        "cell_numbers",
    ],
    "showers": ["showers", "store", "metadata", "columns", "particles", "convert", "root", "hdf5", "hits"],
    "simulation": ["beam", "simulate", "sample"],
    "batching": ["hit_graphs", "regions", "voxels", "voxel_grid", "window_grid", "loader", "transforms",
                 "transform_files", "pyg"],
    "regression": ["regressor", "calibration", "table"],
    "generation": ["generator", "particles", "request", "sample_file", "model"],
    "training": ["run", "run_folder", "load", "generation.run", "generation.load"],
    "evaluation": [
        "observables", "features", "distance", "distances", "physics_distance", "kernel_distance", "classifier",
        "referee", "resolution", "response_fit", "after_reconstruction", "clustering", "hit_spectrum", "timing",
        "timing_report", "report.settings", "report.run",
    ],
    "plotting": ["style", "layer", "detector", "event", "event_html", "profiles", "resolution", "pareto"],
}  # fmt: skip
HEAD = """\
# {package}

{about}

Modules named here are meant to be used from outside; what else the package holds may change without notice.
"""


def pages() -> dict[str, str]:
    """Return one page per package, and one of what belongs to none."""
    made = {f"reference/api_{package}.md": _page(package, modules) for package, modules in PUBLIC.items()}
    return made | {"reference/api_errors.md": "# errors\n\n::: hgcal_gnn.errors\n"}


def _page(package: str, modules: list[str]) -> str:
    parts = [HEAD.format(package=package, about=_about(package))]
    return "\n\n".join([*parts, *(f"::: hgcal_gnn.{package}.{module}" for module in modules)]) + "\n"


def _about(package: str) -> str:
    """Return what the package says of itself."""
    source = Path(hgcal_gnn.__file__).parent / package / "__init__.py"
    return (ast.get_docstring(ast.parse(source.read_text("utf-8"))) or "").replace("\n", " ")
