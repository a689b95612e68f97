"""How far anyone could get: a sum of energies that knows the simulated truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat

from hgcal_gnn.errors import UsageError
from hgcal_gnn.regression.models.base import Baseline, ModelConfig
from hgcal_gnn.regression.models.linear import RIDGE, fit_sum, median_factor
from hgcal_gnn.regression.table import TRUTH

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, Array, Bools
    from hgcal_gnn.regression.batch import Table

VARIABLES = ("all_sections", "all_layers", *TRUTH)


class OracleConfig(ModelConfig):
    """Least squares on calibrated energies and on what the simulation knows of each shower.

    Terms: the energy in each layer; the energy in each section times f_em and times f_em squared (the response to
    hadrons differs from that to electrons); the energy of showers that start in a layer, one term per layer; the
    leaked energy; and energy x ln(energy) (the response rises with the energy).
    """

    kind: Literal["oracle"] = "oracle"
    variables: tuple[str, ...] = Field(VARIABLES, description="cannot be chosen")
    ridge: NonNegativeFloat = Field(RIDGE, description="keeps coefficients of rare starts small")


class Oracle(Baseline):
    """See `OracleConfig`."""

    config_class = OracleConfig
    config: OracleConfig

    def _fitted(self, table: Table, validation: Table) -> dict[str, Array]:  # noqa: ARG002 - nothing to stop
        terms, alike = _terms(table)
        coefficients = fit_sum(terms, table.energy, alike, ridge=self.config.ridge)
        return {"coefficients": coefficients * median_factor(terms @ coefficients, table.energy)}

    def _predicted(self, table: Table) -> F64:
        predicted: F64 = _terms(table)[0] @ self.arrays["coefficients"]
        return predicted


def _terms(table: Table) -> tuple[F64, Bools]:
    """Return the terms of the sum [GeV], float64 [n_showers, n_terms], and which of them are plain energies."""
    layers = _family(table, "layer_")
    sections = _family(table, "section_")
    missing = [name for name in TRUTH if name not in table.names]
    if missing or not (layers.size and sections.size):
        msg = f"the oracle needs the variables {', '.join(VARIABLES)}; give no others"
        raise UsageError(msg)
    f_em, start, leaked = (table.column(name)[:, np.newaxis] for name in TRUTH)
    energy = layers.sum(axis=1, keepdims=True)
    by_start = energy * (start == np.arange(1, layers.shape[1] + 1))
    curved = energy * np.log(np.maximum(energy, 1.0))
    parts = (layers, f_em * sections, f_em**2 * sections, by_start, leaked, curved)
    return np.concatenate(parts, axis=1), np.arange(sum(part.shape[1] for part in parts)) < layers.shape[1]


def _family(table: Table, prefix: str) -> F64:
    """Return the columns of the sections or the layers, float64 [n_showers, n_members]."""
    return table.variables[:, [number for number, name in enumerate(table.names) if name.startswith(prefix)]]
