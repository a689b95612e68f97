from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from hgcal_gnn.errors import UsageError
from hgcal_gnn.regression.batch import Table
from hgcal_gnn.regression.models.bdt import Bdt, BdtConfig
from hgcal_gnn.regression.models.trees import evaluate_trees, tree_arrays

SMALL = BdtConfig(trees=60, learning_rate=0.2, leaf_showers=20)


def showers(n=3000, seed=0):
    """The response depends on a variable beside the energy."""
    random = np.random.default_rng(seed)
    truth, share = np.exp(random.uniform(2, 6, n)), random.uniform(size=n)
    seen = truth * (0.6 + 0.4 * share) * (1 + 0.02 * random.normal(size=n))
    return Table(("share", "energy"), np.column_stack([share, seen]), truth)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Threads that wait for each other on a busy machine take 20 times as long."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def model():
    made = Bdt(SMALL)
    made.fit(showers(), showers(1000, seed=1))
    return made


@pytest.mark.parametrize("leaves", [2, 31])
def test_the_same_numbers_as_scikit_learn(leaves):
    random = np.random.default_rng(3)
    x = random.normal(size=(1000, 5))
    x[:, 4] = random.integers(0, 3, 1000)  # values that lie on thresholds
    y = 50 + np.sin(3 * x[:, 0]) + x[:, 1] * x[:, 4]
    regressor = HistGradientBoostingRegressor(max_iter=40, max_leaf_nodes=leaves, early_stopping=False).fit(x, y)
    arrays = tree_arrays(regressor)
    new = np.concatenate([x, 3 * random.normal(size=(500, 5))])
    assert (evaluate_trees(arrays, new) == regressor.predict(new)).all()
    assert evaluate_trees(arrays, np.empty((0, 5))).shape == (0,)


def test_trees_of_one_leaf():
    regressor = HistGradientBoostingRegressor(max_iter=3, early_stopping=False).fit(np.zeros((50, 1)), np.arange(50.0))
    assert evaluate_trees(tree_arrays(regressor), np.ones((2, 1))) == pytest.approx([24.5, 24.5])


def test_the_response_is_learned(model):
    other = showers(seed=2)
    ratio = model.predict(other) / other.energy
    assert np.median(ratio) == pytest.approx(1, abs=0.005)
    assert np.std(ratio) < 0.03  # 0.02 is noise; without the share it would be 0.14


def test_it_stops_when_the_validation_says_so():
    def trees(patience):
        made = Bdt(SMALL.model_copy(update={"trees": 400, "patience": patience}))
        made.fit(showers(), showers(500, seed=7))
        return len(made.arrays["root"]) - 1

    assert trees(3) <= trees(30) < 400


def test_state_through_a_file(model, tmp_path):
    save_file(model.state(), tmp_path / "model.safetensors")
    again = Bdt(SMALL)
    again.load_state(load_file(tmp_path / "model.safetensors"))
    assert (again.predict(showers(seed=2)) == model.predict(showers(seed=2))).all()


def test_the_same_seed_gives_the_same_trees(model):
    again = Bdt(SMALL)
    again.fit(showers(), showers(1000, seed=1))
    assert all((again.arrays[name] == values).all() for name, values in model.arrays.items())


def test_empty_showers_are_predicted(model):
    found = model.predict(Table(model.names, np.zeros((1, 2)), np.ones(1)))
    assert 0 < found[0] < 0.01


def test_without_the_energy():
    table = showers()
    with pytest.raises(UsageError, match="variables must hold 'energy'"):
        Bdt(SMALL).fit(Table(("share",), table.variables[:, :1], table.energy), table)


def test_impossible_settings():
    with pytest.raises(ValidationError, match="leaves"):
        BdtConfig(leaves=1)
