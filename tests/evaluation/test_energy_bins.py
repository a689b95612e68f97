"""Bins of true energy: which shower falls where, and bins nobody has to think about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation.energy_bins import FEWEST, EnergyBins, energy_bins


def test_showers_fall_into_their_bins():
    bins = EnergyBins(np.array([10.0, 20.0, 50.0]))
    energy = [9.99, 10.0, 19.9, 20.0, 50.0, 50.1, np.nan, np.inf, -1.0]
    assert bins.assign(energy).tolist() == [-1, 0, 0, 1, 1, -1, -1, -1, -1]
    assert bins.labels() == ["10-20 GeV", "20-50 GeV"]


def test_beams_get_a_bin_each():
    bins = energy_bins(np.repeat(np.array([300, 20, 50], np.float32), 100))
    assert bins.beams is not None
    assert bins.beams.tolist() == [20, 50, 300]
    assert bins.assign([20, 50, 300]).tolist() == [0, 1, 2]
    assert bins.edges[1] == pytest.approx(np.sqrt(20 * 50))  # half way in ln E
    assert bins.edges[0] == pytest.approx(20**2 / np.sqrt(20 * 50))
    assert bins.labels()[0] == "20 GeV"
    assert energy_bins([50.0, 50.0]).assign([50.0]).tolist() == [0]


def test_few_showers_of_different_energies_are_no_beams():
    bins = energy_bins(np.linspace(10, 99, 20))
    assert bins.beams is None
    assert bins.edges.tolist() == [10, 99]  # one bin: ten showers each would say nothing


@given(low=st.floats(0.5, 200), factor=st.floats(1.5, 1000), n=st.integers(1000, 20_000), flat=st.booleans())
def test_chosen_bins_hold_all_showers_and_none_is_thin(low, factor, n, flat):
    share = np.linspace(0, 1, n)
    energy = low * (1 + (factor - 1) * share) if flat else low * factor**share
    bins = energy_bins(energy)
    place = bins.assign(energy)
    assert (place >= 0).all()
    assert np.bincount(place, minlength=len(bins)).min() >= FEWEST
    assert (np.diff(bins.edges) > 0).all()


def test_energies_that_mean_nothing_do_not_choose_bins():
    energy = np.concatenate([np.linspace(10, 20, 1000), [np.nan, -5.0, 0.0, np.inf]])
    assert energy_bins(energy).edges[[0, -1]].tolist() == [10, 20]


@pytest.mark.parametrize("edges", [[], [10.0], [20.0, 10.0], [10.0, 10.0], [10.0, np.nan], [-1.0, 10.0]])
def test_wrong_edges_are_refused(edges):
    with pytest.raises(UsageError, match="two or more ascending energies"):
        energy_bins([15.0], edges)


def test_no_energy_at_all():
    with pytest.raises(InputError, match="finite and above 0"):
        energy_bins([np.nan, 0.0, -3.0])
