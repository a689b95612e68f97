"""Nearest cells of the next and previous layer."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.stations import find_stations
from tests.geometry import reference
from tests.geometry.tables import grid_table, plain_table


def depth_links(graph):
    """Directed edges to the next layer."""
    source, target = graph.edge_list()
    mine = graph.edge_type == 2
    return set(zip(source[mine].tolist(), target[mine].tolist(), strict=True))


def expected_links(table):
    """Nearest-next joined with reversed nearest-previous, by SciPy."""
    stations = find_stations(table)
    points = np.column_stack([stations.a, stations.b])
    links = set()
    for here, there in enumerate(stations.next.tolist()):
        if there < 0:
            continue
        near, far = (np.flatnonzero(stations.number == s) for s in (here, there))
        ids = table.cell_id
        forward = reference.nearest(points[far], points[near], ids[far])
        backward = reference.nearest(points[near], points[far], ids[near])
        links |= set(zip(near.tolist(), far[forward].tolist(), strict=True))
        links |= set(zip(near[backward].tolist(), far.tolist(), strict=True))
    return links


def test_aligned_layers_link_straight():
    graph, _ = build_graph(grid_table(3, layers=3))
    assert depth_links(graph) == {(i, i + 9) for i in range(18)}


def test_coarse_cell_collects_all_fine_cells_in_front_of_it():
    table = plain_table([0, 1, 2, 3, 0.5, 2.5], [0.0] * 6, [300.0] * 4 + [310.0] * 2, [1, 1, 1, 1, 2, 2])
    graph, _ = build_graph(table)
    assert depth_links(graph) == {(0, 4), (1, 4), (2, 5), (3, 5)}


def test_ties_go_to_the_smaller_id_not_to_the_smaller_row():
    table = plain_table(
        [0.0, 0.0, 1.0, -1.0, 0.0],
        [0.0, 5.0, 0.0, 0.0, 0.0],
        [300.0, 300.0, 310.0, 310.0, 320.0],
        [1, 1, 2, 2, 3],
        subdetector=[0, 0, 1, 2, 1],
        cell_id=[10, 11, 50, 40, 60],
    )
    graph, _ = build_graph(table)
    row = {identity: place for place, identity in enumerate(table.cell_id.tolist())}
    assert row[50] < row[40]
    nearest_of_10 = [pair[1] for pair in depth_links(graph) if pair[0] == row[10]]
    assert row[40] in nearest_of_10
    assert (row[11], row[40]) in depth_links(graph)
    assert (row[11], row[50]) not in depth_links(graph)


def test_gap_in_layer_numbers_is_jumped():
    table = grid_table(2, layers=2)
    far = plain_table(table.x, table.y, table.z, np.where(table.layer == 2, 7, 1))
    graph, _ = build_graph(far)
    assert len(depth_links(graph)) == 4


@given(seed=st.integers(0, 10_000), n=st.integers(2, 80), spread=st.sampled_from([1.0, 30.0]))
@settings(max_examples=40, deadline=None)
def test_equals_the_reference_on_scattered_layers(seed, n, spread):
    rng = np.random.default_rng(seed)
    layer = rng.integers(1, 4, n)
    if len(np.unique(layer)) < 2:
        layer[0] = layer[0] % 3 + 1
    x, y = rng.normal(0, 10, n) + (layer == 2) * spread, rng.normal(50, 10, n)
    table = plain_table(np.round(x, 1), np.round(y, 1), 300.0 + 10 * layer, layer)
    graph, _ = build_graph(table)
    assert depth_links(graph) == expected_links(table)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_barrels_link_by_angle_across_the_seam(seed):
    rng = np.random.default_rng(seed)
    phi, z = rng.uniform(-np.pi, np.pi, 120), rng.uniform(-50, 50, 120)
    layer = np.repeat([1, 2], 60)
    r = np.where(layer == 1, 100.0, 120.0)
    table = plain_table(r * np.cos(phi), r * np.sin(phi), z, layer)
    assert (table.z_side == 0).all()
    links = depth_links(build_graph(table)[0])
    angle, height = np.arctan2(*table.positions[:, 1::-1].T), table.positions[:, 2]
    for here, there, radius in ((1, 2, 120.0), (2, 1, 100.0)):
        near, far = np.flatnonzero(table.layer == here), np.flatnonzero(table.layer == there)
        turn = (angle[far][None] - angle[near][:, None] + np.pi) % (2 * np.pi) - np.pi
        distance = np.hypot(turn * radius, height[far][None] - height[near][:, None])
        for row, best in zip(near.tolist(), far[distance.argmin(axis=1)].tolist(), strict=True):
            assert ((row, best) if here == 1 else (best, row)) in links


def test_every_relation_is_stored_both_ways(window_graph):
    source, target = window_graph.edge_list()
    key = source * window_graph.n_cells + target
    back = target * np.int64(window_graph.n_cells) + source
    kind = window_graph.edge_type
    order = np.argsort(back)
    assert np.array_equal(back[order], key)
    swapped = np.array([0, 1, 3, 2], dtype=np.uint8)[kind]
    assert np.array_equal(swapped[order], kind)


def test_real_nearest_cells_equal_the_reference(window_graph):
    assert depth_links(window_graph) == expected_links(window_graph.cells)
