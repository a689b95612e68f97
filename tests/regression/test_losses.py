"""Losses, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from hgcal_gnn.regression.losses import LOSSES, EnergyErrors, LossParts, RegressionLoss, angle_error
from hgcal_gnn.regression.regressor import Prediction

PREDICTED = torch.tensor([11.0, 18.0])  # +10 % and -10 %
TRUTH = torch.tensor([10.0, 20.0])
SIGMA = torch.tensor([0.1, 0.2]).log()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("relative", 0.1),
        ("log_l1", (math.log(1.1) - math.log(0.9)) / 2),
        ("log_mse", (math.log(1.1) ** 2 + math.log(0.9) ** 2) / 2),
        ("huber", 0.05),  # both at the edge: 0.1^2 / 2 / 0.1
        ("nll", (0.5 + math.log(0.1) + 0.125 + math.log(0.2)) / 2),
    ],
)
def test_values(name, value):
    assert LOSSES[name](EnergyErrors(PREDICTED, TRUTH, SIGMA)).item() == pytest.approx(value, rel=1e-5)


def test_huber_grows_linearly_beyond_its_edge():
    far = EnergyErrors(torch.tensor([20.0]), torch.tensor([10.0]), None)
    assert LOSSES["huber"](far).item() == pytest.approx(1.0 - 0.05)


def test_the_likelihood_is_best_at_the_true_width():
    torch.manual_seed(0)
    truth = torch.full((20000,), 50.0)
    predicted = truth * (1 + 0.15 * torch.randn(20000))
    widths = {width: torch.full((20000,), width).log() for width in (0.12, 0.15, 0.19)}
    losses = {width: LOSSES["nll"](EnergyErrors(predicted, truth, log)) for width, log in widths.items()}
    assert min(losses, key=losses.__getitem__) == 0.15


def test_the_likelihood_needs_an_uncertainty():
    with pytest.raises(ValueError, match="uncertainty"):
        LOSSES["nll"](EnergyErrors(PREDICTED, TRUTH, None))


def test_angles_take_the_short_way_round_and_skip_what_is_not_known():
    predicted = torch.tensor([math.pi - 0.1, 0.3, 5.0], requires_grad=True)
    truth = torch.tensor([-math.pi + 0.1, 0.2, math.nan])
    error = angle_error(predicted, truth)
    assert error.item() == pytest.approx((2.0**2 + 1.0**2) / 2, rel=1e-4)
    error.backward()
    assert torch.isfinite(predicted.grad).all()
    assert predicted.grad[0] < 0  # growing on, through pi, comes closer
    assert predicted.grad[2] == 0


def test_no_known_angle_at_all_is_no_error():
    assert angle_error(torch.zeros(2), torch.full((2,), math.nan)) == 0


def test_terms_are_weighted():
    loss = RegressionLoss("relative", {"energy": 2.0, "eta": 3.0})
    values = torch.tensor([[11.0, 1.0], [18.0, 2.0]])
    target = torch.tensor([[10.0, 1.1], [20.0, 2.1]])
    parts = loss(Prediction(values, None), target)
    assert parts.terms["eta"].item() == pytest.approx(1.0, rel=1e-4)
    assert parts.total.item() == pytest.approx(2 * 0.1 + 3 * 1.0, rel=1e-4)


def test_terms_and_weights_belong_together():
    with pytest.raises(ValueError, match="same names"):
        LossParts({"energy": torch.zeros(())}, {"eta": 1.0})
