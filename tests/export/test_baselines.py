"""Sums and trees in onnxruntime give what they give in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgcal_gnn.export.baselines import baseline_network
from hgcal_gnn.export.onnx_file import Session, traced
from hgcal_gnn.export.regressors import Calibration
from hgcal_gnn.regression.batch import Table
from hgcal_gnn.regression.calibration import ResponseCalibration
from hgcal_gnn.regression.models import MODELS
from hgcal_gnn.regression.table import TRUTH

CASES = {
    "sum": ({"offset": True}, ("energy",)),
    "sum_sections": ({}, ("section_1", "section_2")),
    "layer_linear": ({}, ("layer_1", "layer_2", "layer_3")),
    "oracle": ({}, ("section_1", "section_2", "layer_1", "layer_2", "layer_3", *TRUTH)),
    "bdt": ({"trees": 12, "leaf_showers": 20, "leaves": 4}, ("section_1", "energy")),
}


def table(names, n, seed):
    random = np.random.default_rng(seed)
    energy = np.exp(random.uniform(2, 6, n))
    variables = energy[:, None] * random.uniform(0.2, 0.5, (n, len(names)))
    if "true_first_layer" in names:
        variables[:, names.index("true_first_layer")] = random.integers(1, 4, n)
        variables[:, names.index("true_f_em")] = random.uniform(size=n)
    return Table(names, variables, energy)


@pytest.mark.parametrize("kind", CASES)
def test_the_same_energies(kind):
    settings, names = CASES[kind]
    baseline = MODELS[kind](MODELS[kind].config_class(**settings))
    baseline.fit(table(names, 1500, 1), table(names, 500, 2))
    session = Session(traced(baseline_network(baseline, Calibration.of(None)), {}))
    for n in (1, 400):
        other = table(names, n, 3)
        (found,) = session({"variables": torch.from_numpy(other.variables)})
        np.testing.assert_allclose(found, baseline.predict(other), rtol=1e-12)


@pytest.mark.parametrize("n_points", [1, 2, 6])
def test_the_calibration(n_points):
    """Between its points, at them, and beyond them."""
    points = np.geomspace(1.0, 50.0, n_points)
    calibration = ResponseCalibration(points, 1.1 * points**1.02)
    energy = np.concatenate([[0.0, 1e-9, 0.3, 400.0], points, np.geomspace(0.5, 80, 50)])
    found = Calibration.of(calibration)(torch.from_numpy(energy))
    np.testing.assert_allclose(found, calibration(energy), rtol=1e-12)
