"""Features of the HGCal challenge under its names and in its units.

Definitions of OzAmram/CMSHGCaloChallenge, hgcal_metrics.py (LoadFile, compute_feats, compute_profiles), on showers as
OzAmram/HGCalShowers, HGCalGeo.py (build_layer, voxelize) stores them. Where they differ from ours: deposits below
10 keV and cells outside the rings do not exist; layers count from 0; energies are deposits [GeV] times the dE/dx weight
of the layer [MeV per MIP], not calibrated; positions are counted from the middle of the cell that the axis hits;
centres and widths of empty layers are 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.feature_axis import HGCAL_PITCH
from hgcal_gnn.evaluation.feature_families import Family, response
from hgcal_gnn.evaluation.feature_sums import Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.evaluation.feature_sums import FeatureSums
    from hgcal_gnn.geometry.cell_numbers import CellNumbers

THRESHOLD = 1e-5  # GeV, on the deposit of a cell: default of --EMin
EPSILON = 1e-8  # added to the energy that profiles are divided by
ELECTROMAGNETIC = (22, 11)


def n_rings(pdg_id: int) -> int:
    """Return the number of rings of the challenge's geometry files: photons 21, pions 75."""
    return 21 if abs(pdg_id) in ELECTROMAGNETIC else 75


def counted(numbers: CellNumbers, n_rings: int) -> tuple[CellNumbers, Rules, list[str]]:
    """Return the cells with the challenge's weights, how it counts hits and how it calls layers."""
    # 1e-3 w / E_MIP is what the calibration holds
    weighted = replace(numbers, weight=(1e3 * numbers.weight.astype(np.float64) * numbers.mip).astype(np.float32))
    rules = Rules(HGCAL_PITCH, n_rings, "direction", THRESHOLD, rings_only=True)
    return weighted, rules, [str(layer) for layer in range(numbers.n_layers)]


def _centre(axis: str) -> Callable[[FeatureSums], F64]:
    return lambda sums: np.nan_to_num(sums.from_axis_cell(axis), nan=0.0)


def _width(axis: str) -> Callable[[FeatureSums], F64]:
    return lambda sums: np.nan_to_num(sums.width(axis), nan=0.0)


def _share(energy: F64, sums: FeatureSums) -> F64:
    shares: F64 = energy / (sums.shower("energy") + EPSILON)[:, np.newaxis]
    return shares


# in the order of the published tables: 305 numbers for photons, 359 for pions
FAMILIES = (
    Family("IncidentEnergy", "incident", "GeV", "energy of the particle", lambda sums: sums.incident),
    Family("EnergyRatio", "energy", "MeV/MIP", "weighted energy over incident energy", response),
    Family("XCenterLayer{layer}", "centre", "cm", "mean x from the axis cell", _centre("x")),
    Family("XWidthLayer{layer}", "width", "cm", "standard deviation of x", _width("x")),
    Family("YCenterLayer{layer}", "centre", "cm", "mean y from the axis cell", _centre("y")),
    Family("YWidthLayer{layer}", "width", "cm", "standard deviation of y", _width("y")),
    Family("OccupancyLayer{layer}", "occupancy", "", "cells with a deposit", lambda sums: sums.layer("hits")),
    Family(
        "Energyfractionlayer{layer}", "energy", "", "share of a layer",
        lambda sums: _share(sums.layer("energy"), sums),
    ),
    Family(
        "Energyfractionring{ring}", "radial", "", "share of a ring around the axis",
        lambda sums: _share(sums.rings[:, :-1], sums),
    ),
)  # fmt: skip
