"""Trained regressors: shared out in parts, and kept in files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from hgcal_gnn.errors import InputError
from hgcal_gnn.regression import predictor
from hgcal_gnn.regression.calibration import ResponseCalibration
from hgcal_gnn.regression.models.base import Sizes
from hgcal_gnn.regression.predictor import Weights

SIZES = Sizes(3, 2, {"ECAL": (5, 5, 25)})
WEIGHTS = Weights({"network.a": np.arange(6.0).reshape(2, 3).T}, "ab" * 32, SIZES)


@given(st.lists(st.integers(0, 1 << 19), max_size=30))
def test_parts_are_bounded_and_leave_nothing_out(n_hits):
    parts = list(predictor._parts(np.array(n_hits, dtype=np.int64)))
    covered = [row for part in parts for row in range(part.start, part.stop)]
    assert covered == list(range(len(n_hits)))
    for part in parts:
        assert part.stop - part.start == 1 or sum(n_hits[part]) <= predictor.HITS_AT_ONCE


def test_parts_hold_so_many_showers():
    parts = list(predictor._parts(np.zeros(3000, dtype=np.int64)))
    assert [part.stop - part.start for part in parts] == [1024, 1024, 952]


def test_weights_come_back(tmp_path):
    WEIGHTS.save(tmp_path / "w.safetensors")
    back = Weights.load(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(back.arrays["network.a"], WEIGHTS.arrays["network.a"])
    assert (back.cells_sha256, back.sizes) == ("ab" * 32, SIZES)
    assert back.calibration is None


def test_the_calibration_travels_with_them(tmp_path):
    calibration = ResponseCalibration(np.array([8.0, 80.0]), np.array([10.0, 100.0]))
    WEIGHTS.calibrated(calibration).save(tmp_path / "w.safetensors")
    back = Weights.load(tmp_path / "w.safetensors")
    assert back.calibration(np.array([40.0])) == pytest.approx(50.0)
    assert back.fitted.keys() == {"network.a"}


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"kind": "cell graph"}, "holds no regressor"),
        ({"kind": "regressor", "format": 2, "version": "9.0"}, "upgrade with: pip install --upgrade hgcal-gnn"),
    ],
)
def test_files_of_others_and_of_the_future(tmp_path, about, message):
    save_file({"a": np.zeros(2)}, tmp_path / "w.safetensors", metadata={"hgcal_gnn": json.dumps(about)})
    with pytest.raises(InputError, match=message):
        Weights.load(tmp_path / "w.safetensors")
