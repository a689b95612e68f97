from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hgcal_gnn.errors import UsageError
from hgcal_gnn.regression.batch import Table
from hgcal_gnn.regression.models.linear import (
    LayerLinear,
    LayerLinearConfig,
    Sum,
    SumConfig,
    SumSections,
    SumSectionsConfig,
    fit_sum,
)
from hgcal_gnn.regression.models.oracle import VARIABLES, Oracle, OracleConfig

FACTORS = np.array([0.9, 1.3, 0.7])


def sections(n=500, seed=0):
    """Energies in three sections, the truth a weighted sum of them."""
    values = np.random.default_rng(seed).exponential(30, (n, 3)) + 0.1
    return Table(("section_0", "section_1", "section_2"), values, values @ FACTORS)


def fitted(model, table):
    model.fit(table, table)
    return model


def test_factors_are_found_and_the_least_is_exact():
    model = fitted(SumSections(SumSectionsConfig()), sections())
    assert model.arrays["coefficients"] == pytest.approx(FACTORS, rel=1e-4)
    other = sections(seed=1)
    assert model.predict(other) == pytest.approx(other.energy, rel=1e-4)


def test_offset():
    table = sections()
    shifted = Table(table.names, table.variables, table.energy + 2.5)
    model = fitted(SumSections(SumSectionsConfig(offset=True)), shifted)
    assert model.predict(shifted) == pytest.approx(shifted.energy, rel=1e-4)
    nothing = Table(table.names, np.zeros((1, 3)), np.ones(1))
    assert model.predict(nothing) == pytest.approx([2.5], rel=1e-3)


def test_one_factor_by_hand():
    """Responses 0.5, 1, 1: least squares would give (2.5 / 2.25) = 1.11; the median response is to be 1."""
    table = Table(("energy",), np.array([[5.0], [40.0], [200.0]]), np.array([10.0, 40.0, 200.0]))
    assert fit_sum(table.variables, table.energy, np.ones(1, bool), ridge=0) == pytest.approx([2.5 / 2.25])
    model = fitted(Sum(SumConfig()), table)
    assert model.predict(table) == pytest.approx([5, 40, 200])


def test_layers_without_energy_get_the_common_factor():
    values = np.zeros((400, 4))
    values[:, [0, 2]] = np.random.default_rng(2).exponential(20, (400, 2)) + 1
    values[7, 3] = 1e-4  # one shower with next to nothing in the last layer
    names = tuple(f"layer_{layer}" for layer in range(1, 5))
    model = fitted(LayerLinear(LayerLinearConfig()), Table(names, values, 1.5 * values.sum(axis=1)))
    assert model.arrays["coefficients"] == pytest.approx([1.5] * 4, rel=1e-3)
    # it matters where such a layer is hit later
    late = Table(names, np.array([[0, 30.0, 0, 30.0]]), np.array([90.0]))
    assert model.predict(late) == pytest.approx([90], rel=1e-3)


@pytest.mark.parametrize(
    ("power", "factor"),
    [
        (1, (0.5 + 1) / (0.5**2 + 1)),  # mean of r over mean of r^2, r = 0.5 and 1
        (0.5, (0.5 * 1 + 1 * 1000) / (0.5**2 * 1 + 1000)),  # weighted with the energy
        (0, (0.5 * 1 + 1e6) / (0.25 + 1e6)),  # absolute residuals
    ],
)
def test_what_residuals_count(power, factor):
    """Half the showers, of 1 GeV, say factor 2, half, of 1,000 GeV, factor 1."""
    table = Table(("energy",), np.repeat([[0.5], [1000.0]], 50, axis=0), np.repeat([1.0, 1000.0], 50))
    assert fit_sum(table.variables, table.energy, np.ones(1, bool), ridge=0, power=power) == pytest.approx([factor])


def test_empty_showers_are_predicted():
    model = fitted(SumSections(SumSectionsConfig()), sections())
    nothing = Table(model.names, np.zeros((2, 3)), np.full(2, np.nan))
    assert model.predict(nothing).tolist() == [0, 0]


def test_nothing_to_fit_to():
    with pytest.raises(UsageError, match="none of the 3 showers of the fit left any energy"):
        fitted(Sum(SumConfig()), Table(("energy",), np.zeros((3, 1)), np.ones(3)))


def test_state_through_a_file(tmp_path):
    model = fitted(SumSections(SumSectionsConfig(offset=True)), sections())
    save_file(model.state(), tmp_path / "model.safetensors")
    again = SumSections(SumSectionsConfig(offset=True))
    again.load_state(load_file(tmp_path / "model.safetensors"))
    assert (again.predict(sections()) == model.predict(sections())).all()


def test_other_variables_than_in_the_fit():
    model = fitted(SumSections(SumSectionsConfig()), sections())
    table = sections()
    swapped = Table(table.names[::-1], table.variables, table.energy)
    with pytest.raises(UsageError, match="fitted to section_0, section_1, section_2, the table has section_2"):
        model.predict(swapped)
    with pytest.raises(UsageError, match="fitted to nothing yet"):
        SumSections(SumSectionsConfig()).predict(table)


def oracle_table(n=4000, seed=4):
    """Showers whose truth is a sum of the oracle's terms, with what is not seen in the energies."""
    random = np.random.default_rng(seed)
    layers = random.exponential(10, (n, 4)) + 0.1
    halves = np.stack([layers[:, :2].sum(axis=1), layers[:, 2:].sum(axis=1)], axis=1)
    f_em, start = random.uniform(size=n), random.integers(-1, 5, n).astype(float)
    leaked = random.exponential(1.0, n)
    energy = 1.1 * halves[:, 0] + halves[:, 1] * (1.5 - 0.4 * f_em) + 0.2 * layers.sum(axis=1) * (start == 2) + leaked
    names = (
        "section_0", "section_1", "layer_1", "layer_2", "layer_3", "layer_4",
        "true_f_em", "true_first_layer", "true_leaked_energy",
    )  # fmt: skip
    return Table(names, np.column_stack([halves, layers, f_em, start, leaked]), energy)


def test_oracle_knows_what_sums_cannot():
    table, other = oracle_table(), oracle_table(seed=5)
    oracle = fitted(Oracle(OracleConfig()), table)
    assert oracle.predict(other) == pytest.approx(other.energy, rel=2e-3)
    visible = Table(table.names[:6], table.variables[:, :6], table.energy)
    blind = fitted(LayerLinear(LayerLinearConfig()), visible).predict(visible)
    assert np.std(blind / table.energy) > 0.04


def test_oracle_without_truth():
    table = oracle_table()
    for keep in (slice(0, 7), slice(2, 9)):
        part = Table(table.names[keep], table.variables[:, keep], table.energy)
        with pytest.raises(UsageError, match="the oracle needs the variables all_sections, all_layers, true_f_em"):
            fitted(Oracle(OracleConfig()), part)
    assert OracleConfig().variables == VARIABLES
