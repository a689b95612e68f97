"""Cells that touch: the Voronoi rule on made-up and on real layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.geometry.build import EdgeRules, build_graph
from hgcal_gnn.geometry.detid import decode_silicon
from tests.geometry import reference
from tests.geometry.tables import cms_table, grid_table, hexagon_lattice, plain_table

TOUCHING = EdgeRules(contact="touching", neighbours="geometric")


def test_seven_hexagons_by_hand():
    graph, _ = build_graph(cms_table(hexagon_lattice(1)))
    assert graph.n_edges == 24  # the centre has 6 neighbours, each of the 6 rim cells 3
    assert sorted(graph.degree((0,)).tolist()) == [3, 3, 3, 3, 3, 3, 6]


def test_squares_touch_along_sides_not_at_corners():
    graph, _ = build_graph(grid_table(3, dx=None), TOUCHING)
    assert graph.degree((0,)).reshape(3, 3).tolist() == [[2, 3, 2], [3, 4, 3], [2, 3, 2]]


def test_missing_tile_leaves_a_gap_without_diagonal_links():
    full = grid_table(5, dx=None)
    hole = full.select(np.flatnonzero(full.cell_id != 13))  # the middle of 5 x 5
    graph, _ = build_graph(hole, TOUCHING)
    assert graph.n_edges == 2 * (2 * 5 * 4 - 4)


def test_gap_between_two_patches_is_not_bridged():
    left = hexagon_lattice(3)
    right = hexagon_lattice(3, centre=(7 * 1.209 + 0.9, 100.0))
    graph, _ = build_graph(cms_table(np.concatenate([left, right])))
    source, target = graph.edge_list()
    across = (graph.cells.x[source] < 4.5) != (graph.cells.x[target] < 4.5)
    assert graph.n_edges > 0
    assert not across.any()


def test_fine_and_coarse_hexagons_touch_across_the_seam():
    # 12 columns of pitch 0.806 beside 8 of pitch 1.209: the heights agree every 2 fine (3 coarse) rows.
    fine = hexagon_lattice(6, 0.806, (0.0, 100.0))
    fine = fine[fine[:, 0] < 0]
    coarse = hexagon_lattice(5, 1.209, (0.7, 100.0))
    coarse = coarse[coarse[:, 0] > 0.55]
    points = np.concatenate([fine, coarse])
    kind = np.repeat([0, 1], [len(fine), len(coarse)])
    graph, _ = build_graph(cms_table(points, cell_type=kind))
    source, target = graph.edge_list()
    mixed = graph.cells.cell_type[source] != graph.cells.cell_type[target]
    assert mixed.sum() >= 12
    step = graph.cells.positions[target] - graph.cells.positions[source]
    assert np.linalg.norm(step[mixed], axis=1).max() <= 1.5 * (0.806 + 1.209) / 2 + 1e-6


@given(seed=st.integers(0, 10_000), angle=st.floats(0, 6.28), shift=st.floats(-200, 200))
@settings(max_examples=25, deadline=None)
def test_equals_the_reference_on_distorted_lattices(seed, angle, shift):
    rng = np.random.default_rng(seed)
    points = hexagon_lattice(5) + rng.normal(0, 0.15, (91, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (points @ turn.T + [shift, 0]).astype(np.float32).astype(np.float64)
    graph, _ = build_graph(cms_table(points))
    from hgcal_gnn.geometry.neighbours.pitch import cell_pitch
    from hgcal_gnn.geometry.stations import find_stations

    pitch = cell_pitch(graph.cells, find_stations(graph.cells)).astype(float)
    expected = {tuple(sorted(pair)) for pair in reference.touching(points, pitch).tolist()}
    assert reference.undirected(graph, 0) == expected


def test_barrel_wraps_around():
    phi, z = (a.ravel() for a in np.meshgrid(np.arange(40) * 2 * np.pi / 40, np.arange(5) * 1.57, indexing="ij"))
    table = plain_table(10 * np.cos(phi), 10 * np.sin(phi), z, np.ones(200, int))
    graph, _ = build_graph(table, TOUCHING)
    assert (table.z_side == 0).all()
    assert np.bincount(graph.degree((0,))).tolist() == [0, 0, 0, 80, 120]  # no end in phi, two in z


def test_real_wafers_have_exactly_their_uv_neighbours(window_graph):
    ids = decode_silicon(window_graph.cells.cell_id)
    layer = window_graph.cells.layer.astype(np.int64)
    u, v = ids.cell_u.astype(np.int64), ids.cell_v.astype(np.int64)
    wafer = (layer << 16) + ((ids.wafer_u.astype(np.int64) + 50) << 8) + ids.wafer_v + 50
    source, target = window_graph.edge_list()
    inside = (window_graph.edge_type == 0) & (wafer[source] == wafer[target])
    du, dv = (u[target] - u[source])[inside], (v[target] - v[source])[inside]
    hexagonal = {(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1)}
    assert set(zip(du.tolist(), dv.tolist(), strict=True)) == hexagonal  # precision 1.000

    def key(wafer, u, v):
        return (wafer << 12) + (u << 6) + v

    known = np.sort(key(wafer, u, v))
    expected = sum(int(np.isin(key(wafer, u + a, v + b), known).sum()) for a, b in hexagonal)
    assert int(inside.sum()) == expected  # recall 1.000


def test_real_wafer_borders_have_the_stated_degrees(window_graph):
    cells = window_graph.cells
    degree = window_graph.degree((0,))
    interior = _interior(cells)
    fine = cells.cell_type == 0
    source, target = window_graph.edge_list()
    in_layer = window_graph.edge_type == 0
    mixed = np.zeros(cells.n_cells, dtype=bool)
    mixed[source[in_layer & (fine[source] != fine[target])]] = True
    assert set(degree[interior & ~fine & ~mixed].tolist()) == {6}
    assert set(degree[interior & fine & ~mixed].tolist()) == {5, 6}
    assert set(degree[interior & fine & mixed].tolist()) == {5, 6}
    assert set(degree[interior & ~fine & mixed].tolist()) == {6, 7}
    assert (degree[interior & fine & ~mixed] == 6).mean() > 0.95


def test_real_interior_cells_have_links_in_depth_and_the_graph_is_one_piece(window_graph):
    from hgcal_gnn.geometry.checks import check_graph
    from hgcal_gnn.geometry.summary import summarise_graph

    layer = window_graph.cells.layer
    assert (window_graph.degree((2,))[layer < 26] > 0).all()
    assert (window_graph.degree((3,))[layer > 1] > 0).all()
    assert summarise_graph(window_graph)["components"] == 1
    assert check_graph(window_graph) == []


def test_real_window_equals_the_reference(window_graph):
    from hgcal_gnn.geometry.neighbours.pitch import cell_pitch
    from hgcal_gnn.geometry.stations import find_stations

    cells = window_graph.cells
    pitch = cell_pitch(cells, find_stations(cells)).astype(float)
    expected = []
    for layer in range(1, 27):
        rows = np.flatnonzero(cells.layer == layer)
        expected.append(rows[reference.touching(cells.positions[rows, :2], pitch[rows])])
    expected = {tuple(sorted(pair)) for pair in np.concatenate(expected).tolist()}
    assert reference.undirected(window_graph, 0) == expected


def _interior(cells, margin=5.0):
    """Cells further than `margin` [cm] from the convex hull of their layer's window."""
    from scipy.spatial import ConvexHull

    inside = np.zeros(cells.n_cells, dtype=bool)
    for layer in np.unique(cells.layer):
        rows = np.flatnonzero(cells.layer == layer)
        points = cells.positions[rows, :2]
        sides = ConvexHull(points).equations
        inside[rows] = (-(points @ sides[:, :2].T + sides[:, 2])).min(axis=1) > margin
    return inside


def test_many_overlapping_cells_do_not_overflow_the_buffers():
    rng = np.random.default_rng(3)
    crowd = np.concatenate([hexagon_lattice(4), rng.normal((0, 100), 0.2, (300, 2))])
    graph, _ = build_graph(cms_table(crowd, cell_type=np.repeat([1, 0], [61, 300])))
    assert graph.degree((0,)).max() < 60


@pytest.mark.parametrize("n", [1, 2])
def test_tiny_layers(n):
    graph, _ = build_graph(cms_table(hexagon_lattice(1)[:n]))
    assert graph.n_edges == 2 * (n - 1)
