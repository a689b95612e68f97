from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hgcal_gnn.batching.fitted_transforms import BoxCox, LogRange, Standardise
from hgcal_gnn.batching.layer_shares import LayerShares
from hgcal_gnn.batching.transform_files import OnColumns, TransformSequence
from hgcal_gnn.batching.transforms import Log, Logit, Power, ScaleByIncident
from hgcal_gnn.errors import InputError, UsageError

DEPOSITS = [0.0, 1e-6, 2e-5, 1e-3, 0.5, 80.0]


def values(low, high):
    shapes = array_shapes(min_dims=1, max_dims=3, max_side=6)
    return arrays(np.float64, shapes, elements=st.floats(low, high)).map(torch.from_numpy)


# transform, smallest and largest value, absolute precision in double precision
CASES = {
    "log": (Log(1e-3), 0, 1e3, 1e-12),
    "log of negative": (Log(10.0), -9, 1e6, 1e-9),
    "power": (Power(0.85), 0, 1e3, 1e-10),
    "logit": (Logit(1e-6), 0, 1, 1e-12),
    "coarse logit": (Logit(0.05), 0, 1, 1e-14),
    "range": (LogRange(1.0, 1000.0), 1e-3, 1e6, 1e-6),
    "scale": (ScaleByIncident(200.0), -1e3, 1e3, 1e-10),
}


@pytest.mark.parametrize("name", CASES)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_inverse_is_exact(name, data):
    transform, low, high, precision = CASES[name]
    x = data.draw(values(low, high))
    energy = torch.linspace(0.5, 900.0, len(x), dtype=torch.float64)
    there = transform(x, energy)
    assert there.isfinite().all()
    torch.testing.assert_close(transform.inverse(there, energy), x, rtol=1e-9, atol=precision)


@pytest.mark.parametrize("make", [Standardise, lambda: Standardise("all"), BoxCox, LogRange])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_inverse_of_what_is_fitted_is_exact(make, data):
    x = data.draw(values(1e-3, 1e3))
    transform = make()
    if not isinstance(transform, Standardise) and x.log().unique().numel() < 2:
        return
    transform.fit(x)
    # x ** -2, the steepest power, leaves 1e-16 of (1e6) ** 2 for the largest value
    precision = 1e-3 if isinstance(transform, BoxCox) else 1e-10
    torch.testing.assert_close(transform.inverse(transform(x)), x, rtol=precision, atol=1e-10)


