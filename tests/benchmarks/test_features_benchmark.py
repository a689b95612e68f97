"""Features of showers against the dense code of the HGCal challenge: `pytest tests/benchmarks --benchmark-only`.

Photons of 50 GeV along one direction, 21 rings. Cases take turns; the dense arrays are filled beforehand and do not
count. Ratios of processor time stand in the extra info of the benchmark.
"""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest

from hgcal_gnn.evaluation.feature_axis import CellGrid
from hgcal_gnn.evaluation.features import compute_features
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.detector_graph import detector_graph
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.simulation.beam import Beam
from hgcal_gnn.simulation.simulate import simulate
from tests.benchmarks import feature_peers

N_RINGS = 21
DENSE, COPIES = 250, 32  # showers of a turn that the dense code gets; how often as many ours gets
TURNS = 5


@pytest.fixture(scope="module")
def sample():
    cells = detector_graph("hgcal", side=1)[0].cells
    showers = simulate(cells, Beam("photon", eta=2.0, phi=1.57), DENSE, seed=1).merged()
    return CellNumbers.of(cells, load_material("hgcal")), showers


def test_features_against_dense_layers(benchmark, sample):
    numbers, showers = sample
    direction = np.array([getattr(showers, f"direction_{axis}")[0] for axis in "xyz"], np.float64)
    layers = feature_peers.dense_layers(numbers, direction, N_RINGS)
    dense = feature_peers.fill(showers, numbers, layers)
    many = Showers.concatenate([showers] * COPIES)
    ours = compute_features(showers, numbers, convention="hgcal_challenge").values
    theirs = feature_peers.features(dense, showers.incident_energy, layers, N_RINGS)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-2)  # widths of single precision
    compute_features(showers, numbers)
    times = {"dense": [], "published features": [], "our features": [], "cells sorted once": []}

    def turn():
        for name, work in {
            "dense": lambda: feature_peers.features(dense, showers.incident_energy, layers, N_RINGS),
            "published features": lambda: compute_features(many, numbers, convention="hgcal_challenge"),
            "our features": lambda: compute_features(many, numbers),
            "cells sorted once": lambda: CellGrid.of(numbers),
        }.items():
            start = process_time()
            work()
            times[name].append(process_time() - start)

    benchmark.pedantic(turn, rounds=TURNS)
    benchmark.extra_info["s to sort the cells, once"] = np.median(times.pop("cells sorted once"))
    per_shower = {name: np.median(taken) / (DENSE if name == "dense" else len(many)) for name, taken in times.items()}
    benchmark.extra_info |= {f"ms per shower, {name}": 1e3 * taken for name, taken in per_shower.items()}
    benchmark.extra_info["dense over published features"] = per_shower["dense"] / per_shower["published features"]
