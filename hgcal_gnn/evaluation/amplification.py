"""Is a large generated sample worth more than the training showers? Error against the number of generated showers.

A. Butter et al., "GANplifying event samples", arXiv:2008.06545: quantiles of the true distribution hold equal shares;
the error of a sample is the root of the sum of squared differences of its shares from these. For n independent
showers and q quantiles its square is (1 - 1/q) / n in the mean. A generated sample first follows that, then stays at
what its training left it; the number of independent showers with that error is what the generator is worth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.resampling import REPLICAS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, I64

QUANTILES = 20
POINTS = 8
FEWEST = 100


@dataclass(frozen=True, eq=False)
class Amplification:
    """Errors of samples of one quantity; NaN and empty where not available, see `reason`.

    Attributes
    ----------
    sizes : int64 [n_points]
        Numbers of generated showers.
    error, error_error : float64 [n_points]
        Root of the summed squared differences of shares, and its standard deviation (bootstrap).
    independent : float64 [n_points]
        What as many independent reference showers have in the mean.
    training_size, training_error
        Of the training showers.
    equivalent, equivalent_low, equivalent_high
        Independent showers that the whole generated sample is worth, and the range of one standard deviation;
        infinite where its error is below that of the reference itself.
    factor
        equivalent / training_size: above 1, generating amplifies.
    """

    sizes: I64
    error: F64
    error_error: F64
    independent: F64
    training_size: int
    training_error: float = math.nan
    equivalent: float = math.nan
    equivalent_low: float = math.nan
    equivalent_high: float = math.nan
    factor: float = math.nan
    reason: str = ""


def amplification(
    training: ArrayLike,
    held_out: ArrayLike,
    generated: ArrayLike,
    *,
    quantiles: int = QUANTILES,
    sizes: Sequence[int] | None = None,
    replicas: int = REPLICAS,
    seed: int = 0,
) -> Amplification:
    """Measure the error of a generated sample against its size.

    Parameters
    ----------
    training, generated : float [n]
        One quantity, such as the response.
    held_out : float [m]
        Showers that stand for the truth, as many as there are: their own chance is in every error, (1 - 1/q) / m in
        the square, and is taken off in `equivalent`.
    sizes
        Default: 8 sizes from 100 to all, equally far apart in the logarithm.
    """
    ours, truth, made = (_finite(values) for values in (training, held_out, generated))
    edges = np.unique(np.quantile(truth, np.linspace(0, 1, quantiles + 1)[1:-1])) if len(truth) else np.empty(0)
    if min(len(ours), len(truth), len(made)) < FEWEST or len(edges) < quantiles - 1:
        reason = f"{len(ours)} / {len(truth)} / {len(made)} finite values; each sample needs {FEWEST}, of many values"
        nothing = np.empty(0)
        return Amplification(np.empty(0, np.int64), nothing, nothing, nothing, len(ours), reason=reason)
    rng = np.random.default_rng(seed)
    expected = _counts(truth, edges) / len(truth)
    made = rng.permutation(made)
    points = np.unique(np.geomspace(FEWEST, len(made), POINTS).astype(np.int64) if sizes is None else np.asarray(sizes))
    points = points[(points > 0) & (points <= len(made))]
    counts = np.stack([_counts(made[:size], edges) for size in points])
    error = _error(counts, expected)
    drawn = np.stack([_error(rng.multinomial(c.sum(), c / c.sum(), size=replicas), expected) for c in counts])
    spread = drawn.std(axis=1, ddof=1)
    own = (1 - 1 / quantiles) / len(truth)
    worth = [_equivalent(float(error[-1]) + k * float(spread[-1]), own, quantiles) for k in (0, 1, -1)]
    return Amplification(
        points,
        error,
        spread,
        independent=np.sqrt((1 - 1 / quantiles) / points + own),
        training_size=len(ours),
        training_error=float(_error(_counts(ours, edges), expected)),
        equivalent=worth[0],
        equivalent_low=worth[1],
        equivalent_high=worth[2],
        factor=worth[0] / len(ours),
    )


def _finite(values: ArrayLike) -> F64:
    numbers = np.asarray(values, np.float64).ravel()
    return numbers[np.isfinite(numbers)]


def _counts(values: F64, edges: F64) -> I64:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def _error(counts: I64, expected: F64) -> F64:
    shares = counts / counts.sum(axis=-1, keepdims=True)
    return np.asarray(np.sqrt(((shares - expected) ** 2).sum(axis=-1)))


def _equivalent(error: float, own: float, quantiles: int) -> float:
    left = error**2 - own if error > 0 else 0.0
    return (1 - 1 / quantiles) / left if left > 0 else np.inf
