from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.batching.regions import RegionGraphs
from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from tests.batching.made import random_graph, random_showers


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), n_showers=st.integers(0, 5), mean_hits=st.sampled_from([0.0, 3.0, 30.0]))
def test_inside_and_outside_add_up(seed, n_showers, mean_hits):
    whole = random_graph(40, 0.2, seed)
    region = whole.subgraph(np.random.default_rng(seed).random(40) < 0.5) if seed % 3 else whole
    showers = random_showers(whole, n_showers, mean_hits, seed)
    batch = RegionGraphs(region)(showers)
    assert batch.x.shape == (n_showers, region.n_cells, 1)
    inside = batch.x[..., 0].sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(inside + batch.outside_energy, showers.visible, rtol=1e-6)
    assert (batch.outside_hits + batch.showers.n_hits <= showers.n_hits).all()
    np.testing.assert_array_equal(batch.edge_index, np.stack(region.edge_list()))


def test_energies_stand_in_their_cells_and_features_in_all_showers():
    whole = random_graph(40, 0.2)
    rows = np.array([3, 8, 20, 21])
    showers = random_showers(whole, 3, 30)
    batch = RegionGraphs(whole.subgraph(rows), cell_features=("z", "layer"))(showers)
    expected = np.zeros((3, 40))
    np.add.at(expected, (showers.shower, showers.cell), showers.energy)
    np.testing.assert_allclose(batch.x[..., 0], expected[:, rows], rtol=1e-6)
    for k in range(3):
        np.testing.assert_array_equal(batch.x[k, :, 1], whole.cells.z[rows].astype(np.float32))
        np.testing.assert_array_equal(batch.x[k, :, 2], whole.cells.layer[rows])


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_round_trip(seed):
    whole = random_graph(40, 0.2, seed)
    make = RegionGraphs(whole)
    showers = random_showers(whole, 4, 10, seed)
    batch = make(showers)
    assert make.to_showers(batch.x[..., 0], showers).equals(showers.merged())


def test_generated_energies_become_showers():
    whole = random_graph(40, 0.2)
    make = RegionGraphs(whole.subgraph([3, 8, 20]))
    energy = np.array([[0.5, 0.0, 0.001], [-1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    incident = {"incident_energy": np.array([10.0, 20.0, 30.0])}
    showers = make.to_showers(energy, incident, threshold=0.001, source="a model")
    np.testing.assert_array_equal(showers.offsets, [0, 1, 2, 2])
    np.testing.assert_array_equal(showers.cell, [0, 1])
    assert showers.metadata.source == "a model"
    assert showers.metadata.cells_sha256 == make.region.cells_sha256
    in_whole = make.to_showers(energy, incident, whole_geometry=True)
    np.testing.assert_array_equal(in_whole.cell, [3, 20, 8])
    assert in_whole.metadata.cells_sha256 == whole.cells_sha256
    with pytest.raises(InputError, match=r"a model: 1 of 4 hits have a bad energy"):
        make.to_showers(np.where(energy < 0, np.nan, energy), incident, source="a model")
    with pytest.raises(InputError, match=r"must have shape \[3, n_cells\]"):
        make.to_showers(energy[:2], incident)
    with pytest.raises(UsageError, match="whole geometry"):
        RegionGraphs(whole).to_showers(np.zeros((3, 40)), incident, whole_geometry=True)


def test_other_geometry():
    with pytest.raises(GeometryMismatchError, match="other geometry"):
        RegionGraphs(random_graph(9, 0.3, 1))(random_showers(random_graph(9, 0.3, 2), 2, 3))
