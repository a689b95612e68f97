from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation.observables import shower_variables
from hgcal_gnn.regression import table as module
from hgcal_gnn.regression.table import collect_table, shower_table, table_names
from hgcal_gnn.showers.store import open_store, write_showers
from tests.evaluation.by_hand import CELLS, DEPOSITS, NUMBERS, showers_of
from tests.evaluation.test_observables import random_case

TRUTH = {"f_em": [0.5, 0.25], "first_layer": [3, -1], "leaked_energy": [0.0, 1.5]}


def two(**columns):
    return showers_of((CELLS, DEPOSITS), ((), ()), **columns)


def test_names_of_variables_and_of_truth():
    names = table_names(NUMBERS, ("true_f_em", "published", "eta", "true_f_em"))
    assert names == ("true_f_em", "energy_elmag", "energy_hadron", "eta", "phi")
    assert table_names(NUMBERS, "energy") == ("energy",)
    with pytest.raises(UsageError, match="no shower variables true_pt"):
        table_names(NUMBERS, ("true_pt",))


def test_columns_go_where_their_names_say():
    table = shower_table(two(**TRUTH), NUMBERS, ("true_leaked_energy", "layer_2", "true_first_layer", "energy"))
    assert table.variables == pytest.approx(np.array([[0, 2, 3, 4], [1.5, 0, -1, 0]]), rel=1e-6)
    assert table.energy.tolist() == [5, 5]
    assert table.column("energy") == pytest.approx([4, 0])


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_rows_in_any_order_and_chunks_of_any_size(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(module, "SHOWERS_AT_ONCE", at_once)
    showers, numbers = random_case(3)
    showers = showers.replace(incident_energy=np.arange(1, 6, dtype=np.float32))
    write_showers(showers, tmp_path / "made.arrow")
    rows = np.array([4, 0, 3, 4])
    table = collect_table(open_store(tmp_path / "made.arrow"), rows, numbers, "all")
    assert (table.variables == shower_variables(showers[rows], numbers, table.names)).all()
    assert table.energy.tolist() == [5, 1, 4, 5]


def test_truth_that_is_not_there(tmp_path):
    write_showers(two(), tmp_path / "data.arrow")
    store = open_store(tmp_path / "data.arrow")
    with pytest.raises(
        InputError, match=r"data\.arrow: f_em is not known of 2 of 2 showers .first 0.; the oracle needs"
    ):
        collect_table(store, np.arange(2), NUMBERS, ("energy", "true_f_em"))
    with pytest.raises(InputError, match=r"showers: f_em is not known of 1 of 2 showers .first 1."):
        shower_table(two(f_em=[0.5, np.nan]), NUMBERS, ("true_f_em",))


def test_energies_that_cannot_be_fitted(tmp_path):
    showers = showers_of(*[((), ())] * 4).replace(incident_energy=np.array([1, 0, np.nan, 2], np.float32))
    write_showers(showers, tmp_path / "bad.arrow")
    store = open_store(tmp_path / "bad.arrow")
    with pytest.raises(InputError, match=r"incident_energy of 2 of 3 showers is not known or .*showers 2, 1"):
        collect_table(store, np.array([3, 2, 1]), NUMBERS, ("energy",))
    assert len(collect_table(store, np.array([0, 3]), NUMBERS, ("energy",)).energy) == 2
    # without truth nothing is refused: data have none
    assert np.isnan(shower_table(showers, NUMBERS, ("energy",)).energy[2])


def test_no_rows(tmp_path):
    write_showers(two(), tmp_path / "data.arrow")
    table = collect_table(open_store(tmp_path / "data.arrow"), np.empty(0, np.int64), NUMBERS, ("energy", "phi"))
    assert table.variables.shape == (0, 2)
