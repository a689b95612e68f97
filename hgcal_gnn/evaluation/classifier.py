"""Classifier test: how well a network tells generated showers from those of the reference.

The area under its ROC curve is 0.5 where it cannot, and 1 where it always can. What published tables hold under this
name is often something else; here the scores are used as they are, both samples count the same, each shower is scored
by a network that has not seen it, and the best epoch is the one used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.auc import area_under_curve
from hgcal_gnn.evaluation.calibration_of_scores import Reliability, WeightHistogram
from hgcal_gnn.evaluation.classifier_inputs import CellInputs, FeatureInputs, HitInputs
from hgcal_gnn.evaluation.classifier_training import ClassifierSettings, OutOfFold, score_out_of_fold
from hgcal_gnn.evaluation.distance import Distance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from hgcal_gnn.arrays import F64, I64, Array
    from hgcal_gnn.batching.voxels import VoxelTensors
    from hgcal_gnn.evaluation.classifier_inputs import ClassifierInputs
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.showers.store import ShowerStore

DEFAULT = ClassifierSettings()
ON_SHOWERS = ClassifierSettings(epochs=20, patience=4, batch_size=128)  # of cells and hits
CURVE_SHARES = (0.0625, 0.125, 0.25, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Area under the curve against the number of showers the networks were trained on.

    Attributes
    ----------
    sizes : int64 [n_sizes]
        Of both samples together, per fold.
    auc, error : float64 [n_sizes]
    """

    sizes: I64
    auc: F64
    error: F64


@dataclass(frozen=True, eq=False)
class ClassifierResult:
    """What a classifier test says.

    Attributes
    ----------
    auc
        Mean over the folds, with the error of showers drawn anew (not of networks trained anew: see `fold_aucs`).
    halves
        The same test of two halves of the reference, if asked for: 0.5 within its floor's error, or the test is wrong.
    fold_aucs : float64 [folds]
    best_epochs : int64 [folds]
    probability : float64 [n]
        Calibrated probability of each shower to be generated, out of fold, the showers of the reference first.
    n_reference
        How many these are.
    weights
        Histograms of ln(p(reference) / p(generated)) of both samples.
    calibration
        Probabilities given against shares found.
    learning_curve
        If asked for.
    """

    auc: Distance
    halves: Distance | None
    fold_aucs: F64
    best_epochs: I64
    probability: F64
    n_reference: int
    weights: WeightHistogram
    calibration: Reliability
    learning_curve: LearningCurve | None = None


def classifier_test(
    reference: Array,
    generated: Array,
    *,
    folds: int = DEFAULT.folds,
    epochs: int = DEFAULT.epochs,
    seed: int = DEFAULT.seed,
    settings: ClassifierSettings = DEFAULT,
    floor: bool = True,
    curve: Sequence[float] = (),
    progress: Callable[[int], Any] | None = None,
) -> ClassifierResult:
    """Train dense networks on features of the showers.

    Parameters
    ----------
    reference : float [n, n_features]
    generated : float [m, n_features]
        NaN (not available) is taken for the mean.
    folds, epochs, seed
        Take the place of those in `settings`.
    settings
        `classifier_training.PUBLISHED` has the published widths.
    floor
        Test halves of the reference too, which takes up to half the time again.
    curve
        Shares of the training showers for the learning curve (`CURVE_SHARES`), each up to as long as the test itself;
        1 is the test itself.
    progress
        Called with 1 after each epoch; at most ``epochs * folds * (1 + floor + len(curve))`` times.

    Raises
    ------
    InputError
        See `TwoSamples.of`.
    UsageError
        For settings without sense.
    """
    chosen = replace(settings, folds=folds, epochs=epochs, seed=seed)
    return _tested("classifier_features", FeatureInputs(reference, generated), chosen, floor, curve, progress)


