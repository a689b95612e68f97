"""Tables of other detectors: which surface their layers lie in, who touches whom, what lies behind what."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.build import EdgeRules, build_graph
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.checks import check_graph
from hgcal_gnn.geometry.stations import find_stations
from hgcal_gnn.geometry.surfaces import surfaces
from tests.geometry.reference import undirected
from tests.geometry.tables import grid_table, plain_table


def turn(n: int, start: float = 0.0) -> np.ndarray:
    """Middles of n cells around the beam."""
    return start + (np.arange(n) + 0.5) * 2 * np.pi / n


def barrel(r, n_phi: int, z) -> np.ndarray:
    """Cells around the beam, [3, n]; r may depend on z."""
    phi, z = (a.ravel() for a in np.meshgrid(turn(n_phi), np.asarray(z, float), indexing="ij"))
    r = r(z) if callable(r) else np.full(len(z), float(r))
    return np.stack([r * np.cos(phi), r * np.sin(phi), z])


def rings(z, n_phi: int, r) -> np.ndarray:
    """Rings of cells across the beam, [3, n]; z may depend on r."""
    phi, r = (a.ravel() for a in np.meshgrid(turn(n_phi), np.asarray(r, float), indexing="ij"))
    z = z(r) if callable(z) else np.full(len(r), float(z))
    return np.stack([r * np.cos(phi), r * np.sin(phi), z])


def squares(z: float, pitch: float, inner: float, outer: float) -> np.ndarray:
    """Squares between two radii of an endcap, [3, n]."""
    n = int(outer / pitch) + 1
    x, y = (a.ravel() for a in np.meshgrid((np.arange(-n, n) + 0.5) * pitch, (np.arange(-n, n) + 0.5) * pitch))
    r = np.hypot(x, y)
    keep = (r > inner) & (r < outer)
    return np.stack([x[keep], y[keep], np.full(keep.sum(), float(z))])


def table_of(*parts: tuple[int, np.ndarray], **extra) -> CellTable:
    """Join pieces given as (layer, places), with columns given per piece."""
    sizes = [places.shape[1] for _, places in parts]
    columns = {name: np.repeat(values, sizes) for name, values in extra.items()}
    layer = np.repeat([layer for layer, _ in parts], sizes)
    return plain_table(*np.concatenate([places for _, places in parts], axis=1), layer, **columns)


def links(graph, edge_type: int) -> tuple[np.ndarray, np.ndarray]:
    """Source and target of the edges of one type."""
    source, target = graph.edge_list()
    mine = graph.edge_type == edge_type
    return source[mine], target[mine]


@pytest.mark.parametrize("n_eta", [16, 32, 256])
def test_wall_and_ends_of_a_projective_can_are_told_apart_whatever_the_granularity(n_eta):
    # One layer of constant steps in eta and phi, |eta| < 3, barrel up to 1.5 (a layer of the COCOA calorimeter).
    eta, phi = (a.ravel() for a in np.meshgrid((np.arange(n_eta) + 0.5) / n_eta * 6 - 3, turn(64), indexing="ij"))
    in_barrel = np.abs(eta) < 1.5
    r = np.where(in_barrel, 150.0, 150 * np.sinh(1.5) / np.sinh(np.maximum(np.abs(eta), 0.01)))
    z = np.where(in_barrel, 150 * np.sinh(eta), np.sign(eta) * 150 * np.sinh(1.5))
    table = plain_table(r * np.cos(phi), r * np.sin(phi), z, np.zeros(len(eta), int))
    assert np.array_equal(table.z_side[np.argsort(table.cell_id)], np.where(in_barrel, 0, np.sign(eta)))


def test_conical_endcaps_of_different_distance_in_one_layer():
    # As in Belle II: crystals in rings, every ring of an endcap at its own z, forward and backward unlike.
    forward = rings(lambda r: 196 + 0.08 * r, 64, np.arange(45, 120, 6))
    backward = rings(lambda r: -102 - 0.1 * r, 64, np.arange(50, 125, 6))
    middle = barrel(lambda z: 130 + 0.02 * np.abs(z), 72, np.arange(-90, 190, 6))
    table = table_of((1, forward), (1, middle), (1, backward))
    count = [places.shape[1] for places in (backward, middle, forward)]
    assert np.bincount(table.z_side + 1).tolist() == count
    graph, report = build_graph(table)
    assert "2 disks (x, y) and 1 barrels (z, r phi)" in report.notes[0]
    degree = graph.degree((0,))
    assert set(degree.tolist()) == {3, 4}  # rings are closed; only first and last ring of each part have three
    assert (degree == 3).sum() == 2 * (64 + 72 + 64)


def test_unequal_endcaps_with_numbers_of_their_own_are_no_stack():
    table = table_of((1, squares(330, 5, 20, 100)), (2, squares(334, 5, 20, 100)),
                     (11, squares(-175, 4, 15, 60)), (12, squares(-178, 4, 15, 60)))  # fmt: skip
    assert np.array_equal(table.z_side, np.sign(table.z))
    source, target = links(build_graph(table)[0], 2)
    assert (np.sign(table.z[source]) == np.sign(table.z[target])).all()


def test_endcaps_and_barrel_named_one_by_one():
    places = squares(330, 5, 20, 100), squares(-175, 4, 15, 60), barrel(85, 48, np.arange(-150, 151, 10))
    table = table_of(*((1, piece) for piece in places), subdetector=[3, 4, 5])
    assert {(s.subdetector, s.kind, s.z_side) for s in surfaces(table)} == {
        (3, "disk", 1), (4, "disk", -1), (5, "barrel", 0)
    }  # fmt: skip


def test_faces_of_a_square_barrel_join_at_their_edges():
    t, z = (a.ravel() for a in np.meshgrid(np.arange(-9.5, 10), np.arange(-9.5, 10), indexing="ij"))
    faces = [np.stack([10.5 * c - t * s, 10.5 * s + t * c, z]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    table = table_of(*((1, face) for face in faces))
    graph, report = build_graph(table)
    assert "1 closed layers" in report.notes[0]
    degree = np.bincount(graph.degree((0,)))
    assert degree.tolist() == [0, 0, 0, 2 * 80, 1600 - 2 * 80]


def test_stack_across_the_beam_is_made_of_walls():
    y, z = (a.ravel() for a in np.meshgrid(np.arange(-4, 5), np.arange(-4, 5), indexing="ij"))
    table = table_of(*((k + 1, np.stack([np.full(81, -3.0 + 2 * k), y, z])) for k in range(4)))
    assert [s.kind for s in surfaces(table)] == ["wall"] * 4
    graph, _ = build_graph(table)
    assert (graph.edge_type == 0).sum() == 2 * 4 * (2 * 9 * 8)
    source, target = links(graph, 2)
    assert len(source) == 3 * 81
    assert np.array_equal(graph.cells.positions[target] - graph.cells.positions[source], np.tile([2.0, 0, 0], (243, 1)))


def test_single_rings_around_the_beam_are_closed_barrels():
    table = table_of((1, barrel(100, 24, [0.0])), (2, barrel(110, 24, [0.0])))
    assert {s.kind for s in surfaces(table)} == {"barrel"}
    graph, _ = build_graph(table)
    assert set(graph.degree((0,)).tolist()) == {2}
    assert len(links(graph, 2)[0]) == 24


def tile_like_barrel() -> CellTable:
    """A long inner layer 3; behind it a middle (12, 13) and two outer pieces (18, 19) side by side.

    As in ATLAS, where the numbers of the extended barrel follow those of the whole middle barrel.
    """
    return table_of(
        (3, barrel(190, 64, np.arange(-195, 196, 10))),
        (12, barrel(245, 64, np.arange(-95, 96, 10))),
        (13, barrel(300, 64, np.arange(-95, 96, 10))),
        (18, np.concatenate([barrel(245, 64, s * np.arange(115, 196, 10)) for s in (-1, 1)], axis=1)),
        (19, np.concatenate([barrel(290, 64, s * np.arange(115, 196, 10)) for s in (-1, 1)], axis=1)),
    )


def test_layers_beside_each_other_are_linked_to_what_lies_behind_them():
    table = tile_like_barrel()
    graph, report = build_graph(table)
    assert any("order of their depth" in note for note in report.notes)
    source, target = links(graph, 2)
    pairs = set(zip(table.layer[source].tolist(), table.layer[target].tolist(), strict=True))
    assert pairs == {(3, 12), (3, 18), (12, 13), (18, 19)}
    assert np.allclose(table.z[source], table.z[target])
    assert len(source) == 64 * (20 + 18 + 20 + 18)  # all but the inner cells in front of the crack and beyond the end
    assert not check_graph(graph)


def test_crack_between_pieces_has_no_cell_behind():
    table = tile_like_barrel()
    graph, _ = build_graph(table)
    forward = graph.degree((2,))
    inner = table.layer == 3
    assert set(np.abs(table.z[inner & (forward == 0)]).tolist()) == {105.0}


def test_detectors_that_count_from_one_each_are_passed_through_layer_by_layer():
    # ECAL endcap, HCAL endcap behind it, and a ring of HCAL around the ECAL, as in ILD.
    parts = [(k + 1, squares(245 + 2 * k, 5, 25, 100)) for k in range(4)]
    parts += [(k + 1, squares(254 + 6 * k, 5, 25, 150)) for k in range(3)]
    parts += [(k + 1, squares(244.5 + 4 * k, 5, 110, 150)) for k in range(2)]
    table = table_of(*parts, subdetector=[29] * 4 + [31] * 3 + [32] * 2)
    graph, _ = build_graph(table)
    source, target = links(graph, 2)
    assert np.allclose(table.positions[source, :2], table.positions[target, :2])
    pairs = set(zip(table.subdetector[source].tolist(), table.subdetector[target].tolist(), strict=True))
    assert pairs == {(29, 29), (29, 31), (31, 31), (32, 32), (32, 31)}
    assert not (graph.edge_type == 1).any()  # equal numbers of two detectors are no common layer
    ring_to_endcap = (table.subdetector[source] == 32) & (table.subdetector[target] == 31)
    assert set(table.layer[target[ring_to_endcap]].tolist()) == {1}


def test_towers_are_followed_along_their_direction():
    # Barrel layers of constant steps in eta: behind a cell lies the one of the same eta, not of the same z.
    eta, phi = (a.ravel() for a in np.meshgrid((np.arange(20) - 9.5) * 0.1, turn(36), indexing="ij"))
    places = [np.stack([r * np.cos(phi), r * np.sin(phi), r * np.sinh(eta)]) for r in (150.0, 180.0, 220.0)]
    table = table_of((1, places[0]), (2, places[1]), (3, places[2]),
                     deta=[0.1] * 3, dphi=[2 * np.pi / 36] * 3)  # fmt: skip
    graph, report = build_graph(table)
    assert "neighbours in depth by (eta, phi)" in report.notes
    source, target = links(graph, 2)
    assert np.array_equal(target - source, np.full(2 * 720, 720))


def test_layers_without_sizes_fall_back_to_the_centres():
    grid = grid_table(4, layers=3)
    extra = {name: np.where(grid.layer == 2, 0.0, grid.extra[name]) for name in ("dx", "dy")}
    table = plain_table(grid.x, grid.y, grid.z, grid.layer, **extra)
    graph, report = build_graph(table)
    assert np.array_equal(graph.col, build_graph(grid)[0].col)
    assert any("in 1 layers without sizes" in note for note in report.notes)
    with pytest.raises(UsageError, match="sizes above 0 for every cell"):
        build_graph(table, EdgeRules(contact="boxes"))


def test_every_layer_takes_the_boxes_that_its_columns_state():
    # A disk of squares (dx, dy) behind a disk of towers (deta, dphi), 0 where a column does not apply (ATLAS).
    eta, phi = (a.ravel() for a in np.meshgrid(2 + 0.1 * np.arange(6), turn(36), indexing="ij"))
    towers = np.stack([300 / np.sinh(eta) * np.cos(phi), 300 / np.sinh(eta) * np.sin(phi), np.full(216, 300.0)])
    table = table_of((1, towers), (2, squares(400, 4, 20, 60)),
                     deta=[0.1, 0], dphi=[2 * np.pi / 36, 0], dx=[0, 4.0], dy=[0, 4.0])  # fmt: skip
    graph, _ = build_graph(table)
    first = table.layer == 1
    assert np.bincount(graph.degree((0,))[first]).tolist() == [0, 0, 0, 72, 144]
    source, target = links(graph, 0)
    step = np.abs(table.positions[target] - table.positions[source])[~first[source]]
    assert np.allclose(step.sum(axis=1), 4)


def test_regions_of_one_layer_are_linked_across_their_border():
    # Two squares of 2 cm beside four of 1 cm, as subdetectors of their own: an inner and an outer region.
    table = plain_table(
        [0, 0, 1.5, 1.5, 1.5, 1.5], [0, 2, -0.5, 0.5, 1.5, 2.5], [500.0] * 6, [1] * 6,
        subdetector=[1, 1, 2, 2, 2, 2], dx=np.array([2.0, 2, 1, 1, 1, 1]), dy=np.array([2.0, 2, 1, 1, 1, 1]),
    )  # fmt: skip
    graph, _ = build_graph(table)
    assert undirected(graph, 1) == {(0, 2), (0, 3), (1, 4), (1, 5)}
    assert undirected(graph, 0) == {(0, 1), (2, 3), (3, 4), (4, 5)}


def test_two_channels_at_one_place_are_linked_and_told():
    places = squares(250, 2, 20, 40)
    graph, report = build_graph(table_of((1, places), (1, places)))
    n = places.shape[1]
    single, _ = build_graph(table_of((1, places)))
    assert graph.n_edges == single.n_edges + 2 * n
    assert any(note.startswith(f"{n} cells lie at the place of another one") for note in report.notes)
    twice, _ = build_graph(table_of((1, places), (1, places), subdetector=[1, 2]))  # dual readout
    assert twice.n_edges == 2 * single.n_edges


def test_lengths_in_millimetres_are_suspected():
    graph, report = build_graph(table_of((1, squares(3300, 50, 300, 900))))
    assert graph.n_edges > 0
    assert any("--length-unit" in note for note in report.notes)


def test_pitch_of_every_layer_is_its_own():
    # Touching cells of a fine and a coarse layer of one detector.
    table = table_of((1, squares(300, 1, 5, 12)), (2, squares(310, 3, 5, 30)))
    graph, _ = build_graph(table, EdgeRules(contact="touching"))
    source, target = links(graph, 0)
    step = np.abs(table.positions[target] - table.positions[source]).sum(axis=1)
    assert np.allclose(step, np.where(table.layer[source] == 1, 1, 3))
    by_centres, _ = build_graph(table, EdgeRules(contact="gabriel"))
    assert np.array_equal(graph.col, by_centres.col)


@pytest.mark.parametrize("seed", range(6))
def test_gabriel_links_around_a_barrel_equal_the_definition(seed):
    rng = np.random.default_rng(seed)
    phi, z = rng.uniform(-np.pi, np.pi, 70), rng.uniform(-60, 60, 70)
    table = plain_table(100 * np.cos(phi), 100 * np.sin(phi), z, np.ones(70, int))
    found = undirected(build_graph(table, EdgeRules(contact="gabriel"))[0], 0)
    stations = find_stations(table)
    around = 2 * np.pi * stations.radius[0]
    expected = set()
    for i in range(70):
        for j in range(i):
            da, db = stations.a[j] - stations.a[i], stations.b[j] - stations.b[i]
            db -= around * np.round(db / around)
            qa, qb = stations.a - stations.a[i] - da / 2, stations.b - stations.b[i] - db / 2
            qb -= around * np.round(qb / around)
            inside = qa**2 + qb**2 < (da**2 + db**2) / 4 * (1 - 1e-9)
            inside[[i, j]] = False
            if not inside.any():
                expected.add((j, i))
    assert found <= expected  # far links over empty regions are cut
    assert len(expected - found) <= 3


def test_exported_neighbours_of_a_table_whose_ids_start_at_0():
    columns = {"cell_id": np.arange(4), "layer": np.ones(4, int), "x": np.arange(4.0), "y": np.zeros(4),
               "z": np.full(4, 100.0), "n0": np.array([1, 0, 1, 2]), "n1": np.array([-1, 2, 3, -1])}  # fmt: skip
    graph, report = build_graph(CellTable.from_columns(columns))
    assert undirected(graph, 0) == {(0, 1), (1, 2), (2, 3)}
    assert report.notes[1:] == ["intra-layer edges from the table's neighbour columns"]


def test_exported_depth_leads_from_one_detector_to_the_next():
    # The HCAL counts from 1 again: what lies behind layer 1 of the ECAL is its layer 1.
    table = plain_table(
        [0, 1, 0, 0], np.zeros(4), [100.0, 100, 150, 160], [1, 1, 1, 2], subdetector=[1, 1, 2, 2],
        n0=np.array([2, 1, 0, 0]), next=np.array([3, 3, 4, 0]),
    )  # fmt: skip
    graph, report = build_graph(table)
    ids = table.cell_id
    source, target = links(graph, 2)
    assert set(zip(ids[source].tolist(), ids[target].tolist(), strict=True)) == {(1, 3), (2, 3), (3, 4)}
    assert not any("do not name a cell of a next layer" in note for note in report.notes)


def test_exported_ring_goes_on_from_the_barrel_to_the_endcap():
    table = table_of((1, barrel(100, 12, np.arange(95.0, -96, -10))), (1, rings(101, 12, [97.0, 60.0, 30.0])))
    assert set(table.z_side.tolist()) == {0, 1}
    last_of_barrel, first_of_endcap = 1 + 20 * np.arange(12), 241 + 3 * np.arange(12)
    n0 = np.zeros(table.n_cells, np.int64)
    n0[np.searchsorted(np.sort(table.cell_id), last_of_barrel.astype(np.uint64))] = first_of_endcap
    order = np.argsort(table.cell_id)
    columns = {name: values[order] for name, values in table.columns().items()} | {"n0": n0}
    graph, report = build_graph(CellTable.from_columns(columns))
    assert (graph.edge_type == 0).sum() == 24
    assert not any("another layer" in note for note in report.notes)


@pytest.mark.parametrize("jitter", [0.0, 0.02])
def test_shifts_as_built_make_no_diagonal_neighbours(jitter):
    rng = np.random.default_rng(3)
    i, j = (a.ravel() for a in np.meshgrid(np.arange(20) * 2.0, np.arange(20) * 3.0))
    off = rng.uniform(-jitter, jitter, (2, 400))
    graph, _ = build_graph(plain_table(i + off[0], j + off[1], np.full(400, 300.0), np.ones(400, int)))
    assert graph.n_edges == 2 * 2 * 20 * 19


def test_long_strips_on_rings_touch_around_the_ring():
    # Steps of 0.3 cm in r, 64 strips around: next to the curvature of the ring (r phi^2 / 2) they are thin. And the
    # whole disk is displaced by half a millimetre.
    places = rings(380, 64, 80 * 1.004 ** np.arange(12)) + np.array([[0.05], [0], [0]])
    graph, _ = build_graph(table_of((1, places)))
    assert np.bincount(graph.degree((0,))).tolist() == [0, 0, 0, 128, 640]


def test_modules_far_apart_are_no_lines():
    x, y = (
        a.ravel() for a in np.meshgrid(np.concatenate([np.arange(6), 100 + np.arange(6)]), np.arange(9), indexing="ij")
    )
    graph, _ = build_graph(plain_table(x, y, np.full(108, 300.0), np.ones(108, int)))
    assert graph.n_edges == 2 * 2 * (5 * 9 + 6 * 8)
