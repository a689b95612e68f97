"""Features of the CaloChallenge under its names and in its units (MeV, mm), for its cylinders of (r, alpha) voxels.

Definitions of CaloChallenge/homepage, code/HighLevelFeatures.py; voxels below the smallest readout are left out as
code/evaluate.py does. eta and phi are r cos(alpha) and r sin(alpha) of the middle of a voxel; layers carry the numbers
of the binning files (from 0; data set 1: ATLAS samplings); centres and widths of empty layers are 0. Not in the table:
the incident energy, which is a condition (see `FeatureTable.incident_energy`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.feature_families import Family
from hgcal_gnn.evaluation.feature_sums import Rules
from hgcal_gnn.geometry.detectors.cylinders import rings

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.evaluation.feature_sums import FeatureSums
    from hgcal_gnn.geometry.cell_numbers import CellNumbers

# smallest readout of a voxel [GeV]: code/evaluate.py, min_energy; data sets 2 and 3: 0.5 keV over a sampling fraction
# of 0.033
THRESHOLDS = {"calochallenge-1-photons": 1e-3, "calochallenge-1-pions": 1e-3}
THRESHOLD = 0.5e-6 / 0.033
MEV, MM = 1e3, 10.0


def counted(numbers: CellNumbers) -> tuple[CellNumbers, Rules, list[str]]:
    """Return the voxels in the challenge's places and units, how it counts hits and how it calls layers.

    Raises
    ------
    UsageError
        If the detector is no cylinder of (r, alpha) voxels.
    """
    r, alpha = _polar(numbers)
    place = np.stack([r * np.cos(alpha), r * np.sin(alpha), np.zeros(len(r))], axis=1)
    voxels = replace(
        numbers, place=(MM * place).astype(np.float32), weight=np.full(len(r), MEV, np.float32)
    )  # fmt: skip
    rules = Rules(MM, 1, "z", THRESHOLDS.get(numbers.detector, THRESHOLD))
    labels = [str(layer) for layer in range(numbers.n_layers)]
    if numbers.detector in THRESHOLDS:
        labels = [ring.label.removeprefix("layer_") for ring in rings(numbers.detector)]
    return voxels, rules, labels


def _polar(numbers: CellNumbers) -> tuple[F64, F64]:
    """Return r [cm] and alpha [rad] of the middle of the voxels."""
    if numbers.polar is None:
        msg = (
            f"the convention calochallenge needs a cylinder of (r, alpha) voxels, {numbers.detector or 'the detector'} "
            "is none (its table has no columns r, phi, dphi); use another convention"
        )
        raise UsageError(msg)
    r, alpha, opening = numbers.polar.astype(np.float64).T
    # to double precision, so that voxels on opposite sides of the axis cancel to the last digit
    opening = 2 * np.pi / np.rint(2 * np.pi / opening)
    return r, -np.pi + (np.rint((alpha + np.pi) / opening - 0.5) + 0.5) * opening


def families(numbers: CellNumbers) -> tuple[Family, ...]:
    """List the features; eta and phi only of layers that are divided in alpha."""
    _, alpha = _polar(numbers)
    rows = numbers.layer - 1
    low, high = np.full(numbers.n_layers, np.inf), np.full(numbers.n_layers, -np.inf)
    np.minimum.at(low, rows, alpha)
    np.maximum.at(high, rows, alpha)
    divided = frozenset(np.flatnonzero(high > low).tolist())
    return (
        Family("E_tot", "energy", "MeV", "sum of all voxels", lambda sums: sums.shower("energy")),
        Family("E_layers_{layer}", "longitudinal", "MeV", "sum of a layer", lambda sums: sums.layer("energy")),
        Family("EC_etas_{layer}", "centre", "mm", "mean r cos(alpha)", _centre("x"), divided),
        Family("EC_phis_{layer}", "centre", "mm", "mean r sin(alpha)", _centre("y"), divided),
        Family("EC_r_{layer}", "centre", "mm", "mean r", _centre("r")),
        Family("width_etas_{layer}", "width", "mm", "standard deviation of r cos(alpha)", _width("x"), divided),
        Family("width_phis_{layer}", "width", "mm", "standard deviation of r sin(alpha)", _width("y"), divided),
        Family("width_r_{layer}", "width", "mm", "standard deviation of r", _width("r")),
        Family("sparsity_{layer}", "occupancy", "", "share of the voxels of a layer without energy", _sparsity),
    )


def _centre(axis: str) -> Callable[[FeatureSums], F64]:
    return lambda sums: np.nan_to_num(sums.centre(axis), nan=0.0)


def _width(axis: str) -> Callable[[FeatureSums], F64]:
    return lambda sums: np.nan_to_num(sums.width(axis), nan=0.0)


def _sparsity(sums: FeatureSums) -> F64:
    return 1.0 - sums.layer("hits") / np.maximum(sums.cells_of_layer, 1)
