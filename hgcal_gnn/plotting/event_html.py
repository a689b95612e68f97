"""One shower to be turned and zoomed in a browser: a self-contained HTML file, made with plotly (an extra)."""

from __future__ import annotations

from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.files import atomic_path, check_writable
from hgcal_gnn.plotting.event import DECADES, event_title
from hgcal_gnn.plotting.event_frame import EventFrame, event_frame
from hgcal_gnn.plotting.style import FAINT, INK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers

COLOURS = "Viridis"
LARGEST, SMALLEST = 16.0, 2.0  # diameter of markers, pixels
LONGEST = 3.0
EYE = {"x": 0.6, "y": -2.3, "z": 0.7}


def write_event_html(shower: Showers, cells: CellTable, path: Path, *, overwrite: bool = False) -> None:
    """Write one shower (the first of `shower`) as a page that needs no network.

    Cells are drawn with their outlines; pointing at a hit shows its energy, layer and cell id.

    Raises
    ------
    UsageError
        If plotly is not installed, the name does not end in .html, or the shower has no hits.
    OutputError
        If `path` exists (unless `overwrite`) or cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        msg = f"{path}: interactive pictures are written as .html"
        raise UsageError(msg)
    check_writable(path, overwrite=overwrite)
    try:
        figures: Any = import_module("plotly.graph_objects")
    except ImportError as error:
        msg = "interactive pictures need plotly: pip install 'hgcal-gnn[interactive]'; --plot event.png needs nothing"
        raise UsageError(msg) from error
    frame = event_frame(shower, cells)
    title = event_title(shower, frame)
    figure = figures.Figure(
        [
            figures.Mesh3d(**_outlines(frame)),
            figures.Scatter3d(**_hits(frame, cells)),
            figures.Scatter3d(**_planes(frame)),
            figures.Scatter3d(**_axis(frame)),
        ],
        _layout(frame, title),
    )
    # a fixed id instead of a random one: the same shower gives the same file
    page = figure.to_html(
        include_plotlyjs=True, full_html=True, div_id="shower", config={"displaylogo": False}, default_height="97vh"
    )
    page = page.replace("<head>", f"<head><title>{escape(title)}</title>", 1)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _colours(frame: EventFrame) -> dict[str, Any]:
    """Colour by the logarithm of the energy, `DECADES` down from the largest hit."""
    top = float(np.log10(frame.energy.max()))
    bottom = max(float(np.log10(frame.energy.min())), top - DECADES)
    return {"colorscale": COLOURS, "reversescale": True, "cmin": bottom, "cmax": max(top, bottom + 1e-3)}


def _outlines(frame: EventFrame) -> dict[str, Any]:
    """Return the cells in view as triangles, each cell a fan around its first corner."""
    shown = frame.seen & np.isfinite(frame.corners).all(axis=(1, 2))
    corners, energy = frame.corners[shown], frame.energy[shown]
    n_cells, k = corners.shape[:2]
    first = np.repeat(np.arange(n_cells) * k, k - 2)
    second = first + np.tile(np.arange(1, k - 1), n_cells)
    along, outwards, sideways = corners.reshape(-1, 3).T
    return {
        **_rounded(x=along, y=sideways, z=outwards),
        "i": first, "j": second, "k": second + 1,
        **_rounded(intensity=np.repeat(np.log10(energy), k)),
        **_colours(frame),
        "showscale": False, "opacity": 0.6, "hoverinfo": "skip", "name": "cells", "showlegend": True,
        "flatshading": True, "lighting": {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0},
    }  # fmt: skip


def _hits(frame: EventFrame, cells: CellTable) -> dict[str, Any]:
    """Return the hits in view as markers that tell what they are."""
    seen = frame.seen
    rows, energy = frame.rows[seen], frame.energy[seen]
    along, outwards, sideways = frame.position[seen].T
    names = np.array([cells.subdetector_names.get(code, str(code)) for code in range(256)])
    text = [
        f"{1e3 * deposit:.4g} MeV<br>{part}, layer {layer}<br>cell {cell} (row {row})"
        for deposit, part, layer, cell, row in zip(
            energy.tolist(), names[cells.subdetector[rows]].tolist(), cells.layer[rows].tolist(),
            cells.cell_id[rows].tolist(), rows.tolist(), strict=True,
        )
    ]  # fmt: skip
    ticks = np.arange(np.floor(_colours(frame)["cmin"]), np.ceil(_colours(frame)["cmax"]) + 1)
    return {
        **_rounded(x=along, y=sideways, z=outwards),
        "mode": "markers", "name": "hits", "text": text, "hoverinfo": "text",
        "marker": {
            **_rounded(size=SMALLEST + (LARGEST - SMALLEST) * np.sqrt(energy / energy.max())),
            **_rounded(color=np.log10(energy)),
            **_colours(frame),
            "line": {"width": 0},
            "colorbar": {
                "title": {"text": "hit energy [GeV]"}, "len": 0.6, "thickness": 14, "outlinewidth": 0,
                "tickvals": ticks, "ticktext": [f"10<sup>{tick:.0f}</sup>" for tick in ticks],
            },
        },
    }  # fmt: skip


def _planes(frame: EventFrame) -> dict[str, Any]:
    """Return the lines that hint the layers, one after the other, NaN between them."""
    lines = frame.plane_lines()
    x, y, z = np.concatenate([lines, np.full((len(lines), 1, 3), np.nan)], axis=1).reshape(-1, 3).T
    return {
        **_rounded(x=x, y=y, z=z),
        "mode": "lines", "name": "layers", "hoverinfo": "skip", "connectgaps": False, "opacity": 0.6,
        "line": {"color": FAINT, "width": 1},
    }  # fmt: skip


def _axis(frame: EventFrame) -> dict[str, Any]:
    return {
        "x": list(frame.depth), "y": [0, 0], "z": [0, 0], "mode": "lines", "name": "line of flight",
        "hoverinfo": "skip", "line": {"color": INK, "width": 3, "dash": "dash"},
    }  # fmt: skip


def _layout(frame: EventFrame, title: str) -> dict[str, Any]:
    near, far = frame.depth
    plain = {"showbackground": False, "gridcolor": "#eeeeee", "zerolinecolor": "#dddddd", "color": INK}
    wide = {"range": [-frame.radius, frame.radius], **plain}
    return {
        "title": {"text": title, "font": {"size": 15, "color": INK}},
        "template": "plotly_white",
        "legend": {"orientation": "h", "y": 0.02, "x": 0.02},
        "margin": {"l": 0, "r": 0, "t": 50, "b": 0},
        "scene": {
            "xaxis": {"title": {"text": "along the line of flight [cm]"}, "range": [near, far], **plain},
            "yaxis": {"title": {"text": "sideways [cm]"}, **wide},
            "zaxis": {"title": {"text": "outwards [cm]"}, **wide},
            "aspectmode": "manual",
            "aspectratio": {"x": min((far - near) / (2 * frame.radius), LONGEST), "y": 1.0, "z": 1.0},
            "camera": {"eye": EYE, "center": {"x": 0.0, "y": 0.0, "z": -0.1}},
        },
    }


def _rounded(**columns: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    """Return numbers in single precision: half the page, more than a screen shows."""
    return {name: values.astype(np.float32) for name, values in columns.items()}
