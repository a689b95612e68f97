"""Regular windows of an irregular detector: every cell has its voxel, and showers come back as they were."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.batching.window_grid import offsets_from_line, usual_pitch, voxel_centres, window_grid
from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate

ETA, PHI, SHAPE, LAYERS = 2.0, 1.57, (16, 16), (1, 10)


@pytest.fixture(scope="module")
def piece():
    return make_detector("hgcal", eta=(1.75, 2.25), phi=(1.3, 1.85), layers=(1, 12), side=1)


@pytest.fixture(scope="module")
def grid(piece):
    return window_grid(piece, ETA, PHI, SHAPE, layers=LAYERS)


def test_cells_lie_close_to_their_voxels(piece, grid):
    """No cell twice, nearly all voxels filled, and distances below a pitch: a shower keeps its shape."""
    rows = grid.rows["window"]
    assert rows.shape == (10, 16, 16)
    assert grid.axes["window"] == ("layer", "u", "v")
    pitch = usual_pitch(piece, ETA, PHI, SHAPE, LAYERS)
    assert pitch == pytest.approx(0.95 * 1.12, abs=0.03)  # LD cells: 1.26 cm2
    filled = rows >= 0
    assert filled.mean() > 0.85
    wanted = np.broadcast_to(voxel_centres(SHAPE, pitch), (10, 256, 2)).reshape(10, 16, 16, 2)
    away = np.linalg.norm(offsets_from_line(piece, ETA, PHI)[rows[filled]] - wanted[filled], axis=1)
    assert away.mean() < 0.4 * pitch  # hexagons in squares
    assert away.max() < 1.5 * pitch
    assert (piece.layer[rows[filled]] == np.nonzero(filled)[0] + 1).all()


def test_all_cells_in_the_window_have_a_voxel(piece, grid):
    pitch = usual_pitch(piece, ETA, PHI, SHAPE, LAYERS)
    inside = (np.abs(offsets_from_line(piece, ETA, PHI)) < 7.0 * pitch).all(axis=1) & (piece.layer <= 10)
    assert np.isin(np.flatnonzero(inside), grid.rows["window"]).all()


def test_showers_come_back_as_they_were(piece, grid):
    """Hits inside of the window exactly; what lies outside is told."""
    beam = Beam("photon", parse_spectrum("50"), eta=ETA, phi=PHI)
    showers = simulate(piece, beam, 60, seed=3)
    images, outside = grid.to_images(showers)
    again = grid.to_showers(images, showers)
    inside = np.isin(showers.cell, grid.places[grid.places >= 0])
    kept = showers.where(inside)
    for first, second in ((again, kept),):
        order = [np.lexsort((one.cell, one.shower)) for one in (first, second)]
        np.testing.assert_array_equal(first.shower[order[0]], second.shower[order[1]])
        np.testing.assert_array_equal(first.cell[order[0]], second.cell[order[1]])
        np.testing.assert_array_equal(first.energy[order[0]], second.energy[order[1]])
    in_layers = showers.where(piece.layer[showers.cell] <= 10).visible.sum()
    beyond = showers.visible.sum() - in_layers
    assert (outside.sum() - beyond) / in_layers < 0.01


def test_more_cells_than_voxels(piece):
    """The cells nearest to the line have voxels then."""
    grid = window_grid(piece, ETA, PHI, (4, 4), pitch=2.0, layers=(3, 3))
    assert (grid.rows["window"] >= 0).all()
    offset = offsets_from_line(piece, ETA, PHI)
    inside = (np.abs(offset) <= 1.5).all(axis=1) & (piece.layer == 3)
    assert inside.sum() > 3
    assert np.isin(np.flatnonzero(inside), grid.places).all()


def test_the_other_endcap():
    cells = make_detector("hgcal", eta=(-2.2, -1.8), phi=(1.4, 1.75), layers=(1, 2), side=-1)
    grid = window_grid(cells, -2.0, 1.57, (6, 6))
    np.testing.assert_allclose(cells.y[grid.places[grid.places >= 0]].mean(), 88.8, atol=1.5)  # 322 cm / sinh 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"eta": -2.0}, "has no endcap at eta -2"),
        ({"phi": -1.0}, "has no cell near"),
        ({"layers": (1, 60)}, "has 1 to 12 there"),
    ],
)
def test_windows_that_cannot_be(piece, changed, message):
    options = {"eta": ETA, "phi": PHI, "shape": (4, 4), "layers": (1, 2), "pitch": 1.0} | changed
    with pytest.raises(UsageError, match=message):
        window_grid(piece, **options)
