"""Pictures of showers: the numbers in them, worked out by hand, and what is drawn."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import OutputError, UsageError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.plotting import profile_data
from hgcal_gnn.plotting.event import draw_event, draw_front, draw_layers, event_figure, event_title
from hgcal_gnn.plotting.event_frame import event_frame
from hgcal_gnn.plotting.event_html import write_event_html
from hgcal_gnn.plotting.profile_curves import PANELS
from hgcal_gnn.plotting.profile_data import Bins, Profiles, axis_distance, choose_bins, measure_profiles
from hgcal_gnn.plotting.profiles import draw_panel, draw_ratio, profiles_figure
from hgcal_gnn.plotting.style import save_figure
from hgcal_gnn.showers.showers import Showers, direction_from_eta_phi
from hgcal_gnn.showers.store import open_store, write_showers

SIDE = 11  # cells in a row
PITCH = 1.0
BINS = Bins(np.array([1, 2, 3]), np.array([0.0, 1.0, 3.0, 9.0]), np.array([1e-3, 1.0, 10.0]))
PANEL = {panel.name: panel for panel in PANELS}


def stack(*, barrel: bool = False, far: float = 300.0) -> CellTable:
    """Three layers of 11 x 11 square cells of 1 cm, across z at z = 300, 302, 304 or across x at x = ..."""
    grid = (np.arange(SIDE) - SIDE // 2) * PITCH
    a, b = (values.ravel() for values in np.meshgrid(grid, grid))
    layer = np.repeat([1, 2, 3], SIDE**2)
    depth = far + 2.0 * (layer - 1)
    a, b = np.tile(a, 3), np.tile(b, 3)
    place = {"x": depth, "y": a, "z": b} if barrel else {"x": a, "y": b, "z": depth}
    columns = {"cell_id": np.arange(len(layer)) + 1, "layer": layer, **place}
    return CellTable.from_columns(
        columns | {"z_side": np.zeros(len(layer), int) if barrel else np.ones(len(layer), int)}
    )


def row_of(cells: CellTable, layer: int, x: float, y: float) -> int:
    return int(np.flatnonzero((cells.layer == layer) & (cells.x == x) & (cells.y == y))[0])


def showers_of(hits: list[list[tuple[int, float]]], **columns: Any) -> Showers:
    """Showers of (cell, energy) pairs."""
    flat = [hit for shower in hits for hit in shower]
    n = len(hits)
    given_columns = {
        "offsets": np.cumsum([0, *(len(shower) for shower in hits)]),
        "cell": np.array([cell for cell, _ in flat], np.int32),
        "energy": np.array([energy for _, energy in flat], np.float32),
        "incident_energy": np.full(n, 10.0),
        "pdg_id": np.full(n, 22),
        "vertex_x": np.zeros(n), "vertex_y": np.zeros(n), "vertex_z": np.zeros(n),
        "direction_x": np.zeros(n), "direction_y": np.zeros(n), "direction_z": np.ones(n),
    }  # fmt: skip
    return Showers.from_columns(given_columns | columns)


@pytest.fixture(scope="module")
def cells() -> CellTable:
    return stack()


@pytest.fixture(scope="module")
def two(cells: CellTable) -> Showers:
    """1 GeV in layer 1 and 3 GeV in layer 2; 2 GeV in layer 1, 4 cm from the axis."""
    return showers_of([[(row_of(cells, 1, 0, 0), 1.0), (row_of(cells, 2, 2, 0), 3.0)], [(row_of(cells, 1, 0, 4), 2.0)]])


def test_distance_from_the_line_of_flight(cells: CellTable) -> None:
    rows = [row_of(cells, 1, 3, 4), row_of(cells, 3, 0, 0)]
    along_z = showers_of([[(row, 1.0) for row in rows]])
    np.testing.assert_allclose(axis_distance(along_z, cells), [5.0, 0.0], atol=1e-5)
    # from (-298, 0, 0) at 45 degrees the line crosses layer 1 at x = 2: the cell at x = 3 is 1/sqrt(2) from it
    half = np.sqrt(0.5)
    slanted = along_z.replace(
        **{name: np.array([value], np.float32) for name, value in
           {"vertex_x": -298.0, "direction_x": half, "direction_z": half}.items()}
    )  # fmt: skip
    expected = [np.hypot(4.0, half), 6.0 * half]
    np.testing.assert_allclose(axis_distance(slanted, cells), expected, atol=1e-4)


def test_distance_where_vertex_or_direction_are_not_known(cells: CellTable) -> None:
    nothing = np.array([np.nan])
    hits = [[(row_of(cells, 1, 0, 0), 3.0), (row_of(cells, 1, 2, 0), 1.0)]]
    no_vertex = showers_of(hits, vertex_x=nothing)
    np.testing.assert_allclose(axis_distance(no_vertex, cells), [0.5, 1.5], atol=1e-5)
    # the line from the origin to the centre at (0.5, 0, 300) is almost along z
    neither = showers_of(hits, vertex_x=nothing, direction_x=nothing, direction_y=nothing, direction_z=nothing)
    np.testing.assert_allclose(axis_distance(neither, cells), [0.5, 1.5], atol=1e-5)


def test_moments_by_hand(cells: CellTable, two: Showers) -> None:
    found = measure_profiles([two], cells, BINS)
    # shares of layer 1: 1/4 and 1
    np.testing.assert_allclose(found.longitudinal.mean, [0.625, 0.375, 0.0])
    np.testing.assert_allclose(found.longitudinal.spread, [0.375, 0.375, 0.0])
    np.testing.assert_allclose(found.longitudinal.error, np.array([0.375, 0.375, 0.0]) / np.sqrt(2))
    # rings 0-1, 1-3, 3-9 cm hold 1/4 and 0, 3/4 and 0, 0 and 1 of the energy
    np.testing.assert_allclose(found.radial.mean, [0.125 / 1, 0.375 / 2, 0.5 / 6])
    np.testing.assert_allclose(found.occupancy.mean, [1.0, 0.5, 0.0])
    np.testing.assert_allclose(found.hit_energy.mean, [0.0, 1.5])
    assert found.n_hits.tolist() == [2, 1]
    assert found.visible.tolist() == [4, 2]


def test_weights_and_showers_without_energy(cells: CellTable, two: Showers) -> None:
    weighted = measure_profiles([two.replace(weight=np.array([1, 3], np.float32))], cells, BINS)
    np.testing.assert_allclose(weighted.longitudinal.mean, [(0.25 + 3) / 4, 0.75 / 4, 0])
    np.testing.assert_allclose(weighted.occupancy.error[1], np.sqrt(0.25 * 0.75) * np.sqrt(10) / 4)
    unset = measure_profiles([two.replace(weight=np.zeros(2, np.float32))], cells, BINS)
    np.testing.assert_allclose(unset.longitudinal.mean, [0.625, 0.375, 0.0])
    with_empty = Showers.concatenate([two, showers_of([[]])])
    found = measure_profiles([with_empty], cells, BINS)
    np.testing.assert_allclose(found.longitudinal.mean, [0.625, 0.375, 0.0])  # an empty shower has no shares
    np.testing.assert_allclose(found.occupancy.mean, [2 / 3, 1 / 3, 0.0])  # but no hits either


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6), at_once=st.sampled_from([1, 7, 10_000]))
@settings(max_examples=25, deadline=None)
def test_chunks_do_not_matter(sizes: list[int], at_once: int) -> None:
    cells = stack()
    showers = random_showers(cells, sum(sizes))
    parts = [showers[start : start + size] for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False)]
    whole = measure_profiles([showers], cells, BINS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile_data, "HITS_AT_ONCE", at_once)
        found = measure_profiles(parts, cells, BINS)
    for name in ("longitudinal", "radial", "occupancy", "hit_energy"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.visible, whole.visible, rtol=1e-6)
    assert (found.longitudinal.mean.sum(), found.n_hits.tolist()) == (pytest.approx(1), whole.n_hits.tolist())


def random_showers(cells: CellTable, n: int) -> Showers:
    random = np.random.default_rng(n)
    return showers_of([
        [(int(cell), float(random.exponential(0.1)) + 1e-4) for cell in random.choice(cells.n_cells, 12, replace=False)]
        for _ in range(n)
    ])  # fmt: skip


def test_bins_hold_the_energy_and_rings_are_no_narrower_than_cells(cells: CellTable) -> None:
    showers = random_showers(cells, 50)
    bins = choose_bins(showers, cells)
    assert bins.layers.tolist() == [1, 2, 3]
    assert np.diff(bins.radius) == pytest.approx(PITCH)  # a 30th of 7 cm would be less than a cell
    inside = axis_distance(showers, cells) <= bins.radius[-1]
    assert showers.energy[inside].sum() > 0.99 * showers.energy.sum()
    assert ((showers.energy >= bins.hit_energy[0]) & (showers.energy < bins.hit_energy[-1])).mean() > 0.99
    assert len(choose_bins(showers_of([[]]), cells).radius) > 1


@pytest.fixture
def store(tmp_path, cells):
    write_showers(random_showers(cells, 60), tmp_path / "sample.arrow")
    return open_store(tmp_path / "sample.arrow")


def measured(showers: Showers, cells: CellTable) -> Profiles:
    return measure_profiles([showers], cells, BINS)


def test_panels_show_the_numbers(cells: CellTable, two: Showers) -> None:
    sample, reference = measured(two, cells), measured(two[0], cells)
    drawn = draw_panel(PANEL["longitudinal"], sample, reference=reference, names=("mine", "theirs"))
    line: Any = drawn.line
    np.testing.assert_allclose(line.get_data().values, [0.625, 0.375, 0.0])
    np.testing.assert_allclose(line.get_data().edges, [0.5, 1.5, 2.5, 3.5])
    filled: Any = drawn.reference
    np.testing.assert_allclose(filled.get_data().values, [0.25, 0.75, 0.0])
    assert filled.get_fill()
    assert not line.get_fill()
    band: Any = drawn.spread
    np.testing.assert_allclose(band.get_data().values, [1.0, 0.75, 0.0])
    np.testing.assert_allclose(band.get_data().baseline, [0.25, 0.0, 0.0])
    assert [part.get_label() for part in (line, filled)] == ["mine", "theirs"]
    # nothing behind the last layer with energy is shown
    assert drawn.ax.get_xlim() == (0.5, 2.5)
    ratio: Any = draw_ratio(PANEL["longitudinal"], sample, reference)
    np.testing.assert_allclose(ratio.get_data().values, [2.5, 0.5, np.nan])


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.name)
def test_every_panel_has_labels_and_errors(cells: CellTable, panel: Any) -> None:
    showers = random_showers(cells, 30)
    drawn = draw_panel(panel, measured(showers, cells), reference=measured(showers[:10], cells))
    assert drawn.ax.get_xlabel() == panel.xlabel
    assert drawn.ax.get_ylabel() == panel.ylabel
    assert (drawn.ax.get_yscale() == "log") == panel.log_y
    assert drawn.reference is not None
    bars = [part for part in drawn.ax.collections if len(part.get_paths()) > 1]
    assert bars


def test_histograms_count_showers_and_mark_the_mean(cells: CellTable) -> None:
    sample = measured(random_showers(cells, 40), cells)
    sample = replace(sample, n_hits=np.repeat([10.0, 12.0], 20))
    drawn = draw_panel(PANEL["n_hits"], sample)
    line: Any = drawn.line
    edges, values = line.get_data().edges, line.get_data().values
    assert np.all(edges % 1 == 0.5)  # whole numbers lie inside the bins
    assert dict(zip((edges[:-1] + 0.5).tolist(), values.tolist(), strict=True)) == {10: 0.5, 11: 0, 12: 0.5}
    assert any(np.allclose(mark.get_xdata(), 11.0) for mark in drawn.ax.lines)
    assert "mean 11, spread 1" in [text.get_text() for text in drawn.ax.texts]


def test_figures_of_a_store(tmp_path, store, cells: CellTable) -> None:
    figure = profiles_figure(store, cells)
    assert len(figure.axes) == 6
    with_ratio = profiles_figure(store, cells, reference=store, names=("a", "b"))
    assert len(with_ratio.axes) == 12
    for line in (line for axes in with_ratio.axes[1::2] for line in axes.patches):
        values = line.get_data().values
        np.testing.assert_allclose(values[np.isfinite(values)], 1.0)
    save_figure(figure, tmp_path / "a.png")
    save_figure(profiles_figure(store, cells), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_figures_of_hardly_any_showers(tmp_path, cells: CellTable, n: int) -> None:
    write_showers(random_showers(cells, 2)[:n], tmp_path / "few.arrow")
    few = open_store(tmp_path / "few.arrow")
    save_figure(profiles_figure(few, cells), tmp_path / "few.png")
    save_figure(profiles_figure(few, cells, reference=few), tmp_path / "ratio.png")


def test_the_frame_of_a_shower_is_turned_and_not_stretched() -> None:
    cells = stack()
    random = np.random.default_rng(3)
    rows = random.choice(cells.n_cells, 20, replace=False)
    x, y, z = (float(part[0]) for part in direction_from_eta_phi(np.array([2.0]), np.array([0.7])))
    along = {name: np.array([value]) for name, value in {"direction_x": x, "direction_y": y, "direction_z": z}.items()}
    vertex = {name: np.array([-300 * value / z]) for name, value in {"vertex_x": x, "vertex_y": y}.items()}
    shower = showers_of([[(int(row), float(random.uniform(0.1, 1))) for row in rows]], **along, **vertex)
    frame = event_frame(shower, cells)
    place = np.stack([getattr(cells, axis)[frame.rows] for axis in "xyz"], axis=1)
    for points, turned in ((place, frame.position),):
        between = np.linalg.norm(points[:, np.newaxis] - points, axis=2)
        np.testing.assert_allclose(np.linalg.norm(turned[:, np.newaxis] - turned, axis=2), between, atol=1e-4)
    assert np.all(np.diff(frame.energy) >= 0)
    # distance from the axis is that of the profiles
    distance = dict(zip(shower.cell.tolist(), axis_distance(shower, cells).tolist(), strict=True))
    expected = [distance[row] for row in frame.rows.tolist()]
    np.testing.assert_allclose(np.hypot(*frame.position[:, 1:].T), expected, atol=1e-3)
    # hits and corners of the cells lie in tilted planes 2 / cos(theta) cm apart; sideways lies in them
    np.testing.assert_allclose(frame.planes, np.array([0, 2, 4]) / z, atol=1e-3)
    layer = cells.layer[frame.rows] - 1
    for points in (frame.position[:, np.newaxis], frame.corners):
        plane = points[..., 0] - frame.tilt * points[..., 1]
        np.testing.assert_allclose(plane, np.broadcast_to(frame.planes[layer][:, np.newaxis], plane.shape), atol=1e-3)
    np.testing.assert_allclose(np.ptp(frame.corners, axis=1).max(axis=1), PITCH, atol=0.5)
    lines = frame.plane_lines()
    near, far = frame.depth
    assert near <= lines[..., 0].min() <= lines[..., 0].max() <= far
    assert np.abs(lines[..., 1:]).max() == pytest.approx(frame.radius)


def test_the_frame_in_a_barrel() -> None:
    cells = stack(barrel=True, far=150.0)
    hits = [(int(np.flatnonzero((cells.layer == n) & (cells.y == 0) & (cells.z == 0))[0]), 1.0) for n in (1, 2, 3)]
    shower = showers_of([hits], direction_x=np.ones(1), direction_z=np.zeros(1))
    frame = event_frame(shower, cells)
    np.testing.assert_allclose(frame.position, [[0, 0, 0], [2, 0, 0], [4, 0, 0]], atol=1e-4)
    assert frame.tilt == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(np.ptp(frame.corners[:, :, 1:], axis=1), PITCH, atol=0.02)


def test_what_lies_outside_the_view_is_told(cells: CellTable) -> None:
    near = [(row_of(cells, 2, x, y), 10.0) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    shower = showers_of([[*near, (row_of(cells, 2, 5, 5), 0.05)]])
    frame = event_frame(shower, cells)
    assert int(frame.seen.sum()) == 9
    title = event_title(shower, frame)
    assert title == "10 GeV photon: 10 hits, 90.1 GeV deposited (1 hits with 0.1 % of it outside the view)"
    drawn: Any = draw_event(shower, cells)
    assert len(drawn.hits.get_offsets()) == 9
    np.testing.assert_allclose(drawn.hits.get_array(), 10.0)


def test_markers_grow_with_energy_and_colours_are_even(cells: CellTable) -> None:
    shower = random_showers(cells, 1)
    drawn: Any = draw_event(shower, cells)
    assert np.all(np.diff(drawn.hits.get_sizes()) >= 0)
    assert drawn.hits.get_cmap().name == "viridis_r"
    front = draw_front(shower, cells)
    assert len(front.get_paths()) == event_frame(shower, cells).seen.sum()
    layers: Any = draw_layers(shower, cells)
    energy = np.bincount(cells.layer[shower.cell] - 1, shower.energy, 3)
    np.testing.assert_allclose(layers.get_data().values, energy)


def test_event_figure_is_saved_and_repeats(tmp_path, cells: CellTable) -> None:
    shower = random_showers(cells, 1)
    for name in ("a.png", "b.png"):
        save_figure(event_figure(shower, cells), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_cells_of_unknown_size_become_points(tmp_path) -> None:
    cells = CellTable.from_columns(
        {"cell_id": np.arange(3), "layer": np.arange(3) + 1, "x": np.zeros(3), "y": np.zeros(3),
         "z": 300.0 + np.arange(3), "z_side": np.ones(3, int)}
    )  # fmt: skip
    shower = showers_of([[(0, 1.0), (1, 2.0), (2, 1.0)]])
    assert np.isnan(event_frame(shower, cells).corners).all()
    save_figure(event_figure(shower, cells), tmp_path / "points.png")
    write_event_html(shower, cells, tmp_path / "points.html")


def test_a_shower_without_hits_is_refused(cells: CellTable) -> None:
    with pytest.raises(UsageError, match="no hits to draw"):
        event_figure(showers_of([[]]), cells)


def test_html_stands_alone_and_tells_about_hits(tmp_path, cells: CellTable) -> None:
    shower = showers_of([[(row_of(cells, 1, 0, 0), 0.0123), (row_of(cells, 2, 1, 0), 0.5)]])
    write_event_html(shower, cells, tmp_path / "event.html")
    page = (tmp_path / "event.html").read_text()
    assert "<script src=" not in page
    assert "<title>10 GeV photon: 2 hits" in page
    assert "12.3 MeV" in page
    assert f"cell {cells.cell_id[shower.cell[0]]}" in page
    write_event_html(shower, cells, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == page
    with pytest.raises(OutputError, match="--overwrite"):
        write_event_html(shower, cells, tmp_path / "event.html")
    with pytest.raises(UsageError, match=r"written as \.html"):
        write_event_html(shower, cells, tmp_path / "event.png")


def test_html_without_plotly(tmp_path, cells: CellTable, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(UsageError, match=r"pip install 'hgcal-gnn\[interactive\]'"):
        write_event_html(random_showers(cells, 1), cells, tmp_path / "event.html")
    assert not list(tmp_path.iterdir())


def test_importing_shower_pictures_loads_no_matplotlib() -> None:
    modules = "profiles, event, event_html"
    code = f"import sys; from hgcal_gnn.plotting import {modules}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
