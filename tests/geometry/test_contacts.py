"""Contact of boxes, the Gabriel rule and exported neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.build import EdgeRules, build_graph
from hgcal_gnn.geometry.neighbours.gabriel import ROUND
from tests.geometry.reference import undirected
from tests.geometry.tables import grid_table, hexagon_lattice, plain_table


@pytest.mark.parametrize(("corners", "expected"), [(False, [[2, 3, 2], [3, 4, 3], [2, 3, 2]]),
                                                   (True, [[3, 5, 3], [5, 8, 5], [3, 5, 3]])])  # fmt: skip
@pytest.mark.parametrize("contact", ["boxes", "gabriel"])
def test_square_grid_by_hand(contact, corners, expected):
    graph, _ = build_graph(grid_table(3), EdgeRules(contact=contact, corners=corners))
    assert graph.degree((0,)).reshape(3, 3).tolist() == expected


@pytest.mark.parametrize("contact", ["boxes", "gabriel"])
def test_long_strips_touch_in_both_directions(contact):
    i, j = (a.ravel() for a in np.meshgrid(np.arange(3), np.arange(96), indexing="ij"))
    sizes = {"dx": np.full(288, 16.0), "dy": np.full(288, 0.5)} if contact == "boxes" else {}
    graph, _ = build_graph(plain_table(i * 16.0, j * 0.5, np.full(288, 10.0), np.ones(288, int), **sizes))
    assert graph.n_edges == 2 * (3 * 95 + 2 * 96)


@pytest.mark.parametrize("contact", ["boxes", "gabriel"])
def test_real_gap_is_not_bridged(contact):
    table = grid_table(6)
    gap = table.select(np.flatnonzero(~np.isin(table.x, (2, 3))))
    rules = EdgeRules(contact=contact)
    graph, _ = build_graph(gap, rules)
    source, target = graph.edge_list()
    assert (np.abs(gap.x[source] - gap.x[target]) <= 1).all() or contact == "gabriel"
    wide = grid_table(12)
    wide = wide.select(np.flatnonzero(~np.isin(wide.x, (4, 5, 6, 7))))
    graph, _ = build_graph(wide, rules)
    source, target = graph.edge_list()
    assert (np.abs(wide.x[source] - wide.x[target]) <= 1).all()


def test_boxes_of_unequal_size_meet_like_bricks():
    # One 2 x 2 box beside four 1 x 1 boxes: it touches the two nearest, not the two behind them.
    table = plain_table(
        [0, 1.5, 1.5, 2.5, 2.5], [0, -0.5, 0.5, -0.5, 0.5], [5.0] * 5, [1] * 5,
        dx=np.array([2.0, 1, 1, 1, 1]), dy=np.array([2.0, 1, 1, 1, 1]),
    )  # fmt: skip
    assert undirected(build_graph(table)[0], 0) == {(0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 4)}


def test_eta_phi_boxes_wrap_around():
    phi = (np.arange(36) + 0.5) * 2 * np.pi / 36
    eta = np.array([0.05, 0.15])
    phi, eta = (a.ravel() for a in np.meshgrid(phi, eta, indexing="ij"))
    table = plain_table(
        100 * np.cos(phi), 100 * np.sin(phi), 100 * np.sinh(eta), np.ones(72, int),
        deta=np.full(72, 0.1), dphi=np.full(72, 2 * np.pi / 36),
    )  # fmt: skip
    assert build_graph(table)[0].n_edges == 2 * (72 + 36)


def test_r_phi_sectors_and_the_few_bins_of_a_small_ring():
    phi, r = (a.ravel() for a in np.meshgrid(np.arange(3) * 2 * np.pi / 3, [1.0, 3.0, 5.0], indexing="ij"))
    table = plain_table(
        r * np.cos(phi), r * np.sin(phi), np.full(9, 10.0), np.ones(9, int),
        dr=np.full(9, 2.0), dphi=np.full(9, 2 * np.pi / 3),
    )  # fmt: skip
    assert build_graph(table)[0].n_edges == 2 * (9 + 6)  # three rings of three, closed, and two steps outwards


@given(seed=st.integers(0, 1000))
@example(seed=582)  # a third point lies 3e-6 of a radius outside the circle of a link: counted as on it
@settings(max_examples=20, deadline=None)
def test_gabriel_equals_the_definition(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 10, (30, 2)).astype(np.float32).astype(float)
    table = plain_table(points[:, 0], points[:, 1], np.full(30, 500.0), np.ones(30, int))
    found = undirected(build_graph(table, EdgeRules(contact="gabriel"))[0], 0)
    first, second = np.triu_indices(30, 1)
    centre = (points[first] + points[second]) / 2
    radius = np.hypot(*(points[first] - points[second]).T) / 2
    distance = np.hypot(*(points[:, None] - centre).transpose(2, 0, 1))
    inside = distance < radius - 1e-9
    defined = set(zip(first[~inside.any(0)].tolist(), second[~inside.any(0)].tolist(), strict=True))
    assert found <= defined
    length = {pair: 2 * r for pair, r in zip(zip(first.tolist(), second.tolist(), strict=True), radius, strict=True)}
    usual = np.quantile([length[pair] for pair in defined], 0.9)
    doubtful = (np.abs(distance / radius - 1) < 1.1 * ROUND).sum(axis=0) > 2  # but for its own two ends
    doubtful_pairs = set(zip(first[doubtful].tolist(), second[doubtful].tolist(), strict=True))
    assert all(length[pair] > usual for pair in defined - found - doubtful_pairs)  # only far links are cut


def test_hexagons_without_sizes_get_six_neighbours():
    points = hexagon_lattice(4)
    table = plain_table(points[:, 0], points[:, 1], np.full(61, 322.0), np.ones(61, int))
    graph, report = build_graph(table)
    assert graph.degree((0,)).max() == 6
    assert graph.n_edges == 2 * 156  # 3 n (3 n + 1) links of a hexagonal patch of n = 4 rings
    assert any("Gabriel" in note for note in report.notes)


def exported_table(**changed):
    """A row of four cells that name their neighbours, in two layers of two."""
    columns = {
        "x": [0.0, 1.0, 0.0, 1.0],
        "y": [0.0] * 4,
        "z": [300.0, 300.0, 310.0, 310.0],
        "layer": [1, 1, 2, 2],
        "n0": np.array([2, 1, 4, 3]),
        "n1": np.array([0, 0, 0, 0]),
        "next": np.array([3, 4, 0, 0]),
        "previous": np.array([0, 0, 1, 2]),
    } | changed
    return plain_table(**columns)


def test_exported_neighbours_are_taken_as_they_are():
    graph, report = build_graph(exported_table())
    source, target = graph.edge_list()
    edges = set(zip(source.tolist(), target.tolist(), graph.edge_type.tolist(), strict=True))
    assert edges == {(0, 1, 0), (1, 0, 0), (2, 3, 0), (3, 2, 0), (0, 2, 2), (2, 0, 3), (1, 3, 2), (3, 1, 3)}
    assert not any("name" in note for note in report.notes)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n0": np.array([2, 0, 4, 3])}, "1 cells (first ids 1) name a neighbour that does not name them"),
        ({"n0": np.array([2, 1, 4, 99])}, "column n0: 1 cells (first ids 4) name a neighbour that is not in the table"),
        ({"n1": np.array([3, 0, 1, 0])}, "2 cells (first ids 1, 3) name a cell of another layer"),
        ({"n1": np.array([1, 0, 0, 0])}, "1 cells (first ids 1) name themselves"),
        ({"next": np.array([2, 4, 0, 0])}, "column next: 1 cells (first ids 1) do not name a cell of a next layer"),
    ],
)
def test_defects_of_exported_neighbours_are_reported(changed, message):
    graph, report = build_graph(exported_table(**changed))
    assert any(message in note for note in report.notes), report.notes
    assert undirected(graph, 0) == {(0, 1), (2, 3)}


def test_exported_neighbours_can_be_ignored_or_demanded():
    geometric, _ = build_graph(exported_table(n0=np.array([0, 0, 0, 3])), EdgeRules(neighbours="geometric"))
    assert undirected(geometric, 0) == {(0, 1), (2, 3)}
    with pytest.raises(UsageError, match="no neighbour columns"):
        build_graph(grid_table(2), EdgeRules(neighbours="exported"))
    with pytest.raises(UsageError, match="needs sizes"):
        build_graph(grid_table(2, dx=None), EdgeRules(contact="boxes"))
