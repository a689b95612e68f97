"""Observables that need incident energies, of samples that do not tell them."""

from __future__ import annotations

import numpy as np

from hgcal_gnn.evaluation.features import FeatureTable
from hgcal_gnn.evaluation.report.incident import comparable, unknown_energies


def table(*energies):
    names, groups = ("energy", "response", "n_hits"), ("energy", "energy", "occupancy")
    values = np.arange(3.0 * len(energies), dtype=np.float32).reshape(-1, 3)
    return FeatureTable(names, groups, ("GeV", "", ""), values, np.array(energies, np.float32))


def test_response_is_compared_only_where_all_energies_are_known():
    known, unknown = table(10, 50), table(10, np.nan, 0, -5)
    assert not unknown_energies(known, known)
    assert comparable(known, known) == (known, known)
    assert unknown_energies(known, unknown) == "3 of 6 showers have no incident energy"
    ours, theirs = comparable(known, unknown)
    assert ours.names == theirs.names == ("energy", "n_hits")
    assert ours.units == ("GeV", "")
    assert ours.values.tolist() == [[0, 2], [3, 5]]
    assert theirs.incident_energy.tolist()[0] == 10
