"""What high-level variables there are: name, unit, meaning, formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.shower_sums import RADII, THRESHOLDS
from hgcal_gnn.geometry.surfaces import eta_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.evaluation.shower_sums import ShowerSums

START_MIPS = 12.0  # E_MIP in each of two layers
START_SLOPE = 0.1  # E_MIP per GeV of the shower
SMALLEST = 1e-3  # GeV; logarithms of energies are cut off here, as the reference of a regressor


@dataclass(frozen=True)
class Observable:
    """One high-level variable, or a family of them.

    Attributes
    ----------
    name
        With `{section}` or `{layer}` where there is one per section (from 0, in the order of
        `CellNumbers.sections`) or per layer (from 1).
    unit
        "GeV", "cm", "rad" or "" for pure numbers.
    meaning
    compute
        Gives it for all showers: float64 [n_showers], of a family [n_showers, n_members].
    """

    name: str
    unit: str
    meaning: str
    compute: Callable[[ShowerSums], F64]


def _start_layer(found: ShowerSums) -> F64:
    over = found.layer_mips > START_MIPS + START_SLOPE * found.moment("energy")[:, np.newaxis]
    both = over[:, :-1] & over[:, 1:]
    first: F64 = np.where(both.any(axis=1), both.argmax(axis=1) + 1.0, 0.0) if both.size else np.zeros(len(over))
    return first


def _last_share(found: ShowerSums) -> F64:
    n_last = -(-found.numbers.n_layers // 10)
    return found.share(found.layers[:, -n_last:].sum(axis=1))


def _mips_spread(found: ShowerSums) -> F64:
    mean, square = found.share(found.spectrum[:, 0]), found.share(found.spectrum[:, 1])
    return np.sqrt(np.maximum(square - mean**2, 0.0))


def _shares(found: ShowerSums) -> F64:
    return found.layers / np.maximum(found.moment("energy"), SMALLEST)[:, np.newaxis]


def _within(number: int) -> Callable[[ShowerSums], F64]:
    return lambda found: found.share(found.lateral[:, 1 + number])


def _hits_above(number: int) -> Callable[[ShowerSums], F64]:
    return lambda found: found.spectrum[:, 2 + number] / np.maximum(found.moment("n_hits"), 1.0)


def _energy_above(number: int) -> Callable[[ShowerSums], F64]:
    return lambda found: found.share(found.spectrum[:, 2 + len(THRESHOLDS) + number])


OBSERVABLES = (
    Observable("energy", "GeV", "calibrated energy, `reconstructed`", lambda found: found.moment("energy")),
    Observable(
        "log_energy", "", "ln(energy / GeV), of at least 1 MeV (0 without hits)",
        lambda found: np.where(
            found.moment("energy") > 0, np.log(np.maximum(found.moment("energy"), SMALLEST)), 0.0
        ),
    ),
    Observable("visible", "GeV", "sum of raw deposits", lambda found: found.moment("visible")),
    Observable("eta", "", "pseudorapidity of the barycentre", lambda found: eta_of(*found.centre.T)),
    Observable(
        "phi", "rad", "azimuth of the barycentre, -pi to pi; a shower across pi has no jump inside",
        lambda found: np.arctan2(found.centre[:, 1], found.centre[:, 0]),
    ),
    Observable("energy_elmag", "GeV", "energy in the first section (CE-E, ECAL)", lambda found: found.sections[:, 0]),
    Observable(
        "energy_hadron", "GeV", "energy in the other sections", lambda found: found.sections[:, 1:].sum(axis=1)
    ),
    Observable("section_{section}", "GeV", "energy in a section", lambda found: found.sections),
    Observable("hits_section_{section}", "", "hits in a section", lambda found: found.section_hits),
    Observable("n_hits", "", "cells with a deposit", lambda found: found.moment("n_hits")),
    Observable("mean_layer", "", "energy-weighted mean of the layer", lambda found: found.moment("mean_layer")),
    Observable(
        "layer_spread", "", "energy-weighted standard deviation of the layer",
        lambda found: found.moment("layer_spread"),
    ),
    # own criterion; the threshold grows with energy as in the start finders of the CALICE test beams. Within two
    # layers of the truth for 93 % of simulated pions of 8-600 GeV
    Observable(
        "start_layer", "", "where the shower starts: first of two layers in a row that each hold more than 12 E_MIP "
        "+ 0.1 E_MIP per GeV of the shower; 0 if none do", _start_layer,
    ),
    Observable("last_share", "", "share of the energy in the last tenth of the layers (leakage)", _last_share),
    Observable(
        "width", "cm", "energy-weighted root mean square of the distance from the axis",
        lambda found: np.sqrt(found.share(found.lateral[:, 0])),
    ),
    *(
        Observable(f"core_{radius:.0f}cm", "", f"share of the energy within {radius:.0f} cm of the axis", _within(i))
        for i, radius in enumerate(RADII)
    ),
    # dense hits are electromagnetic: what CALICE's software compensation lives from (arXiv:1207.4210)
    Observable(
        "mips_mean", "", "energy-weighted mean of ln(deposit / E_MIP)",
        lambda found: found.share(found.spectrum[:, 0]),
    ),
    Observable("mips_spread", "", "energy-weighted standard deviation of ln(deposit / E_MIP)", _mips_spread),
    *(
        Observable(f"hits_above_{mips:.0f}", "", f"share of the hits above {mips:.0f} E_MIP", _hits_above(i))
        for i, mips in enumerate(THRESHOLDS)
    ),
    *(
        Observable(
            f"energy_above_{mips:.0f}", "", f"share of the energy in hits above {mips:.0f} E_MIP", _energy_above(i)
        )
        for i, mips in enumerate(THRESHOLDS)
    ),
    Observable(
        "largest_share", "", "share of the energy in the largest hit",
        lambda found: found.share(found.moment("largest")),
    ),
    Observable("layer_{layer}", "GeV", "energy in a layer", lambda found: found.layers),
    Observable("share_{layer}", "", "share of the energy in a layer", _shares),
)  # fmt: skip
