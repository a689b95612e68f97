"""High-level variables of showers, one number per shower.

All of them see hits only, never the truth: they serve regressors as inputs and generators as a ruler. "Energy" is the
calibrated one (`reconstructed`) unless said otherwise, the barycentre is weighted with it, the axis runs from the
origin through the barycentre. Showers without hits give 0 everywhere, and nothing gives NaN.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.observable_table import OBSERVABLES, Observable
from hgcal_gnn.evaluation.shower_sums import ShowerSums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers

PUBLISHED = ("energy_elmag", "energy_hadron", "eta", "phi")
SETS = ("published", "all_sections", "all_layers", "shape", "all")


def shower_variables(showers: Showers, numbers: CellNumbers, names: Sequence[str]) -> F64:
    """Compute high-level variables; only what is asked for.

    Parameters
    ----------
    numbers
        What is known of the cells of the detector.
    names
        Of `OBSERVABLES`; no sets (see `variable_names`).

    Returns
    -------
    float64 [n_showers, n_names]

    Raises
    ------
    UsageError
        For names that do not exist.
    """
    known = _members(numbers)
    _check(names, tuple(known), numbers)
    found = ShowerSums(showers, numbers)
    families: dict[str, F64] = {}
    values = np.empty((len(showers), len(names)))
    for column, name in enumerate(names):
        observable, member = known[name]
        if observable.name not in families:
            families[observable.name] = observable.compute(found)
        family = families[observable.name]
        values[:, column] = family if family.ndim == 1 else family[:, member]
    return values


def variable_names(numbers: CellNumbers, names: str | Sequence[str]) -> tuple[str, ...]:
    """Replace sets of variables by their members and remove repetitions.

    Parameters
    ----------
    names
        Variables and sets: "published" (those of the regression on the toy detector: energies in the
        electromagnetic and the hadronic part, eta, phi), "all_sections", "all_layers", "all_shares" (of the
        layers), "shape" (everything that is not per layer), "all" (but the shares, which the layers tell).

    Raises
    ------
    UsageError
        For names that do not exist.
    """
    known = _members(numbers)
    layers = tuple(name for name in known if name.startswith("layer_") and name != "layer_spread")
    shares = tuple(name for name in known if name.startswith("share_"))
    sets = {
        "published": PUBLISHED,
        "all_sections": tuple(name for name in known if name.startswith("section_")),
        "all_layers": layers,
        "all_shares": shares,
        "shape": tuple(name for name in known if name not in layers + shares),
        "all": tuple(name for name in known if name not in shares),
    }
    asked = (names,) if isinstance(names, str) else tuple(names)
    expanded = [member for name in asked for member in sets.get(name, (name,))]
    _check(expanded, tuple(known), numbers)
    return tuple(dict.fromkeys(expanded))


def _members(numbers: CellNumbers) -> dict[str, tuple[Observable, int]]:
    """List every variable of a detector: its entry in the table and its place in the family."""
    spans = {"{section}": range(len(numbers.sections)), "{layer}": range(1, numbers.n_layers + 1)}
    members: dict[str, tuple[Observable, int]] = {}
    for observable in OBSERVABLES:
        field = next((field for field in spans if field in observable.name), None)
        if field is None:
            members[observable.name] = (observable, 0)
            continue
        for place, number in enumerate(spans[field]):
            members[observable.name.replace(field, str(number))] = (observable, place)
    return members


def _check(names: Sequence[str], known: Sequence[str], numbers: CellNumbers) -> None:
    """Refuse names that do not exist."""
    unknown = [name for name in dict.fromkeys(names) if name not in known]
    if not unknown:
        return
    single = [name for name in known if not re.search(r"(^layer|^share|section)_\d+$", name)]
    sections = ", ".join(f"{number} {name}" for number, name in enumerate(numbers.sections))
    msg = (
        f"no shower variables {', '.join(unknown)}; there are {', '.join(single)}, section_K and hits_section_K "
        f"(K: {sections}), layer_L and share_L (L: 1 to {numbers.n_layers}), and the sets {', '.join(SETS)}"
    )
    raise UsageError(msg)
