"""Pictures of layers: what is drawn, in which colour, and where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hgcal_gnn.errors import OutputError, UsageError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.graph import CellGraph
from hgcal_gnn.plotting.layer import draw_layer, layer_figure
from hgcal_gnn.plotting.rims import wafer_rims
from hgcal_gnn.plotting.selection import layer_rows, zoom_window
from hgcal_gnn.plotting.style import BORDER_BLUE, cell_kinds, figure, save_figure

SEVEN = np.array([[0.0, 0.0]] + [[np.cos(a), np.sin(a)] for a in np.arange(6) * np.pi / 3])


def graph_of(cells: CellTable, edges: list[tuple[int, int, int]]) -> CellGraph:
    """A graph with the given (source, target, type), each stored both ways."""
    both = sorted(edges + [(j, i, {2: 3, 3: 2}.get(kind, kind)) for i, j, kind in edges])
    source, target, kind = (np.array(values) for values in zip(*both, strict=True))
    rowptr = np.searchsorted(source, np.arange(cells.n_cells + 1)).astype(np.int64)
    return CellGraph(cells, rowptr, target.astype(np.int32), kind.astype(np.uint8))


@pytest.fixture(scope="module")
def flower() -> CellGraph:
    """Seven hexagons, a tile ring of 36 tiles around them, and one cell in the next layer."""
    phi = (np.arange(36) + 0.5) * 2 * np.pi / 36
    x = np.concatenate([SEVEN[:, 0], 5 * np.cos(phi), 7 * np.cos(phi), [0.0, 1.0]])
    y = np.concatenate([SEVEN[:, 1], 5 * np.sin(phi), 7 * np.sin(phi), [0.0, 0.0]])
    detector = np.repeat([9, 10, 9], [7, 72, 2])
    cells = CellTable.from_columns(
        {
            "cell_id": np.arange(81) + 1,
            "layer": np.repeat([30, 31], [79, 2]),
            "detector": detector,
            "is_silicon": (detector == 9).astype(int),
            "cell_type": np.repeat([2, 1, 2], [7, 72, 2]),
            "x": x,
            "y": y,
            "z": np.repeat([380.0, 386.0], [79, 2]),
        }
    )
    rim = [(0, k, 0) for k in range(1, 7)] + [(k, k % 6 + 1, 0) for k in range(1, 7)]
    return graph_of(cells, [*rim, (1, 7, 1), (2, 8, 1), (0, 79, 2)])


def test_cells_and_edges_of_one_layer(flower: CellGraph) -> None:
    drawn = draw_layer(flower, 30)
    assert [len(part.get_paths()) for part in drawn.cells] == [7, 72]
    assert [part.get_label() for part in drawn.cells] == ["silicon 300 µm", "scintillator tile"]
    assert drawn.intra is not None
    assert drawn.border is not None
    segments = np.array(drawn.intra.get_segments())  # each edge once, none to the next layer
    assert len(segments) == 12
    assert np.hypot(*(segments[:, 0] - segments[:, 1]).T) == pytest.approx(1.0)
    assert len(drawn.border.get_segments()) == 2
    red, green, blue, _ = drawn.border.get_colors()[0]
    assert blue > 2 * red
    assert blue > 2 * green
    assert drawn.rows.tolist() == list(range(79))


def test_axes_are_in_cm_and_to_scale(flower: CellGraph) -> None:
    ax = draw_layer(flower, 30).ax
    assert ax.get_xlabel() == "x [cm]"
    assert ax.get_aspect() == 1.0
    assert ax.get_xlim()[1] == pytest.approx(8.0, abs=0.5)  # rings at 5 and 7: the outer one ends at 8
    assert "layer 30, z = 380.0 cm" in ax.get_title(loc="left")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["silicon 300 µm", "scintillator tile", "edge in the layer", "border edge"]


def test_window_keeps_what_reaches_in(flower: CellGraph) -> None:
    drawn = draw_layer(flower, 30, window=((4.0, 6.0), (-1.0, 1.0)))
    assert drawn.ax.get_xlim() == (4.0, 6.0)
    assert len(drawn.rows) < 79
    x, y = flower.cells.x[drawn.rows], flower.cells.y[drawn.rows]
    assert {(4.98, 0.44), (4.98, -0.44)} <= set(zip(np.round(x, 2).tolist(), np.round(y, 2).tolist(), strict=True))


@pytest.mark.parametrize("window", [((6.0, 4.0), (0.0, 1.0)), ((50.0, 60.0), (0.0, 1.0))])
def test_useless_windows(flower: CellGraph, window: Any) -> None:
    with pytest.raises(UsageError, match="window"):
        draw_layer(flower, 30, window=window)


def test_layers_that_are_not_there(flower: CellGraph) -> None:
    with pytest.raises(UsageError, match="no layer 12; the table has layers 30 to 31, sides \\[1\\]"):
        draw_layer(flower, 12)
    with pytest.raises(UsageError, match="no layer 30 on side -1"):
        draw_layer(flower, 30, z_side=-1)
    with pytest.raises(UsageError, match="in subdetector 8"):
        draw_layer(flower, 30, subdetector=8)


def test_table_without_edges_and_given_axes(flower: CellGraph) -> None:
    ax = figure()[1]
    drawn = draw_layer(flower.cells, 30, subdetector=9, ax=ax)
    assert drawn.ax is ax
    assert drawn.intra is None
    assert [len(part.get_paths()) for part in drawn.cells] == [7]


def test_barrel_edges_across_the_seam() -> None:
    """Ten cells around: the edge from the last to the first leaves at r phi = +pi r and enters at -pi r."""
    phi = (np.arange(10) + 0.5) * 2 * np.pi / 10 - np.pi
    cells = CellTable.from_columns(
        {
            "cell_id": np.arange(10) + 1,
            "layer": np.ones(10, int),
            "x": 50 * np.cos(phi),
            "y": 50 * np.sin(phi),
            "z": np.zeros(10),
            "z_side": np.zeros(10, int),
            "dphi": np.full(10, 2 * np.pi / 10),
            "dz": np.full(10, 20.0),
        }
    )
    drawn = draw_layer(graph_of(cells, [(k, (k + 1) % 10, 0) for k in range(10)]), 1)
    assert drawn.intra is not None
    segments = np.array(drawn.intra.get_segments())
    assert len(segments) == 11  # the one across the seam is drawn at both ends
    assert np.abs(np.diff(segments[..., 0], axis=1)) == pytest.approx(10 * np.pi)
    assert drawn.ax.get_xlabel() == "r φ [cm]"


def test_subdetectors_that_count_layers_each_from_one() -> None:
    cells = CellTable.from_columns(
        {
            "cell_id": np.arange(8) + 1,
            "layer": np.ones(8, int),
            "subdetector": np.repeat([1, 2], 4),
            "x": np.tile([0.0, 1.0, 0.0, 1.0], 2),
            "y": np.tile([0.0, 0.0, 1.0, 1.0], 2),
            "z": np.repeat([150.0, 200.0], 4),
            "z_side": np.ones(8, int),
        }
    )
    assert layer_rows(cells, 1).tolist() == [0, 1, 2, 3]
    assert layer_rows(cells, 1, subdetector=2).tolist() == [4, 5, 6, 7]


def test_close_up_shows_the_border(flower: CellGraph) -> None:
    rows = layer_rows(flower.cells, 30)
    (x_low, x_high), (y_low, y_high) = zoom_window(flower, rows)
    assert x_high - x_low == pytest.approx(y_high - y_low)
    fig = layer_figure(flower, 30)
    assert len(fig.axes) == 1  # a small layer needs no close-up


def test_large_layer_has_a_close_up_with_edges() -> None:
    cells = make_detector("hgcal", layers=(38, 38), side=1, phi=(0.0, 0.4))
    silicon = np.flatnonzero(cells.is_silicon)
    tiles = np.flatnonzero(cells.is_silicon == 0)
    graph = graph_of(cells, [(int(silicon[5]), int(tiles[3]), 1)])
    fig = layer_figure(graph, 38)
    whole, close = fig.axes
    assert close.get_title(loc="left") == "close-up"
    (low, high), _ = zoom_window(graph, layer_rows(cells, 38))
    assert close.get_xlim() == (low, high)
    middle = cells.x[silicon[5]], cells.x[tiles[3]]
    assert any(low <= value <= high for value in middle)
    assert whole.get_legend() is None


def test_wafer_rims_go_once_around() -> None:
    """Two wafers side by side: 12 N sides of cells lie on each rim, none inside a wafer."""
    cells = make_detector("hgcal", layers=(5, 5), side=1, phi=(0.3, 1.0))
    wafers, count = np.unique(cells.extra["wafer_u"].astype(int) * 100 + cells.extra["wafer_v"], return_counts=True)
    n = {432: 12, 192: 8}
    full = [(wafer, n[cells_in]) for wafer, cells_in in zip(wafers, count, strict=True) if cells_in in n]
    assert full
    for wafer, across in full:
        part = cells.select(cells.extra["wafer_u"].astype(int) * 100 + cells.extra["wafer_v"] == wafer)
        drawn = draw_layer(part, 5)
        corners = np.concatenate([np.array([path.vertices[:-1] for path in kind.get_paths()]) for kind in drawn.cells])
        sides = wafer_rims(part, corners)
        pitch = 16.75408 / (np.sqrt(3) * across)
        # perimeter of a hexagon with side N pitch
        length = np.hypot(*(sides[:, 1] - sides[:, 0]).T).sum()
        assert length == pytest.approx(6 * across * pitch, rel=1e-3)
    assert len(wafer_rims(*unknown_wafers())) == 0


def unknown_wafers() -> tuple[CellTable, Any]:
    cells = CellTable.from_columns(
        {"cell_id": np.arange(7) + 1, "layer": np.ones(7, int), "x": SEVEN[:, 0], "y": SEVEN[:, 1], "z": np.ones(7)}
    )
    return cells, np.zeros((7, 6, 2))


def test_colours_do_not_depend_on_what_else_is_there(flower: CellGraph) -> None:
    everything = cell_kinds(make_detector("hgcal", layers=(20, 44), side=1, phi=(0.0, 0.2)))
    assert [kind.label for kind in everything[:3]] == ["silicon 120 µm", "silicon 200 µm", "silicon 300 µm"]
    assert len({kind.colour for kind in everything}) == len(everything) == 5
    colours = {(kind.subdetectors, kind.cell_type): kind.colour for kind in everything}
    for kind in cell_kinds(flower.cells):
        assert kind.colour == colours[kind.subdetectors, kind.cell_type]
    assert BORDER_BLUE not in colours.values()


def test_saving(flower: CellGraph, tmp_path: Path) -> None:
    for name in ("a.png", "a.pdf", "a.svg"):
        save_figure(layer_figure(flower, 30), tmp_path / name)
        first = (tmp_path / name).read_bytes()
        with pytest.raises(OutputError, match="--overwrite"):
            save_figure(layer_figure(flower, 30), tmp_path / name)
        save_figure(layer_figure(flower, 30), tmp_path / name, overwrite=True)
        assert (tmp_path / name).read_bytes() == first
    with pytest.raises(UsageError, match=r"a\.doc: pictures are written as \.png"):
        save_figure(layer_figure(flower, 30), tmp_path / "a.doc")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png", "a.svg"]


def test_importing_pictures_loads_no_matplotlib() -> None:
    code = "import sys, hgcal_gnn.plotting.layer, hgcal_gnn.plotting.detector; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_real_window(shared_data: Path) -> None:
    columns = np.genfromtxt(shared_data / "cms_hgcal_cee_window.csv.gz", delimiter=",", names=True)
    cells = CellTable.from_columns(
        {
            "cell_id": columns["globalid"].astype(np.uint64),
            "detector": columns["detectorid"],
            "layer": columns["layerid"],
            "cell_type": columns["celltype"],
            **{name: columns[name] for name in "xyz"},
        }
    )
    drawn = draw_layer(cells, 17)
    assert len(drawn.rows) == (columns["layerid"] == 17).sum()
    assert [part.get_label() for part in drawn.cells] == ["silicon 120 µm", "silicon 200 µm", "silicon 300 µm"]
