from __future__ import annotations

import json

import numpy as np
import pytest

from hgcal_gnn.evaluation.hit_spectrum import MIP_EDGES, PEAK_EDGES, Histogram, hit_spectrum, mip_peak
from tests.evaluation import by_hand, small_endcap


def test_hits_fall_into_the_bins_of_their_energies():
    # 10, 4, 4, 1 E_MIP, 1 GeV each; and one of 0.5 E_MIP; 5 % more, away from the edges
    showers = by_hand.showers_of((by_hand.CELLS, 1.05 * np.array(by_hand.DEPOSITS)), ([0], [5.25e-5]))
    found = hit_spectrum(showers, by_hand.NUMBERS)
    counts = np.histogram(1.05 * np.array([10, 4, 4, 1, 0.5]), MIP_EDGES)[0]
    assert found.mips.entries[1:-1].tolist() == counts.tolist()
    assert found.mips.mean.sum() == 2.5
    assert found.energy.entries.sum() == 5
    assert found.peak_region.entries[-1] == 3  # from 4 on
    assert found.n_showers == 2
    assert np.isnan(found.peak.position)
    assert json.loads(json.dumps(found.to_json()))["mips"]["unit"] == "MIP"


def test_the_error_is_that_of_a_mean_over_showers_and_weights_count():
    # 3 hits of one energy, or none: mean 1.5, spread 1.5
    hit, none = ([0, 1, 2], [1e-4, 5e-4, 5e-4]), ([], [])
    found = hit_spectrum(by_hand.showers_of(hit, none, hit, none), by_hand.NUMBERS).mips
    top = found.mean.argmax()
    assert found.mean[top] == 1.5
    assert found.error[top] == pytest.approx(1.5 / 2)
    weighted = hit_spectrum(by_hand.showers_of(hit, none, weight=[3.0, 1.0]), by_hand.NUMBERS).mips
    assert weighted.mean[top] == pytest.approx(2.25)
    assert weighted.error[top] == pytest.approx(np.sqrt(9 * 0.75**2 + 2.25**2) / 4)


def test_hits_that_are_no_numbers_are_counted_apart():
    found = hit_spectrum(by_hand.showers_of(([0, 1, 2], [np.nan, np.inf, 1e-3])), by_hand.NUMBERS)
    assert found.n_not_finite == 2
    assert found.mips.entries.sum() == 1


def test_the_peak_of_a_gaussian_is_found():
    middle = (PEAK_EDGES[1:] + PEAK_EDGES[:-1]) / 2
    width = PEAK_EDGES[1]
    density = 10 * np.exp(-((middle - 1.07) ** 2) / (2 * 0.2**2))
    counts = np.concatenate([[0], density * width, [0]])
    entries = (counts * 10_000).astype(np.int64)
    peak = mip_peak(Histogram("MIP", PEAK_EDGES, counts, np.sqrt(np.maximum(counts, 1e-9) / 10_000), entries))
    assert peak.position == pytest.approx(1.07, abs=2e-3)
    assert peak.height == pytest.approx(10, rel=0.01)
    assert peak.width == pytest.approx(2.3548 * 0.2, rel=0.02)
    assert 0 < peak.position_error < 0.01
    falling = np.concatenate([[0], np.exp(-middle), [0]])
    assert np.isnan(mip_peak(Histogram("MIP", PEAK_EDGES, falling, falling / 10, entries + 1000)).position)


def test_chunks_add_up():
    numbers = small_endcap.numbers_of()
    showers = small_endcap.ruled_showers(675, n_hits=5, n_showers=9000)
    whole, half = hit_spectrum(showers, numbers), hit_spectrum(showers[:4500], numbers)
    other = hit_spectrum(showers[4500:], numbers)
    np.testing.assert_array_equal(whole.mips.entries, half.mips.entries + other.mips.entries)
    assert whole.mips.mean.sum() == pytest.approx(5)
