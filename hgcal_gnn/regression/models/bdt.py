"""Baseline of boosted regression trees on high-level variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from hgcal_gnn.errors import UsageError
from hgcal_gnn.regression.inputs import SMALLEST
from hgcal_gnn.regression.models.base import Baseline, ModelConfig
from hgcal_gnn.regression.models.trees import evaluate_trees, tree_arrays

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, Array
    from hgcal_gnn.regression.batch import Table


class BdtConfig(ModelConfig):
    """Boosted regression trees (histogram gradient boosting of scikit-learn) of ln(energy / reconstructed).

    With the truth of the simulation among the variables (true_f_em, true_first_layer, true_leaked_energy) they tell
    how far anyone could get.
    """

    kind: Literal["bdt"] = "bdt"
    variables: tuple[str, ...] = Field(("all",), description="high-level variables; energy must be among them")
    learning_rate: PositiveFloat = Field(0.05, description="share of each tree that is added")
    trees: PositiveInt = Field(1500, description="trees at most")
    leaves: PositiveInt = Field(15, description="leaves of a tree at most", ge=2)
    leaf_showers: PositiveInt = Field(40, description="showers in a leaf at least")
    l2: NonNegativeFloat = Field(0.0, description="L2 regularisation of the leaves")
    patience: PositiveInt = Field(30, description="stop after so many trees without gain on the validation sample")
    threads: PositiveInt = Field(1, description="of the fit; more pay for large samples on an idle machine only")
    seed: int = Field(0, description="of the binning of large samples")


class Bdt(Baseline):
    """See `BdtConfig`."""

    config_class = BdtConfig
    config: BdtConfig

    def _fitted(self, table: Table, validation: Table) -> dict[str, Array]:
        try:
            from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 - slow to import, optional
            from threadpoolctl import threadpool_limits  # noqa: PLC0415 - comes with it
        except ImportError as error:
            msg = "bdt needs scikit-learn: pip install 'hgcal-gnn[torch]'"
            raise UsageError(msg) from error
        config = self.config
        regressor = HistGradientBoostingRegressor(
            learning_rate=config.learning_rate,
            max_iter=config.trees,
            max_leaf_nodes=config.leaves,
            min_samples_leaf=config.leaf_showers,
            l2_regularization=config.l2,
            early_stopping=True,
            n_iter_no_change=config.patience,
            random_state=config.seed,
        )
        correction, wanted = (np.log(part.energy / _reconstructed(part)) for part in (table, validation))
        # OpenMP threads wait for each other at every node: on a busy machine two are 20 times as slow as one, and
        # numba raises their number to that of the cores whatever OMP_NUM_THREADS says
        with threadpool_limits(config.threads, user_api="openmp"):
            regressor.fit(table.variables, correction, X_val=validation.variables, y_val=wanted)
        return tree_arrays(regressor)

    def _predicted(self, table: Table) -> F64:
        predicted: F64 = _reconstructed(table) * np.exp(evaluate_trees(self.arrays, table.variables))
        return predicted


def _reconstructed(table: Table) -> F64:
    """Return the calibrated energy of the showers, float64 [n_showers]."""
    if "energy" not in table.names:
        msg = "bdt corrects the reconstructed energy: variables must hold 'energy'"
        raise UsageError(msg)
    return np.maximum(table.column("energy"), SMALLEST)
