"""The silicon-scintillator border."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.geometry.build import EdgeRules, build_graph
from hgcal_gnn.geometry.shapes import outlines


def border_pairs(graph):
    source, target = graph.edge_list()
    mine = (graph.edge_type == 1) & (graph.cells.is_silicon[source] == 1)
    return np.column_stack([source[mine], target[mine]])


def brute_force(table, limit):
    """Corner-to-corner distance of every silicon cell and tile of one layer."""
    silicon, tiles = np.flatnonzero(table.is_silicon), np.flatnonzero(table.is_silicon == 0)
    a, b = outlines(table, silicon).corners, outlines(table, tiles).corners
    gap = np.linalg.norm(a[:, None, :, None] - b[None, :, None, :], axis=-1).min(axis=(2, 3))
    near = (gap <= limit) & (table.layer[silicon][:, None] == table.layer[tiles][None])
    first, second = np.nonzero(near)
    return {(int(silicon[i]), int(tiles[j])) for i, j in zip(first, second, strict=True)}


@pytest.mark.parametrize("limit", [0.5, 1.5])
def test_published_rule_equals_brute_force(mixed_table, limit):
    graph, _ = build_graph(mixed_table, EdgeRules(border_distance=limit))
    found = {tuple(pair) for pair in border_pairs(graph).tolist()}
    assert found == brute_force(mixed_table, limit)
    assert limit == 0.5 or len(found) > 0


def test_outline_distance_links_at_least_as_much_as_corners(mixed_table):
    corner, _ = build_graph(mixed_table, EdgeRules(border_distance=0.5))
    outline, report = build_graph(mixed_table, EdgeRules(border_rule="outline", border_distance=0.5))
    assert {tuple(p) for p in border_pairs(corner).tolist()} <= {tuple(p) for p in border_pairs(outline).tolist()}
    assert any("border tiles linked" in note for note in report.notes)


def test_automatic_limit_follows_the_gap(mixed_table):
    graph, report = build_graph(mixed_table, EdgeRules(border_rule="outline", border_distance="auto"))
    assert len(border_pairs(graph)) > 0
    assert any("border edges up to" in note for note in report.notes)


def test_border_stays_within_the_layer(mixed_table):
    graph, _ = build_graph(mixed_table, EdgeRules(border_distance=1.5))
    pairs = border_pairs(graph)
    assert (mixed_table.layer[pairs[:, 0]] == mixed_table.layer[pairs[:, 1]]).all()
    assert (mixed_table.is_silicon[pairs[:, 1]] == 0).all()


def test_tiles_are_one_connected_sheet_with_four_neighbours_inside(mixed_table):
    graph, _ = build_graph(mixed_table)
    tiles = mixed_table.is_silicon == 0
    assert sorted(graph.degree((0,))[tiles].tolist()) == [2] * 8 + [3] * 12 + [4] * 4  # two sheets of 3 x 4


def test_no_border_without_scintillator(window_graph):
    assert not (window_graph.edge_type == 1).any()
