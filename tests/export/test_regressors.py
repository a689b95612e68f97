"""Every regressor in onnxruntime says what it says in PyTorch, for any number of showers and hits."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from hgcal_gnn.export.onnx_file import Session
from hgcal_gnn.export.regressors import batch_tensors, export_regressor
from hgcal_gnn.regression.calibration import ResponseCalibration
from hgcal_gnn.regression.inputs import RegressionInputs
from hgcal_gnn.regression.models import MODELS
from hgcal_gnn.regression.predictor import NetworkPredictor
from hgcal_gnn.regression.regressor import Regressor
from tests.regression.models.batches import compact_showers, detector, network_and_batch, stir

CASES = {
    "gcn": {"variables": ("energy", "eta")},
    "gcn_hlv": {"variables": ("energy", "eta"), "targets": ("energy", "eta", "phi")},
    "message_passing": {"uncertainty": True},
    "message_passing mean": {"reduce": "mean", "edges": "knn"},
    "edgeconv": {},
    "edgeconv deep": {"deep": True},
    "gat": {},
    "gravnet": {"n_layers": 1, "nearest": 4},
    "dnn": {"hidden": 16},
    "cnn3d": {"hidden": 16},
    "googlenet3d": {"hidden": 16, "stem": 8, "blocks": ((8,),)},
}
# the largest shower has more hits than neighbours are asked for, the smallest fewer; one is empty
COUNTS = [[20, 0, 33, 3, 12], [1, 60], [7]]
CALIBRATION = ResponseCalibration(np.array([0.5, 2.0, 5.0, 20.0]), np.array([0.8, 2.2, 4.0, 30.0]))


@cache
def exported(case):
    """An exported regressor, beside what it was made of."""
    made = predictor(case.split()[0], CASES[case])
    return made, Session(export_regressor(made, {"run": "mine"}))


def predictor(kind, settings):
    network, batch = network_and_batch(kind, COUNTS[0], **settings)
    stir(network)
    config = MODELS[kind].config_class(**settings)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2.0)
    regressor = Regressor(network, config)
    regressor.fit_inputs(batch.variables, batch.target[:, 0])
    made = NetworkPredictor(regressor, RegressionInputs(*detector(), config.needs()))
    made.calibration = CALIBRATION
    return made


@pytest.mark.parametrize("case", CASES)
def test_the_same_estimates(case):
    made, session = exported(case)
    for seed, counts in enumerate(COUNTS):
        showers = compact_showers(counts, seed)
        expected = made(showers)
        found = session(batch_tensors(made.inputs(showers)))
        outputs = list(session.about["outputs"])
        assert outputs[0] == "energy"
        assert len(outputs) == len(found)
        for name, values in zip(outputs, found, strict=True):
            wanted = getattr(expected, name)
            assert np.ptp(wanted) > 1e-3 or len(counts) == 1
            np.testing.assert_allclose(values, wanted, rtol=1e-5, err_msg=name)


def test_the_file_says_what_it_wants():
    about = exported("gcn")[1].about
    assert about["inputs"]["variables"]["columns"] == ["energy", "eta"]
    assert about["inputs"]["x"]["columns"] == list(MODELS["gcn"].config_class().features)
    assert about["cells_sha256"] == detector()[0].cells_sha256
    assert (about["what"], about["kind"], about["run"]) == ("regressor", "gcn", "mine")
    assert about["outputs"]["energy"]["unit"] == "GeV"
