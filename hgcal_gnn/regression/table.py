"""Tables of high-level variables of many showers: what baselines are fitted to and networks are standardised with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.observables import shower_variables, variable_names
from hgcal_gnn.regression.batch import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.arrays import F64, I64
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.showers.store import ShowerStore

TRUTH = ("true_f_em", "true_first_layer", "true_leaked_energy")  # of the simulation; what no detector sees
SHOWERS_AT_ONCE = 2048
MENTIONED = 5  # rows named in an error


def table_names(numbers: CellNumbers, names: str | Sequence[str]) -> tuple[str, ...]:
    """Replace sets of variables by their members, as `variable_names`, and let truth (`TRUTH`) pass.

    Raises
    ------
    UsageError
        For names that do not exist.
    """
    asked = (names,) if isinstance(names, str) else tuple(names)
    expanded = [
        member for name in asked for member in ((name,) if name in TRUTH else variable_names(numbers, name))
    ]  # fmt: skip
    return tuple(dict.fromkeys(expanded))


def shower_table(
    showers: Showers, numbers: CellNumbers, names: str | Sequence[str], *, source: str = "showers"
) -> Table:
    """Tabulate variables of showers; `energy` is NaN where the truth is not known.

    Raises
    ------
    UsageError
        For names that do not exist.
    InputError
        If simulated truth is asked for and not known.
    """
    expanded = table_names(numbers, names)
    visible = tuple(name for name in expanded if name not in TRUTH)
    values = np.empty((len(showers), len(expanded)))
    values[:, [expanded.index(name) for name in visible]] = shower_variables(showers, numbers, visible)
    for column, name in enumerate(expanded):
        if name in TRUTH:
            values[:, column] = _truth(showers, name.removeprefix("true_"), source)
    return Table(expanded, values, showers.incident_energy.astype(np.float64))


def collect_table(store: ShowerStore, rows: I64, numbers: CellNumbers, names: str | Sequence[str]) -> Table:
    """Tabulate variables of showers of a store; its hits pass through memory chunk by chunk.

    Parameters
    ----------
    rows : int64 [n_showers]
        Showers of the store, in the order of the table.

    Raises
    ------
    UsageError
        For names that do not exist.
    InputError
        If simulated truth is asked for and not known, or if incident energies are not positive.
    """
    expanded = table_names(numbers, names)
    values = np.empty((len(rows), len(expanded)))
    energy = np.empty(len(rows))
    for start in range(0, len(rows), SHOWERS_AT_ONCE):
        span = slice(start, start + SHOWERS_AT_ONCE)
        part = shower_table(store.read(rows[span]), numbers, expanded, source=str(store.path))
        values[span], energy[span] = part.variables, part.energy
    bad = np.flatnonzero(~(energy > 0))
    if len(bad):
        first = ", ".join(str(row) for row in rows[bad[:MENTIONED]])
        msg = (
            f"{store.path}: incident_energy of {len(bad)} of {len(rows)} showers is not known or not positive (first "
            f"showers {first}); leave them out"
        )
        raise InputError(msg)
    return Table(expanded, values, energy)


def _truth(showers: Showers, name: str, source: str) -> F64:
    """Return a column of simulated truth, float64 [n_showers]."""
    values = getattr(showers, name)
    known = np.zeros(len(showers), dtype=bool) if values is None else np.isfinite(values)
    if not known.all():
        msg = (
            f"{source}: {name} is not known of {(~known).sum()} of {len(known)} showers (first {known.argmin()}); the "
            "oracle needs the truth that only the parametrised simulation writes"
        )
        raise InputError(msg)
    truth: F64 = values.astype(np.float64)
    return truth
