"""Boosted trees as plain arrays: kept without pickle, evaluated without the library that grew them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, prange

from hgcal_gnn.showers.ragged import offsets_of

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F64, I32, I64, Array

NODES = ("feature", "threshold", "left", "right", "value")


def tree_arrays(regressor: Any) -> dict[str, Array]:
    """Take the trees out of a fitted scikit-learn `HistGradientBoostingRegressor` (without categories).

    Returns
    -------
    dict
        start float64 [1], what the sum begins with; root int64 [n_trees + 1], first node of each tree; of the nodes
        of all trees feature int32 (-1 a leaf), threshold float64 (left if the feature is at most that), left, right
        int32 (counted from the root), value float64 [n_nodes].
    """
    trees = [stage[0].nodes for stage in regressor._predictors]
    nodes = np.concatenate(trees)
    return {
        "start": np.full(1, float(np.squeeze(regressor._baseline_prediction))),
        "root": offsets_of(np.array([len(tree) for tree in trees])),
        "feature": np.where(nodes["is_leaf"] == 1, -1, nodes["feature_idx"]).astype(np.int32),
        "threshold": nodes["num_threshold"].astype(np.float64),
        "left": nodes["left"].astype(np.int32),
        "right": nodes["right"].astype(np.int32),
        "value": nodes["value"].astype(np.float64),
    }


def evaluate_trees(arrays: dict[str, Array], variables: F64) -> F64:
    """Sum the trees for each row of `variables` [n, n_features], float64 [n]; the same numbers as scikit-learn's."""
    arguments: tuple[Any, ...] = (arrays["start"], arrays["root"], *(arrays[name] for name in NODES), variables)
    values: F64 = _evaluate(*arguments)
    return values


@njit(cache=True, parallel=True)
def _evaluate(
    start: F64, root: I64, feature: I32, threshold: F64, left: I32, right: I32, value: F64, variables: F64
) -> F64:
    found = np.empty(len(variables))
    for row in prange(len(variables)):
        total = start[0]
        for tree in range(len(root) - 1):
            node = root[tree]
            while feature[node] >= 0:
                is_left = variables[row, feature[node]] <= threshold[node]
                node = root[tree] + (left[node] if is_left else right[node])
            total += value[node]
        found[row] = total
    return found