@settings(deadline=None, max_examples=40)
@given(arrays(np.float64, 8, elements=st.floats(0.05, 20), unique=True).map(torch.from_numpy))
def test_box_cox_of_values_not_too_far_apart_is_exact(x):
    transform = BoxCox().fit(x)
    torch.testing.assert_close(transform.inverse(transform(x)), x, rtol=1e-9, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_of_the_values_stays(dtype):
    x = torch.tensor(DEPOSITS, dtype=dtype)
    energy = torch.full((6,), 100.0)
    chain = TransformSequence([ScaleByIncident(), Logit(), Standardise("all")]).fit(x, energy)
    there = chain(x, energy)
    assert there.dtype == dtype
    back = chain.inverse(there, energy)
    assert back.dtype == dtype
    # single precision resolves u near its ends to 6e-8 relative to alpha + x: 100 GeV times 1e-12 and 1e-6
    torch.testing.assert_close(back, x, rtol=1e-5, atol=1e-4 if dtype == torch.float32 else 1e-10)


def test_numbers_by_hand():
    x = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(Log(1.0)(x), torch.tensor([0, math.log(2), math.log(4)], dtype=torch.float64))
    torch.testing.assert_close(Power(0.5)(x), torch.tensor([0, 1, math.sqrt(3)], dtype=torch.float64))
    half = torch.tensor([0.5], dtype=torch.float64)
    assert float(Logit()(half)) == pytest.approx(0, abs=1e-15)
    assert float(Logit()(0 * half)) == pytest.approx(math.log(1e-6 / (1 - 1e-6)), rel=1e-12)
    range_ = LogRange(1.0, 100.0)
    assert [float(range_(torch.tensor([e]))) for e in (1.0, 10.0, 100.0)] == pytest.approx([0, 0.5, 1])
    scaled = ScaleByIncident(2.0)(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([10.0, 100.0]))
    torch.testing.assert_close(scaled, torch.tensor([[0.2, 0.4], [0.06, 0.08]]))


def test_standardise_by_column():
    x = torch.tensor([[1.0, 7.0], [3.0, 7.0]])
    transform = Standardise().fit(x)
    assert transform.mean.tolist() == [2, 7]
    assert transform.deviation.tolist() == [1, 1]  # a constant column has no scale of its own
    torch.testing.assert_close(transform(x), torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
    assert Standardise("all").fit(x).mean.tolist() == [4.5]


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=6), st.floats(0, 1e6))
def test_standardise_in_batches_is_the_same(sizes, shift):
    x = torch.from_numpy(np.random.default_rng(1).normal(shift, 3.0, (sum(sizes), 2)))
    if len(x) < 2:
        return
    batches = [(part, None) for part in x.split(sizes)]
    transform = Standardise().fit_stream(lambda: batches)
    torch.testing.assert_close(transform.mean, x.mean(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(transform.deviation, x.std(0, correction=0), rtol=1e-7, atol=0)


def test_box_cox_finds_the_exponent_it_was_made_with():
    # for x = (1 + p y)^(1/p) with y normal, p is the exponent by construction; its error is about 0.01 here
    y = torch.from_numpy(np.random.default_rng(1).normal(0, 1, 50_000))
    x = (1 + 0.25 * (y + 8)) ** 4
    fitted = BoxCox().fit(x * 1e-5)
    assert float(fitted.exponent) == pytest.approx(0.25, abs=0.03)
    assert float(fitted.unit) == pytest.approx(81e-5, rel=0.02)
    assert float(BoxCox().fit(torch.exp(y)).exponent) == pytest.approx(0, abs=0.02)


def test_nothing_to_fit_to():
    with pytest.raises(InputError, match="nothing to fit"):
        Standardise().fit(torch.zeros(0, 3))
    with pytest.raises(InputError, match="two different values"):
        BoxCox().fit(torch.ones(5))
    with pytest.raises(InputError, match=r"0 < low < high, got inf and -inf"):
        LogRange().fit(torch.zeros(0))
    with pytest.raises(InputError, match=r"0 < low < high, got 3.0 and 3.0"):
        LogRange().fit(torch.full((4,), 3.0))
    with pytest.raises(InputError, match=r"0 < low < high, got 1000"):
        LogRange().fit(torch.tensor([1000.0, 1000.0000000000001], dtype=torch.float64))  # of one logarithm
    with pytest.raises(InputError, match=r"log_range needs values above 0"):
        LogRange().fit(torch.zeros(1))


@pytest.mark.parametrize("transform", [Standardise(), BoxCox(), LogRange()])
def test_not_fitted(transform):
    with pytest.raises(UsageError, match=f"{transform.kind} was not fitted"):
        transform(torch.ones(3))
    with pytest.raises(UsageError, match=f"{transform.kind} was not fitted"):
        transform.inverse(torch.ones(3))


@pytest.mark.parametrize(
    ("transform", "x", "message"),
    [
        (Log(1e-3), [1.0, -0.5], r"values above -0.001; 1 are not, for instance -0.5"),
        (Power(0.5), [-1.0, float("nan")], r"of at least 0; 2 are not"),
        (Logit(), [0.5, 1.5, 2.0], r"from 0 to 1; 2 are not, for instance 1.5"),
        (LogRange(1.0, 2.0), [0.0], r"above 0; 1 are not"),
        (LayerShares([0, 0]), [[0.5, -0.5]], r"of at least 0"),
    ],
)
def test_values_where_nothing_is_defined(transform, x, message):
    with pytest.raises(InputError, match=message):
        transform(torch.tensor(x), torch.ones(len(x)))


def test_incident_energy_must_fit():
    for energy in (None, torch.ones(2), torch.ones(3, 1)):
        with pytest.raises(UsageError, match=r"incident energy per entry, \[3\]"):
            ScaleByIncident()(torch.ones(3, 4), energy)
    with pytest.raises(InputError, match="incident energies above 0"):
        ScaleByIncident()(torch.ones(2), torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Log(0.0), lambda: Power(-1.0), lambda: Logit(0.5), lambda: LogRange(5.0, 1.0),
        lambda: Standardise("row"), lambda: LayerShares([]), lambda: LayerShares([1], factor=0.0),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(make):
    with pytest.raises(UsageError):
        make()


def test_layer_shares_by_hand():
    # layers of energy 3, 0 and 1 of 8 GeV incident; u_0 = 4 / (2 * 8), u_1 = 3/4, u_2 = 0/1
    shares = LayerShares([7, 7, 8, 9], factor=2.0)
    x = torch.tensor([[1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    energy = torch.tensor([8.0, 5.0])
    there = shares(x, energy)
    third = 1 / 3
    expected = [[third, 2 * third, 0, 1, 0.25, 0.75, 0], [0.0] * 7]
    torch.testing.assert_close(there, torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(shares.inverse(there, energy), x)
    # a generator's shares need not add up to 1
    there[0, :2] *= 1.7
    torch.testing.assert_close(shares.inverse(there, energy), x)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), single=st.booleans())
def test_layer_shares_invert(data, single):
    layers = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=12))
    n = data.draw(st.integers(0, 4))
    deposits = st.sampled_from([0.0, 0.0, 1e-5, 1e-2, 3.0])
    x = torch.from_numpy(data.draw(arrays(np.float64, (n, len(layers)), elements=deposits)))
    dtype = torch.float32 if single else torch.float64
    x, energy = x.to(dtype), torch.linspace(40, 60, n)
    shares = LayerShares(layers)
    there = shares(x, energy)
    assert there.shape == (n, len(layers) + len(set(layers)))
    assert ((there >= 0) & (there <= 1.000001)).all()
    precision = 1e-6 if single else 1e-14  # of the energy of the shower, at most 36 GeV
    torch.testing.assert_close(shares.inverse(there, energy), x, rtol=1e-5 if single else 1e-12, atol=36 * precision)


def test_sequence_fits_in_order_and_inverts_backwards():
    x = torch.from_numpy(np.random.default_rng(1).exponential(1e-3, (500, 3)))
    chain = TransformSequence([Log(1e-4), Standardise()]).fit(x)
    there = chain(x)
    torch.testing.assert_close(there.mean(0), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(there.std(0, correction=0), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(chain.inverse(there), x, rtol=1e-12, atol=1e-15)
    halves = [(x[:200], None), (x[200:], None)]
    streamed = TransformSequence([Log(1e-4), Standardise()]).fit_stream(lambda: iter(halves))
    torch.testing.assert_close(streamed(x), there)


def test_columns_have_transforms_of_their_own():
    x = torch.rand(20, 4, dtype=torch.float64)
    before = x.clone()
    chain = TransformSequence([OnColumns([0], Log(0.1)), OnColumns([2, 3], Standardise())]).fit(x)
    there = chain(x)
    torch.testing.assert_close(there[:, 0], torch.log1p(x[:, 0] / 0.1))
    assert torch.equal(there[:, 1], x[:, 1])
    torch.testing.assert_close(there[:, 2:].mean(0), torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(chain.inverse(there), x)
    assert torch.equal(x, before)