def classifier_test_on_cells(
    reference: ShowerStore | Showers,
    generated: ShowerStore | Showers,
    voxels: VoxelTensors,
    *,
    settings: ClassifierSettings = ON_SHOWERS,
    floor: bool = True,
    curve: Sequence[float] = (),
    progress: Callable[[int], Any] | None = None,
) -> ClassifierResult:
    """Train dense networks on all cells of a regular detector; see `classifier_test`.

    Raises
    ------
    GeometryMismatchError
        If the showers were made with another detector.
    InputError
        For fewer than 100 showers.
    """
    inputs = CellInputs(reference, generated, voxels)
    return _tested("classifier_cells", inputs, settings, floor, curve, progress)


def classifier_test_on_hits(
    reference: ShowerStore | Showers,
    generated: ShowerStore | Showers,
    graph: CellGraph,
    material: MaterialProfile,
    *,
    settings: ClassifierSettings = ON_SHOWERS,
    floor: bool = True,
    curve: Sequence[float] = (),
    progress: Callable[[int], Any] | None = None,
) -> ClassifierResult:
    """Train graph networks on the hits, in any geometry; see `classifier_test`.

    Raises
    ------
    GeometryMismatchError
        If the showers were made with another geometry.
    InputError
        For fewer than 100 showers.
    """
    inputs = HitInputs(reference, generated, graph, material)
    return _tested("classifier_hits", inputs, settings, floor, curve, progress)


def _tested(
    name: str,
    inputs: ClassifierInputs,
    settings: ClassifierSettings,
    floor: bool,
    curve: Sequence[float],
    progress: Callable[[int], Any] | None,
) -> ClassifierResult:
    scored = score_out_of_fold(inputs, settings, progress=progress)
    fold_aucs, auc = auc_of_folds(name, scored)
    halves = None
    if floor:
        order = np.random.default_rng(settings.seed).permutation(inputs.n_reference)
        of_halves = score_out_of_fold(inputs.halves(order), settings, progress=progress)
        halves = auc_of_folds(f"{name}_of_halves", of_halves)[1]
    return ClassifierResult(
        auc=auc,
        halves=halves,
        fold_aucs=fold_aucs,
        best_epochs=scored.best_epoch,
        probability=scored.probability,
        n_reference=inputs.n_reference,
        weights=WeightHistogram.of(scored.probability, scored.generated),
        calibration=Reliability.of(scored.probability, scored.generated),
        learning_curve=_curve(inputs, settings, curve, auc, progress) if curve else None,
    )


def auc_of_folds(name: str, scored: OutOfFold) -> tuple[F64, Distance]:
    """Return the area under the curve of each fold, and their mean.

    Scores are compared within a fold only: each network has a scale of its own. For equal samples the mean is 1/2
    whatever the network does, with the variance of a rank sum (H. B. Mann, D. R. Whitney, Ann. Math. Stat. 18 (1947)
    50): this is the floor.
    """
    found = [
        area_under_curve(scored.score[scored.fold == number], scored.generated[scored.fold == number])
        for number in range(len(scored.best_epoch))
    ]
    areas, errors = np.array(found).T
    m = np.count_nonzero(scored.generated)
    by_chance = np.sqrt((1 / m + 1 / (len(scored.generated) - m)) / 12)
    error = np.sqrt((errors**2).sum()) / len(areas)
    return areas, Distance(f"{name}_auc", float(areas.mean()), float(error), 0.5, float(by_chance))


def _curve(
    inputs: ClassifierInputs,
    settings: ClassifierSettings,
    shares: Sequence[float],
    whole: Distance,
    progress: Callable[[int], Any] | None,
) -> LearningCurve:
    found = [
        auc_of_folds("curve", score_out_of_fold(inputs, settings, share=share, progress=progress))[1]
        if share < 1
        else whole
        for share in shares
    ]
    trained = (inputs.n_reference + inputs.n_generated) * 0.75 * (settings.folds - 1) / settings.folds
    sizes = (np.asarray(shares) * trained).astype(np.int64)
    return LearningCurve(sizes, np.array([auc.value for auc in found]), np.array([auc.error for auc in found]))
