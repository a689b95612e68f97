"""Points find their cells, in hexagons, tiles, boxes, barrels and sectors; hits add up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.simulation.deposit import build_finder, find_cell, group_layers
from hgcal_gnn.simulation.hits import add_hit, clear_hits, new_hits


def finder_of(table):
    layers = group_layers(table)
    return layers, build_finder(table, layers)


@pytest.mark.parametrize("layer", [10, 38])
def test_nearest_cell_of_the_hgcal(layer):
    """Silicon only, and silicon beside tiles of other sizes: the same cell as a k-d tree finds."""
    table = make_detector("hgcal", side=1, eta=(1.7, 2.3), phi=(1.2, 1.9), layers=(layer, layer))
    _, finder = finder_of(table)
    points = np.stack([table.x, table.y], axis=1).astype(float)
    generator = np.random.default_rng(1)
    wanted = points[generator.integers(0, len(points), 3000)] + generator.normal(0.0, 0.5, (3000, 2))
    distance, nearest = cKDTree(points).query(wanted)
    found = np.array([find_cell(finder, 0, a, b) for a, b in wanted])
    surely = distance < 0.6  # inside the inner circle of the smallest cell
    assert surely.mean() > 0.6
    assert (found[surely] == nearest[surely]).all()
    outside = found < 0
    assert (distance[outside] > 0.6).all()
    assert (distance[~outside] < 2.5).all()


def test_boxes_take_exactly_their_own_points():
    table = make_detector("ild-ecal")
    _, finder = finder_of(table)
    row = table.n_cells // 2
    layer = int(table.layer[row]) - 1
    rows = np.flatnonzero(table.layer == table.layer[row])
    radius = np.hypot(table.x[rows], table.y[rows]).mean()
    z, arc = float(table.z[row]), float(np.arctan2(table.y[row], table.x[row]) * radius)
    for dz, da in ((0.24, 0.0), (-0.24, 0.2), (0.0, -0.24)):
        assert find_cell(finder, layer, z + dz, arc + da) == row
    assert find_cell(finder, layer, z + 0.26, arc) != row
    assert find_cell(finder, layer, 9.0, arc) == -1


def test_sectors_hold_their_points_and_rings_their_whole_circle():
    table = make_detector("calochallenge-1-photons")
    _, finder = finder_of(table)
    generator = np.random.default_rng(2)
    for row in generator.integers(0, table.n_cells, 200):
        r, dr = table.extra["r"][row], table.extra["dr"][row]
        phi, dphi = table.extra["phi"][row], table.extra["dphi"][row]
        radius = r + dr * generator.uniform(-0.49, 0.49)
        angle = phi + dphi * generator.uniform(-0.49, 0.49)
        assert find_cell(finder, int(table.layer[row]) - 1, radius * np.cos(angle), radius * np.sin(angle)) == row
    assert find_cell(finder, 0, 1000.0, 0.0) == -1


def test_a_barrel_closes_at_the_cut():
    """A point just beyond r phi = pi r belongs to the cell just before -pi r."""
    phi = (np.arange(720) + 0.5) * 2 * np.pi / 720 - np.pi
    columns = {
        "cell_id": np.arange(1, 721),
        "layer": np.ones(720, int),
        "x": 100 * np.cos(phi),
        "y": 100 * np.sin(phi),
        "z": np.zeros(720),
        "z_side": np.zeros(720, int),
    }
    table = CellTable.from_columns(columns)
    layers, finder = finder_of(table)
    assert layers[0][0].kind == "barrel"
    assert find_cell(finder, 0, 0.0, np.pi * 100 + 0.4) == 0
    assert find_cell(finder, 0, 0.0, -np.pi * 100 - 0.4) == 719


@pytest.mark.parametrize("point", [(1e9, 0.0), (np.nan, 0.0), (np.inf, 1.0), (0.0, 0.0)])
def test_points_far_away_belong_to_no_cell(point):
    _, finder = finder_of(make_detector("hgcal", side=1, eta=(1.9, 2.1), phi=(1.4, 1.7), layers=(5, 5)))
    assert find_cell(finder, 0, *point) == -1


def test_hits_add_up_and_are_forgotten():
    hits = new_hits(1000)
    generator = np.random.default_rng(3)
    for _ in range(3):
        rows = generator.integers(0, 10**6, 500)
        rows[250:] = rows[:250]
        energies = generator.exponential(1.0, 500)
        for row, energy in zip(rows.tolist(), energies.tolist(), strict=True):
            add_hit(hits, row, energy)
        n = int(hits.filled[0])
        wanted, place = np.unique(rows, return_inverse=True)
        order = np.argsort(hits.row[:n])
        assert np.array_equal(hits.row[:n][order], wanted)
        assert np.allclose(hits.energy[:n][order], np.bincount(place, energies))
        clear_hits(hits)
        assert hits.filled[0] == 0
        assert not hits.slots.any()
