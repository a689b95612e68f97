"""Which generated sample is nearest to the reference."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.report.availability import NotAvailable

if TYPE_CHECKING:
    from hgcal_gnn.evaluation.report.contents import Comparison, Evaluation


def rank_samples(found: Evaluation) -> list[tuple[str, str]]:
    """Order samples by their mean place in the overall measures that are available for all of them.

    Equal places are decided by the Frechet distance, or else the first distance.

    Returns
    -------
    Name and, in words, how far it is ahead of the next one.
    """
    names = list(found.comparisons)
    scores = [overall(found.comparisons[name], found.settings.distances[0]) for name in names]
    usable = [kind for kind in scores[0] if all(math.isfinite(score[kind][0]) for score in scores)] if scores else []
    places = np.zeros(len(names))
    for kind in usable:
        places += np.argsort(np.argsort([score[kind][0] for score in scores], kind="stable"), kind="stable")
    kind = next((kind for kind in ("frechet", "first") if kind in usable), "")
    ties = [score[kind][0] if kind else 0.0 for score in scores]
    order = np.lexsort((np.array(ties), places)).tolist()
    leads = [_lead(scores[a][kind], scores[b][kind]) if kind else "-" for a, b in pairwise(order)]
    return [(names[place], lead) for place, lead in zip(order, [*leads, "-"], strict=True)]


def overall(one: Comparison, distance: str) -> dict[str, tuple[float, float]]:
    """Return value and error of each measure of a sample as a whole; NaN where it is not available."""
    auc = one.classifier
    return {
        "frechet": (one.frechet.value, one.frechet.error),
        "kernel": (one.kernel.value, one.kernel.error),
        "classifier": (math.nan, math.nan) if isinstance(auc, NotAvailable) else (auc.auc.value, auc.auc.error),
        "first": one.mean_excess(distance),
    }


def _lead(first: tuple[float, float], second: tuple[float, float]) -> str:
    error = math.hypot(first[1], second[1])
    return f"{(second[0] - first[0]) / error:.1f} sigma" if error > 0 else "-"
