"""Disks, barrels and their order."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.geometry.stations import find_stations
from hgcal_gnn.geometry.surfaces import surfaces
from tests.geometry.tables import grid_table, plain_table


def barrel(radius, n_phi=64, n_z=21, polygon=None):
    """Cells on a cylinder, or on the flat staves of a polygon."""
    phi, z = (a.ravel() for a in np.meshgrid((np.arange(n_phi) + 0.5) * 2 * np.pi / n_phi, np.linspace(-200, 200, n_z)))
    r = np.full_like(phi, radius)
    if polygon:
        half = np.pi / polygon
        r = radius / np.cos((phi + half) % (2 * half) - half)
    return r * np.cos(phi), r * np.sin(phi), z


def disk(depth, n=500):
    rng = np.random.default_rng(1)
    r, phi = rng.uniform(30, 150, n), rng.uniform(-np.pi, np.pi, n)
    return r * np.cos(phi), r * np.sin(phi), np.full(n, depth)


def join(*parts):
    x, y, z = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    layer = np.repeat(np.arange(len(parts)) + 1, [len(part[0]) for part in parts])
    return x, y, z, layer


@pytest.mark.parametrize("polygon", [None, 8, 12])
def test_barrel_layers_are_recognised(polygon):
    table = plain_table(*join(barrel(150, polygon=polygon), barrel(160, polygon=polygon)))
    assert {s.kind for s in surfaces(table)} == {"barrel"}
    assert set(table.z_side.tolist()) == {0}


def test_disks_have_two_sides_and_keep_their_order_in_depth():
    table = plain_table(*join(disk(300), disk(310)))
    assert {s.kind for s in surfaces(table)} == {"disk"}
    both = plain_table(*(np.concatenate([a, b]) for a, b in zip(join(disk(300)), join(disk(-300)), strict=True)))
    assert sorted({s.z_side for s in surfaces(both)}) == [-1, 1]


def test_one_layer_number_for_barrel_and_endcaps_is_split():
    x, y, z, _ = join(barrel(150, n_z=81), disk(230, 3000), disk(-230, 3000))
    table = plain_table(x, y, z, np.ones(len(x), int))
    assert {(s.kind, s.z_side) for s in surfaces(table)} == {("disk", -1), ("barrel", 0), ("disk", 1)}
    assert np.array_equal(table.z_side == 0, np.abs(table.z) < 201)


def test_coarse_endcaps_beside_a_barrel_of_the_same_layer_number():
    """No endcap plane is more crowded than a barrel row here: only the range of r tells them apart."""
    eta, phi = (a.ravel() for a in np.meshgrid(np.arange(-1.4, 1.5, 0.2), np.arange(31) * 2 * np.pi / 31))
    eta_end, phi_end = (a.ravel() for a in np.meshgrid(np.arange(1.6, 3.0, 0.2), np.arange(31) * 2 * np.pi / 31))
    r_end = 430 / np.sinh(eta_end)
    x, y, z = (
        np.concatenate(parts)
        for parts in zip(
            (200 * np.cos(phi), 200 * np.sin(phi), 200 * np.sinh(eta)),
            *((r_end * np.cos(phi_end), r_end * np.sin(phi_end), np.full(len(r_end), z)) for z in (430.0, -430.0)),
            strict=True,
        )
    )
    table = plain_table(x, y, z, np.full(len(x), 4))
    assert np.bincount(table.z_side + 1).tolist() == [217, 465, 217]


def test_stack_through_the_origin_is_one_side():
    k, i, j = (a.ravel() for a in np.meshgrid(np.arange(-3, 4), np.arange(5), np.arange(5), indexing="ij"))
    table = plain_table(i * 1.0, j * 1.0, k * 1.0, k + 4)
    assert set(table.z_side.tolist()) == {1}
    stations = find_stations(table)
    assert stations.next.tolist() == [1, 2, 3, 4, 5, 6, -1]


def test_layers_that_restart_are_ordered_by_depth():
    ecal, hcal = grid_table(3, 2), grid_table(3, 2)
    table = plain_table(
        np.concatenate([ecal.x, hcal.x]),
        np.concatenate([ecal.y, hcal.y]),
        np.concatenate([ecal.z, hcal.z + 50]),
        np.concatenate([ecal.layer, hcal.layer]),
        subdetector=np.repeat([2, 1], 18),
    )
    stations = find_stations(table)
    assert stations.by_depth
    depth_of = [float(table.z[stations.number == s].mean()) for s in range(4)]
    assert depth_of == [10, 11, 60, 61]


def test_silicon_and_scintillator_of_a_layer_are_one_station(mixed_table):
    stations = find_stations(mixed_table)
    assert stations.n_stations == 2
    assert not stations.by_depth
