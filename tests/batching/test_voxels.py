from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.batching.voxels import VoxelTensors
from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.geometry.detectors import make_detector
from tests.batching.made import random_graph, random_showers

MAKERS = {name: VoxelTensors(name) for name in ("lcd", "calogan", "calochallenge-1-pions")}


@settings(deadline=None, max_examples=30)
@given(name=st.sampled_from(sorted(MAKERS)), seed=st.integers(0, 10**6), mean_hits=st.sampled_from([0.0, 5.0, 80.0]))
def test_there_and_back(name, seed, mean_hits):
    make = MAKERS[name]
    showers = random_showers(make_detector(name), 3, mean_hits, seed)
    batch = make(showers)
    assert {section: values.shape[1:] for section, values in batch.voxels.items()} == make.map.shapes
    back = make.to_showers(batch.voxels, showers)
    assert back.equals(showers.merged())
    again = make(back)
    for section, values in batch.voxels.items():
        np.testing.assert_array_equal(again.voxels[section], values)


def test_voxels_are_the_cells_of_the_detector():
    make, cells = MAKERS["lcd"], make_detector("lcd")
    showers = random_showers(cells, 2, 50)
    voxels = make(showers).voxels["ECAL"]
    k, i, j, layer = np.argwhere(voxels > 0)[7]
    row = make.map.rows["ECAL"][i, j, layer]
    mine = (showers.shower == k) & (showers.cell == row)
    assert voxels[k, i, j, layer] == pytest.approx(showers.energy[mine].sum(), rel=1e-6)


def test_as_torch():
    make = MAKERS["lcd"]
    tensors = make(random_showers(make_detector("lcd"), 5, 10)).to_torch()
    assert tensors["ECAL"].shape == (5, 24, 24, 25)
    assert tensors["HCAL"].dtype == torch.float32
    assert tensors["incident_energy"].shape == (5,)


def test_refused():
    make = MAKERS["lcd"]
    with pytest.raises(GeometryMismatchError, match="--detector lcd"):
        make(random_showers(random_graph(9, 0.3), 2, 3))
    with pytest.raises(UsageError, match="no array of voxels"):
        VoxelTensors("hgcal")
    showers = random_showers(make_detector("lcd"), 2, 10)
    beyond = showers.replace(cell=showers.cell + np.int32(make.map.n_cells))
    with pytest.raises(InputError, match="damaged or of another geometry"):
        make(beyond)
    voxels = make(showers).voxels
    with pytest.raises(InputError, match="different numbers of showers"):
        make.to_showers({**voxels, "ECAL": voxels["ECAL"][:1]}, showers)
