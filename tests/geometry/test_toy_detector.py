"""The toy detector: a piece of a barrel wide enough for the published electrons."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector, voxel_map

MIDDLE = 0.175  # rad


@pytest.fixture(scope="module")
def toy():
    return make_detector("toy")


def test_sections_layers_and_radii(toy):
    assert dict(toy.subdetector_names) == {1: "ECAL", 2: "HCAL"}
    assert np.unique(toy.layer).tolist() == list(range(1, 86))
    assert ((toy.subdetector == 1) == (toy.layer <= 25)).all()
    assert 1e6 < toy.n_cells < 3e6
    radius = np.hypot(toy.x.astype(np.float64), toy.y)
    # as the flat windows, by hand: 150 cm + absorber + half a gap; 333 cm - half a gap
    assert radius[toy.layer == 1] == pytest.approx(150.0 + 0.24 + 0.3192 / 2)
    assert radius[toy.layer == 26] == pytest.approx(174.0 + 1.9 + 0.375)
    assert radius[toy.layer == 85] == pytest.approx(333.0 - 0.375)


@pytest.mark.parametrize(("section", "cell", "margin"), [(1, 0.51, 11.5), (2, 3.0, 29.0)])
def test_published_electrons_stay_inside_with_a_margin_at_every_depth(toy, section, cell, margin):
    for layer in np.unique(toy.layer[toy.subdetector == section])[[0, -1]]:
        rows = toy.layer == layer
        radius = float(np.hypot(toy.x, toy.y)[rows].mean())
        phi = np.arctan2(toy.y, toy.x)[rows]
        low, high = phi.min() * radius - cell / 2, phi.max() * radius + cell / 2  # outer sides, along the arc
        assert (low + high) / 2 == pytest.approx(MIDDLE * radius, abs=1e-3)
        assert low < -margin
        assert high > 0.35 * radius + margin
        assert abs(toy.z[rows].min() + toy.z[rows].max()) < 1e-3
        assert toy.z[rows].max() + cell / 2 > math.sinh(0.524) * radius + margin


def test_cells_fill_the_cylinders(toy):
    voxels = voxel_map("toy")
    assert voxels.n_cells == toy.n_cells
    for section, cell in (("ECAL", 0.51), ("HCAL", 3.0)):
        rows = voxels.rows[section][:, :, 0]
        phi = np.arctan2(toy.y.astype(np.float64), toy.x)[rows]
        radius = np.hypot(toy.x[rows[0, 0]], toy.y[rows[0, 0]])
        np.testing.assert_allclose(np.diff(phi, axis=0) * radius, cell, rtol=1e-3)
        np.testing.assert_allclose(toy.extra["dphi"][rows] * radius, cell, rtol=1e-5)
        np.testing.assert_allclose(np.diff(toy.z[rows], axis=1), cell, rtol=1e-3)


def test_graph_of_two_layers_is_a_grid():
    cells = make_detector("toy", layers=(24, 25))
    graph, report = build_graph(cells)
    assert any("barrel" in note for note in report.notes)
    n_rows, n_columns = 161, 404
    lateral = 2 * (n_rows * (n_columns - 1) + (n_rows - 1) * n_columns)  # both ways, per layer
    kinds = np.bincount(graph.edge_type, minlength=4)
    assert kinds[0] == 2 * lateral
    # layers of equal cells on cylinders of nearly equal radius: each cell faces one, a few face two
    assert kinds[2] == kinds[3] >= n_rows * n_columns
    assert kinds[2] < 1.05 * n_rows * n_columns
