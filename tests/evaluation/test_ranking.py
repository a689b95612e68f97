"""Known answers on simulated showers: what differs is found, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hgcal_gnn.evaluation.features import compute_features
from hgcal_gnn.evaluation.ranking import rank_features
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.simulation.beam import Beam, Spectrum
from hgcal_gnn.simulation.simulate import simulate

LAYER = 9
N_SHOWERS = 1000


@pytest.fixture(scope="module")
def numbers_and_showers():
    cells = make_detector("hgcal", side=1, eta=(1.8, 2.2), phi=(1.3, 1.9))
    beam = Beam("photon", Spectrum("list", (100.0,)), eta=2.0, phi=1.57)
    return CellNumbers.of(cells, load_material("hgcal")), simulate(cells, beam, 2 * N_SHOWERS, seed=1)


@pytest.fixture(scope="module")
def tables(numbers_and_showers):
    numbers, showers = numbers_and_showers
    return compute_features(showers[:N_SHOWERS], numbers), compute_features(showers[N_SHOWERS:], numbers)


def without_layer(showers, numbers, layer):
    kept = numbers.layer[showers.cell] != layer
    offsets = np.concatenate([[0], np.cumsum(kept)])[showers.offsets]
    return replace(showers, offsets=offsets, cell=showers.cell[kept], energy=showers.energy[kept])


def test_a_dropped_layer_is_ranked_first(numbers_and_showers, tables):
    numbers, showers = numbers_and_showers
    dropped = compute_features(without_layer(showers[N_SHOWERS:], numbers, LAYER), numbers)
    ranked = rank_features(tables[0], dropped, replicas=30)
    of_layer = [name for name in tables[0].names if name.endswith(f"_{LAYER}") and "ring" not in name]
    first = [entry.feature for entry in ranked[: len(of_layer)]]
    assert sorted(first) == sorted(of_layer)
    assert ranked[0].distance.value == pytest.approx(1, abs=0.01)


def test_a_scale_shows_in_the_response_and_not_in_shapes(numbers_and_showers, tables):
    numbers, showers = numbers_and_showers
    part = showers[N_SHOWERS:]
    scaled = compute_features(replace(part, energy=part.energy * np.float32(1.01)), numbers)
    ranked = rank_features(tables[0], scaled, distance="kolmogorov_smirnov", replicas=50)
    before = {e.feature: e.distance for e in rank_features(*tables, distance="kolmogorov_smirnov", replicas=50)}
    assert ranked[0].group == "energy"
    for entry in ranked:
        if entry.group in ("longitudinal", "radial", "centre", "width") and entry.distance.available:
            moved = abs(entry.distance.value - before[entry.feature].value)
            assert moved < max(0.005, entry.distance.floor_error)


def test_two_halves_of_a_simulation_differ_by_chance_only(tables):
    ranked = rank_features(*tables, replicas=50)
    pulls = np.array([entry.distance.significance for entry in ranked if entry.distance.available])
    pulls = pulls[np.isfinite(pulls)]
    assert len(pulls) > 100
    assert abs(np.mean(pulls)) < 0.5
    assert np.mean(pulls > 3) < 0.05
