"""What features there are: name, group, unit, meaning, formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.feature_sums import divided, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.evaluation.feature_sums import FeatureSums

LAYER, RING = "{layer}", "{ring}"
GROUPS = ("incident", "energy", "longitudinal", "radial", "centre", "width", "occupancy", "shape")


@dataclass(frozen=True)
class Family:
    """A feature, or one per layer or ring.

    Attributes
    ----------
    name
        With `LAYER` or `RING` where there is one for each.
    group
        "energy", "longitudinal", "radial", "centre", "width", "occupancy" or "shape"; "layer_energy" is only
        computed when asked for.
    unit
        "GeV", "cm", "rad" or "" for pure numbers.
    meaning
    compute
        Gives it for all showers: float64 [n_showers], of a family [n_showers, n_layers or n_rings]; NaN if not
        available.
    members
        The layers (from 0) that have the feature; None: all.
    """

    name: str
    group: str
    unit: str
    meaning: str
    compute: Callable[[FeatureSums], F64]
    members: frozenset[int] | None = None


def _largest_share(sums: FeatureSums) -> F64:
    return divided(sums.shower("largest"), sums.shower("energy"))


def response(sums: FeatureSums) -> F64:
    """Return energy over energy of the incident particle, float64 [n_showers]; NaN where that is not known."""
    return divided(sums.shower("energy"), sums.incident)


def _largest_layer(sums: FeatureSums) -> F64:
    largest: F64 = np.where(sums.shower("energy") > 0, sums.layer("energy").argmax(axis=1) + 1.0, np.nan)
    return largest


def _filled_layers(sums: FeatureSums) -> F64:
    filled: F64 = (sums.layer("hits") > 0).sum(axis=1).astype(np.float64)
    return filled


def _radius_spread(sums: FeatureSums) -> F64:
    return root_of(sums.radius("rr") - sums.radius("r") ** 2)


def _sparsity(sums: FeatureSums) -> F64:
    return 1.0 - sums.shower("hits") / max(int(sums.cells_of_layer.sum()), 1)


def _centre(axis: str) -> Callable[[FeatureSums], F64]:
    return lambda sums: sums.centre(axis)


def _width(axis: str) -> Callable[[FeatureSums], F64]:
    return lambda sums: sums.width(axis)


def _depth(share: float) -> Callable[[FeatureSums], F64]:
    return lambda sums: sums.depth(share)


def _column(table: str, number: int) -> Callable[[FeatureSums], F64]:
    def compute(sums: FeatureSums) -> F64:
        values: F64 = getattr(sums, table)[:, number]
        return values

    return compute


_ENERGY = (
    Family("energy", "energy", "GeV", "calibrated energy, `reconstructed`", lambda sums: sums.shower("energy")),
    Family("visible", "energy", "GeV", "sum of raw deposits", lambda sums: sums.shower("visible")),
    Family("response", "energy", "", "energy over energy of the incident particle", response),
)
_LONGITUDINAL = (
    Family(
        "layer_{layer}_fraction", "longitudinal", "", "share of the energy in a layer", lambda sums: sums.layer_fraction
    ),
    Family("start_layer", "longitudinal", "", "where the shower starts; 0 if nowhere", lambda sums: sums.start_layer),
    Family("mean_layer", "longitudinal", "", "energy-weighted mean of the layer", _column("layer_moments", 0)),
    Family("layer_spread", "longitudinal", "", "its standard deviation", _column("layer_moments", 1)),
    Family("layer_skewness", "longitudinal", "", "its skewness", _column("layer_moments", 2)),
    Family("largest_layer", "longitudinal", "", "layer with the largest energy", _largest_layer),
    *(
        Family(
            f"depth_{share}", "longitudinal", "",
            f"layers that hold {share} % of the energy, straight lines between layers", _depth(share / 100),
        )
        for share in (50, 90, 95)
    ),
)  # fmt: skip
_RADIAL = (
    Family(
        "ring_{ring}_fraction", "radial", "", "share of the energy in a ring around the axis",
        lambda sums: sums.ring_fraction[:, :-1],
    ),
    Family("outside_fraction", "radial", "", "share beyond the last ring", _column("ring_fraction", -1)),
    Family("radius_mean", "radial", "cm", "energy-weighted mean distance from the axis", lambda sums: sums.radius("r")),
    Family("radius_spread", "radial", "cm", "its standard deviation", _radius_spread),
    Family(
        "radius_rms", "radial", "cm", "root of the mean square of the distance",
        lambda sums: np.sqrt(sums.radius("rr")),
    ),
)  # fmt: skip
_CENTRE = tuple(
    Family(f"layer_{{layer}}_centre_{axis}", "centre", "cm", f"mean {meaning} in a layer", _centre(axis))
    for axis, meaning in (("x", "x from the axis"), ("y", "y from the axis"), ("r", "distance from the axis"))
)
_WIDTH = tuple(
    Family(f"layer_{{layer}}_width_{axis}", "width", "cm", f"standard deviation of {axis} in a layer", _width(axis))
    for axis in "xyr"
)
_OCCUPANCY = (
    Family("n_hits", "occupancy", "", "cells with a deposit", lambda sums: sums.shower("hits")),
    Family("sparsity", "occupancy", "", "share of the detector's cells without one", _sparsity),
    Family("n_layers", "occupancy", "", "layers with a deposit", _filled_layers),
    Family("layer_{layer}_hits", "occupancy", "", "cells of a layer with a deposit", lambda sums: sums.layer("hits")),
)
_SHAPE = (
    Family("largest_hit", "shape", "GeV", "energy of the largest hit", lambda sums: sums.shower("largest")),
    Family("largest_share", "shape", "", "its share of the energy", _largest_share),
    Family("hit_mips_mean", "shape", "", "mean of ln(deposit / E_MIP) over hits", _column("hit_moments", 0)),
    Family("hit_mips_spread", "shape", "", "its standard deviation", _column("hit_moments", 1)),
    Family("hit_mips_skewness", "shape", "", "its skewness", _column("hit_moments", 2)),
    *(
        Family(
            f"principal_{number}", "shape", "cm",
            f"root of eigenvalue {number} of the energy-weighted covariance of the places",
            _column("principal", number - 1),
        )
        for number in (1, 2, 3)
    ),
    Family(
        "principal_angle", "shape", "rad", "angle between the first principal axis and the axis",
        _column("principal", 3),
    ),
)  # fmt: skip
_LAYER_ENERGY = (
    Family("layer_{layer}_energy", "layer_energy", "GeV", "energy in a layer", lambda sums: sums.layer("energy")),
)
OURS = (*_ENERGY, *_LONGITUDINAL, *_RADIAL, *_CENTRE, *_WIDTH, *_OCCUPANCY, *_SHAPE, *_LAYER_ENERGY)


class Column(NamedTuple):
    """One feature of a table.

    Attributes
    ----------
    member
        Its place in the family.
    """

    name: str
    family: Family
    member: int


def expanded(families: Sequence[Family], names: Collection[str], layers: Sequence[str], n_rings: int) -> list[Column]:
    """List the features asked for, in the order of the families.

    Parameters
    ----------
    names
        Groups and features.
    layers
        How the layers are called in names.

    Raises
    ------
    UsageError
        For names that are neither, or none at all.
    """
    labels = {LAYER: layers, RING: [str(ring) for ring in range(n_rings)]}
    everything = []
    for family in families:
        field = next((field for field in labels if field in family.name), "")
        for member, label in enumerate(labels[field] if field else [""]):
            if family.members is None or member in family.members:
                everything.append(Column(family.name.replace(field, label) if field else family.name, family, member))
    groups = dict.fromkeys(family.group for family in families)
    known = {column.name for column in everything}.union(groups, GROUPS)
    unknown = [name for name in names if name not in known]
    found = [column for column in everything if column.name in names or column.family.group in names]
    if unknown or not found:
        msg = (
            f"no features or groups {', '.join(unknown) or 'asked for'}; there are the groups {', '.join(groups)} and "
            f"the features {', '.join(family.name for family in families)}"
        )
        raise UsageError(msg)
    return found
