"""Tests of the comparison at single energies, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.beams import check_beams


def test_by_hand():
    energy = np.array([100.0, 100.0, 50.0, 50.0])
    reference = np.zeros((4, 1, 2))
    reference[:, 0, 0] = [1.0, 3.0, 10.0, 10.0]
    generated = np.zeros((4, 1, 2))
    generated[:, 0, 1] = [2.0, 6.0, 5.0, 5.0]
    hundred, fifty = check_beams([100.0, 50.0], (energy, reference), (energy, generated))
    assert (hundred.response, hundred.width, hundred.n) == (pytest.approx(2.0), pytest.approx(2.0), (2, 2))
    # both means are known to sqrt(2) / sqrt(2) / 2 of themselves
    assert hundred.error == pytest.approx(2 * 0.5 * 2**0.5)
    assert fifty.response == pytest.approx(0.5)
    assert fifty.error == 0
    np.testing.assert_allclose(hundred.profiles[1], [[2.0, 0.0], [0.0, 4.0]])
    np.testing.assert_allclose(hundred.profiles[0], [[2.0], [4.0]])
    # cells: 1 and 3 GeV of the reference, 2 and 6 GeV generated, and none where nothing was hit
    np.testing.assert_allclose(hundred.cell, [[2.0, 1.0], [4.0, 2.0]])
    np.testing.assert_allclose(hundred.cells[0], [[[2.0], [1.0]], [[4.0], [2.0]]])
    np.testing.assert_allclose(hundred.cells[1], [[[2.0, np.nan], [1.0, np.nan]], [[np.nan, 4.0], [np.nan, 2.0]]])


def test_empty_cells_are_no_hits():
    """Nine of ten cells are empty: they count neither for the mean nor for the width."""
    energy, images = np.full(2, 10.0), np.zeros((2, 10, 2))
    images[0, 3], images[1, 3] = [1.0, 5.0], [3.0, 5.0]
    (check,) = check_beams([10.0], (energy, images), (energy, images))
    np.testing.assert_allclose(check.cells[1][0], [[2.0, 5.0], [1.0, 0.0]])
    np.testing.assert_allclose(check.cell[0], [3.5, np.std([1.0, 3.0, 5.0, 5.0])])


def test_energies_without_showers_are_refused():
    energy, images = np.array([100.0, 101.9]), np.ones((2, 3))
    with pytest.raises(InputError, match="1 showers of 100 GeV; at least 2"):
        check_beams([100.0], (energy, images), (energy, images))


def test_showers_of_nothing_have_no_response():
    energy = np.full(3, 20.0)
    (check,) = check_beams([20.0], (energy, np.ones((3, 4))), (energy, np.zeros((3, 4))))
    assert check.response == 0
    assert np.isnan(check.error)
