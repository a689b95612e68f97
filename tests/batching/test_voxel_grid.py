"""Grids: showers to images and back, on whole detectors and pieces of them."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import Showers


def showers(cells, energies, offsets, *, sha256=""):
    """Return showers of photons with these hits."""
    columns = {"offsets": offsets, "cell": cells, "energy": energies, "incident_energy": np.ones(len(offsets) - 1)}
    return Showers.from_columns(columns, metadata=ShowerMetadata(cells_sha256=sha256))


def test_round_trip_of_sections_of_different_shapes():
    table = make_detector("calogan")
    grid = VoxelGrid.of_cells(table)
    assert grid.shapes == {"layer_0": (3, 96), "layer_1": (12, 12), "layer_2": (12, 6)}
    assert grid.n_voxels == 504 == table.n_cells
    random = np.random.default_rng(0)
    cell = np.concatenate([np.sort(random.choice(504, 40, replace=False)) for _ in range(3)])
    given = showers(cell, random.uniform(0.1, 1, 120), [0, 40, 80, 120])
    images, outside = grid.to_images(given)
    assert images.shape == (3, 504)
    assert (outside == 0).all()
    back = grid.to_showers(images, given)
    order = np.lexsort((back.cell, back.shower))
    assert np.array_equal(back.cell[order], given.cell)
    assert np.array_equal(back.energy[order], given.energy)
    assert back.visible == pytest.approx(given.visible)


def test_hits_of_one_cell_are_added_and_thresholds_empty_voxels():
    grid = VoxelGrid.of_cells(make_detector("calogan-siw"))
    given = showers([5, 5, 7], [0.25, 0.5, 0.125], [0, 3])
    images, _ = grid.to_images(given)
    assert sorted(images[images > 0].tolist()) == [0.125, 0.75]
    assert grid.to_showers(images, given, threshold=0.125).n_hits.tolist() == [1]  # at most this: empty


def test_a_window_is_a_smaller_array_and_tells_what_lies_outside():
    whole = make_detector("lcd25")
    piece = make_detector("lcd25", layers=(1, 25))
    grid = VoxelGrid.of_cells(piece)
    assert grid.shapes == {"ECAL": (25, 25, 25)}  # no HCAL
    small = VoxelGrid.of_cells(make_detector("ild-ecal", eta=(-0.0105, 0.0105), phi=(-0.0105, 0.0105), layers=(1, 24)))
    assert small.shapes == {"ECAL": (24, 8, 8)}
    assert (small.places >= 0).all()
    assert VoxelGrid.of_cells(whole).shapes == {"ECAL": (25, 25, 25), "HCAL": (5, 5, 60)}


def test_layers_apart_hold_the_same_voxels():
    """Wherever the axis of layers stands: last in lcd25, first in ild-ecal; without one nothing changes."""
    for name, first in (("lcd25", "ECAL_1"), ("ild-ecal", "ECAL_1")):
        grid = VoxelGrid.of_cells(make_detector(name))
        apart = grid.by_layer()
        assert apart.axes[first] == ("y", "z")
        along = grid.axes["ECAL"].index("layer")
        number = grid.shapes["ECAL"][along] - 2
        np.testing.assert_array_equal(apart.rows[f"ECAL_{number + 1}"], np.take(grid.rows["ECAL"], number, axis=along))
        assert sorted(apart.places) == sorted(grid.places)
    assert len(VoxelGrid.of_cells(make_detector("lcd25")).by_layer().rows) == 25 + 60
    grid = VoxelGrid.of_cells(make_detector("calogan"))
    assert grid.by_layer().axes == grid.axes


def test_cells_without_a_voxel_are_lost_and_counted():
    grid = VoxelGrid("some", "", 4, {"a": np.array([[2, -1], [0, 3]])}, {"a": ("x", "y")})
    images, outside = grid.to_images(showers([0, 1, 3], [1.0, 2.0, 4.0], [0, 2, 3]))
    assert images.tolist() == [[0, 0, 1, 0], [0, 0, 0, 4]]
    assert outside.tolist() == [2.0, 0.0]
    back = grid.to_showers(np.array([[8.0, 9.0, 0.0, 1.0]]), showers([], [], [0, 0]))
    assert back.cell.tolist() == [2, 3]  # the voxel without a cell is left out
    assert back.energy.tolist() == [8.0, 1.0]


def test_no_cell_twice():
    with pytest.raises(InputError, match="different cells"):
        VoxelGrid("some", "", 4, {"a": np.array([1, 1])}, {"a": ("x",)})


def test_irregular_detectors_are_refused():
    with pytest.raises(UsageError, match="no array of voxels"):
        VoxelGrid.of_cells(make_detector("hgcal", eta=(1.9, 2.1), phi=(1.5, 1.6), layers=(1, 2), side=1))


def test_showers_of_another_geometry_are_refused():
    grid = VoxelGrid.of_cells(make_detector("calogan"))
    with pytest.raises(GeometryMismatchError, match="another geometry"):
        grid.check(ShowerMetadata(cells_sha256="0" * 64))
