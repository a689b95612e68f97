"""Baselines that add up calibrated energies: of the whole shower, of sections, of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat

from hgcal_gnn.errors import UsageError
from hgcal_gnn.regression.models.base import Baseline, ModelConfig

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, Array, Bools
    from hgcal_gnn.regression.batch import Table

OFFSET_UNIT = 100.0  # GeV; an energy like those in the sum, so that the ridge does not hold the offset down
RIDGE = 1e-6  # mean square share of the energy below which a layer gets the common factor


class LinearConfig(ModelConfig):
    """Settings all sums share."""

    offset: bool = Field(default=False, description="add a constant energy")
    power: NonNegativeFloat = Field(
        1.0, description="residuals count divided by energy^power: 1 relative ones, 0.5 as for a stochastic resolution"
    )
    ridge: NonNegativeFloat = Field(
        RIDGE, description="pulls the coefficients of layers with hardly any energy to the common one"
    )


class SumConfig(LinearConfig):
    """Energy = factor x `reconstructed`."""

    kind: Literal["sum"] = "sum"
    variables: tuple[str, ...] = Field(("energy",), description="energies that are added up")


class SumSectionsConfig(LinearConfig):
    """One factor per section: CE-E, CE-H silicon, CE-H scintillator."""

    kind: Literal["sum_sections"] = "sum_sections"
    variables: tuple[str, ...] = Field(("all_sections",), description="energies that are added up")


class LayerLinearConfig(LinearConfig):
    """One factor per layer."""

    kind: Literal["layer_linear"] = "layer_linear"
    variables: tuple[str, ...] = Field(("all_layers",), description="energies that are added up")


class Linear(Baseline):
    """Sum of energies with fitted coefficients, those that bring prediction / truth closest to 1.

    Least squares of relative residuals alone would pull the energy low, by about the square of the resolution: the
    sum is scaled to a median of prediction / truth of 1 (on the showers of the fit).
    """

    config: LinearConfig

    def _fitted(self, table: Table, validation: Table) -> dict[str, Array]:  # noqa: ARG002 - nothing to stop
        terms = self._terms(table)
        alike = np.arange(terms.shape[1]) < len(table.names)
        coefficients = fit_sum(terms, table.energy, alike, ridge=self.config.ridge, power=self.config.power)
        return {"coefficients": coefficients * median_factor(terms @ coefficients, table.energy)}

    def _predicted(self, table: Table) -> F64:
        predicted: F64 = self._terms(table) @ self.arrays["coefficients"]
        return predicted

    def _terms(self, table: Table) -> F64:
        if not self.config.offset:
            return table.variables
        return np.concatenate([table.variables, np.full((len(table.energy), 1), OFFSET_UNIT)], axis=1)


class Sum(Linear):
    """See `SumConfig`."""

    config_class = SumConfig


class SumSections(Linear):
    """See `SumSectionsConfig`."""

    config_class = SumSectionsConfig


class LayerLinear(Linear):
    """See `LayerLinearConfig`."""

    config_class = LayerLinearConfig


def fit_sum(terms: F64, energy: F64, alike: Bools, *, ridge: float = RIDGE, power: float = 1.0) -> F64:
    """Minimise mean(weight (1 - terms @ c / energy)^2) + ridge |c - expected|^2.

    Expected is the one factor that brings the sum of the terms `alike` closest to the energy, for these, and 0 for
    others: a layer without energy in the sample gets that factor, rather than anything.

    Parameters
    ----------
    terms : float64 [n_showers, n_terms]
        [GeV]
    energy : float64 [n_showers]
        Truth [GeV].
    alike : bool [n_terms]
        Calibrated energies, whose sum is about the energy.
    power
        Of the energy by which residuals are divided; the weights energy^(2 - 2 power) have a mean of 1.

    Returns
    -------
    float64 [n_terms]

    Raises
    ------
    UsageError
        If there are no showers with energy.
    """
    weight = energy ** (1 - power)
    weight = weight / np.sqrt(np.mean(weight**2))
    shares = terms * (weight / energy)[:, np.newaxis]
    whole = shares[:, alike].sum(axis=1)
    if not (whole @ whole) > 0:
        msg = f"none of the {len(energy)} showers of the fit left any energy"
        raise UsageError(msg)
    expected = np.where(alike, (whole @ weight) / (whole @ whole), 0.0)
    gram = shares.T @ shares / len(shares) + ridge * np.eye(shares.shape[1])
    missing = shares.T @ (weight - shares @ expected) / len(shares)
    step, *_ = np.linalg.lstsq(gram, missing, rcond=None)
    coefficients: F64 = expected + step
    return coefficients


def median_factor(predicted: F64, energy: F64) -> float:
    """Return the factor that makes the median of prediction / truth 1."""
    median = float(np.median(predicted / energy))
    return 1 / median if median > 0 else 1.0
