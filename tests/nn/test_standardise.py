from __future__ import annotations

import torch

from hgcal_gnn.nn.standardise import LIMIT, Standardise


def test_mean_and_spread_by_hand():
    layer = Standardise(2)
    layer.fit(torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
    assert layer.mean.tolist() == [2, 20]
    assert layer.std.tolist() == [1, 10]
    assert layer(torch.tensor([[0.0, 40.0]])).tolist() == [[-2, 2]]


def test_what_does_not_vary_gives_zero():
    layer = Standardise(2)
    layer.fit(torch.tensor([[1e6, 0.0]] * 5))
    assert layer(torch.tensor([[1e6, 0.0]])).tolist() == [[0, 0]]


def test_unknown_values_are_left_out_and_become_the_mean():
    layer = Standardise(1)
    layer.fit(torch.tensor([[1.0], [torch.nan], [3.0], [torch.inf]]))
    assert (layer.mean.item(), layer.std.item()) == (2, 1)
    given = torch.tensor([[torch.nan], [torch.inf], [-torch.inf], [1e9]])
    assert layer(given).flatten().tolist() == [0, LIMIT, -LIMIT, LIMIT]


def test_nothing_known_at_all():
    layer = Standardise(2)
    layer.fit(torch.full((3, 2), torch.nan))
    assert layer(torch.ones(1, 2)).isfinite().all()
    empty = Standardise(0)
    empty.fit(torch.empty(4, 0))
    assert empty(torch.empty(4, 0)).shape == (4, 0)


def test_saved_with_the_network():
    layer, other = Standardise(1), Standardise(1)
    layer.fit(torch.tensor([[5.0], [9.0]]))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(torch.tensor([[9.0]])), torch.ones(1, 1))


def test_energies_of_many_orders_keep_their_digits():
    """Sums of squares in single precision would lose the spread of large numbers."""
    values = 1e5 + torch.linspace(-1, 1, 1001, dtype=torch.float64)[:, None]
    layer = Standardise(1)
    layer.fit(values)
    torch.testing.assert_close(layer.std, values.std(0, correction=0).float(), rtol=1e-5, atol=0)
