"""Losses of regressors: how far predictions are from the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hgcal_gnn.regression.regressor import Prediction

HUBER_EDGE = 0.1  # relative error from which the Huber loss grows linearly, not as the square
ANGLE_SCALE = 10.0  # angles count by the square of ten times their error, as their residuals are predicted


@dataclass(frozen=True)
class LossParts:
    """Terms of a loss and what each counts.

    Attributes
    ----------
    terms
        Each a tensor without dimensions.
    weights
        Under the same names.
    """

    terms: Mapping[str, Tensor]
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.terms.keys() != self.weights.keys():
            msg = f"terms {sorted(self.terms)} and weights {sorted(self.weights)} must have the same names"
            raise ValueError(msg)

    @property
    def total(self) -> Tensor:
        """Weighted sum."""
        return torch.stack([self.weights[name] * term for name, term in self.terms.items()]).sum()


class EnergyErrors(NamedTuple):
    """Predicted and true energy [GeV] and predicted ln(relative uncertainty), each [n_showers]."""

    predicted: Tensor
    truth: Tensor
    log_sigma: Tensor | None

    @property
    def relative(self) -> Tensor:
        """Relative error, predicted / truth - 1."""
        return self.predicted / self.truth - 1

    @property
    def logarithm(self) -> Tensor:
        """Logarithm of predicted / truth, for predictions above 0."""
        return (self.predicted / self.truth).log()


def relative(errors: EnergyErrors) -> Tensor:
    """Mean of |1 - predicted / truth|: the loss of the published network."""
    return errors.relative.abs().mean()


def log_l1(errors: EnergyErrors) -> Tensor:
    """Mean of |ln(predicted / truth)|; its minimum is the median response, whatever the energy."""
    return errors.logarithm.abs().mean()


def log_mse(errors: EnergyErrors) -> Tensor:
    """Mean square of ln(predicted / truth)."""
    return errors.logarithm.square().mean()


def huber(errors: EnergyErrors) -> Tensor:
    """Square of predicted / truth - 1 up to 0.1, linear beyond, divided by 0.1 (Huber, Ann. Math. Stat. 35, 73)."""
    return functional.smooth_l1_loss(errors.relative, torch.zeros_like(errors.truth), beta=HUBER_EDGE)


def nll(errors: EnergyErrors) -> Tensor:
    """Mean negative logarithm of a Gaussian of predicted / truth - 1 with the predicted width."""
    if errors.log_sigma is None:
        msg = "the loss nll needs a network with an uncertainty"
        raise ValueError(msg)
    pull = errors.relative * (-errors.log_sigma).exp()
    return (0.5 * pull.square() + errors.log_sigma).mean()


LOSSES: Mapping[str, Callable[[EnergyErrors], Tensor]] = MappingProxyType(
    {"relative": relative, "log_l1": log_l1, "log_mse": log_mse, "huber": huber, "nll": nll}
)


@dataclass(frozen=True)
class RegressionLoss:
    """Loss of the energy and of further targets.

    Attributes
    ----------
    name
        Of `LOSSES`, for the energy.
    weights
        Of the targets, in their order, energy first.
    """

    name: str
    weights: Mapping[str, float]

    def __call__(self, prediction: Prediction, target: Tensor) -> LossParts:
        """Compare a prediction with the truth [n_showers, n_targets]."""
        errors = EnergyErrors(prediction.values[:, 0], target[:, 0], prediction.log_sigma)
        terms = {"energy": LOSSES[self.name](errors)}
        for column, name in enumerate(self.weights):
            if name != "energy":
                terms[name] = angle_error(prediction.values[:, column], target[:, column])
        return LossParts(terms, self.weights)


def angle_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean square of 10 x (predicted - truth), turns taken off; showers without a known truth are left out."""
    known = torch.isfinite(truth)
    difference = torch.where(known, predicted - truth, 0.0)
    shortest = difference - 2 * math.pi * torch.round(difference / (2 * math.pi))
    return (ANGLE_SCALE * shortest).square().sum() / known.sum().clamp(min=1)
