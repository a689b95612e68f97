"""The section of a detector, and the overview picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.plotting.detector import draw_section, overview_figure

if TYPE_CHECKING:
    from matplotlib.collections import PolyCollection
    from numpy.typing import NDArray


def boxes(part: PolyCollection) -> NDArray[np.float64]:
    """Bars as [n, 4]: z low, z high, r low, r high."""
    corners = np.array([path.vertices[:4] for path in part.get_paths()])
    return np.concatenate([np.sort(corners[..., axis], axis=1)[:, [0, -1]] for axis in (0, 1)], axis=1)


def rings(radii: list[float], layer_z: list[float], cell_type: list[int]) -> CellTable:
    """Rings of 36 cells, dr = 10 cm, in each layer."""
    layer, ring, turn = (index.ravel() for index in np.mgrid[: len(layer_z), : len(radii), :36])
    phi = (turn + 0.5) * 2 * np.pi / 36
    r = np.array(radii)[ring]
    return CellTable.from_columns(
        {
            "cell_id": np.arange(len(r)) + 1,
            "layer": layer + 1,
            "cell_type": np.array(cell_type)[ring],
            "x": r * np.cos(phi),
            "y": r * np.sin(phi),
            "z": np.array(layer_z)[layer],
            "z_side": np.ones(len(r), int),
            "dr": np.full(len(r), 10.0),
            "dphi": np.full(len(r), 2 * np.pi / 36),
        }
    )


def test_bars_cover_the_cells() -> None:
    """Rings at 50, 60 | 70 (another type) and, over a gap, 90 cm in layers 10 cm apart."""
    drawn = draw_section(rings([50.0, 60.0, 70.0, 90.0], [300.0, 310.0], [0, 0, 1, 1]))
    assert [part.get_label() for part in drawn] == ["subdetector 0, type 0", "subdetector 0, type 1"]
    first, second = (boxes(part) for part in drawn)
    bin_width = 50 / 150
    assert first == pytest.approx(
        np.array([[296.75, 303.25, 45, 65], [306.75, 313.25, 45, 65]]), abs=bin_width
    )  # one bar a layer, 0.65 of the step thick
    assert np.sort(second[:, 2]) == pytest.approx([65, 65, 85, 85], abs=bin_width)
    assert np.sort(second[:, 3]) == pytest.approx([75, 75, 95, 95], abs=bin_width)


def test_barrel_lies_along_z() -> None:
    cells = make_detector("clic")
    drawn = draw_section(cells)
    assert (cells.z_side == 0).all()
    bars = np.concatenate([boxes(part) for part in drawn])
    assert len(bars) == 25 + 60
    assert bars[:, 0].min() == pytest.approx(-16.5, abs=0.3)  # HCAL: 11 cells of 3 cm
    r = np.hypot(cells.x, cells.y)
    assert bars[:, 2].min() == pytest.approx(r.min(), abs=1.0)


def test_one_of_two_endcaps() -> None:
    cells = make_detector("hgcal", layers=(33, 35), phi=(0.0, 0.3))
    drawn = draw_section(cells)
    assert all((boxes(part)[:, :2] > 0).all() for part in drawn)
    title = drawn[0].axes.get_title(loc="left")
    assert title == f"hgcal: {cells.n_cells:,} cells, 3 layers in each endcap"


def test_overview_takes_the_first_mixed_layer() -> None:
    fig = overview_figure(make_detector("hgcal", layers=(33, 35), side=1, phi=(0.0, 0.3)))
    section, close = fig.axes
    assert close.get_title(loc="left") == "close-up of layer 34"
    assert "layer 34" in [text.get_text() for text in section.texts]


def test_overview_of_a_small_detector_shows_a_whole_layer() -> None:
    fig = overview_figure(make_detector("calogan"), layer=2)
    assert fig.axes[1].get_title(loc="left").startswith("layer 2, z = ")
