"""What holds for the networks on hits, voxels and variables, whatever their layers are."""

from __future__ import annotations

import pytest
import torch

from hgcal_gnn.errors import UsageError
from hgcal_gnn.regression.models import MODELS
from tests.regression.models.batches import network_and_batch, picked, reordered, stir

COUNTS = (40, 3, 0, 25, 1)
SMALL = {"hidden": 16}
ON_HITS = {
    "edgeconv": SMALL,
    "gat": SMALL,
    "gravnet": SMALL | {"nearest": 6, "filters": 8},
    "message_passing": SMALL | {"message": 8},
}
VARIABLES = {"variables": ("energy_elmag", "energy_hadron", "eta", "phi")}
WINDOWS = {
    "ECAL": {"shape": (9, 9, 25), "size": 0.51, "regular": True},
    "HCAL": {"shape": (5, 5, 60), "size": 3.0, "first_layer": 26, "regular": True},
}
OTHERS = {
    "dnn": SMALL | VARIABLES,
    "cnn3d": SMALL | {"windows": WINDOWS},
    "googlenet3d": SMALL | {"windows": WINDOWS, "stem": 8, "blocks": ((8,), (16,))},
}
ALL = ON_HITS | OTHERS
DEEP = [
    ("edgeconv", ON_HITS["edgeconv"] | {"deep": True}),
    ("edgeconv", ON_HITS["edgeconv"] | {"edges": "knn"}),
    ("message_passing", ON_HITS["message_passing"] | {"reduce": "mean", "edges": "knn"}),
]


@pytest.mark.parametrize(("kind", "settings"), [*ON_HITS.items(), *DEEP])
def test_order_of_the_hits_does_not_matter(kind, settings):
    network, batch = network_and_batch(kind, COUNTS, dtype=torch.float64, **settings)
    stir(network)
    out, again = network(batch), network(reordered(batch))
    assert out.std() > 1e-3
    torch.testing.assert_close(again, out, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("kind", "settings"), ALL.items())
def test_showers_of_a_batch_do_not_see_each_other(kind, settings):
    network, batch = network_and_batch(kind, COUNTS, dtype=torch.float64, **settings, uncertainty=True)
    stir(network)
    network.eval()
    out = network(batch)
    assert out.shape == (len(COUNTS), 2)
    alone = torch.cat([network(picked(batch, number)) for number in range(len(COUNTS))])
    torch.testing.assert_close(out, alone, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("kind", "settings"), ALL.items())
def test_untrained_networks_give_the_plain_sum(kind, settings):
    network, batch = network_and_batch(kind, COUNTS, **settings)
    network.eval()
    torch.testing.assert_close(network(batch), torch.zeros(len(COUNTS), 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("kind", "settings"), ALL.items())
def test_showers_without_hits_give_finite_numbers_and_gradients(kind, settings):
    for counts in ((0,), (0, 0, 5)):
        network, batch = network_and_batch(kind, counts, **settings)
        stir(network)
        out = network(batch)
        out.sum().backward()
        assert torch.isfinite(out).all()
        assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


@pytest.mark.parametrize(("kind", "settings"), ALL.items())
def test_learns_that_one_section_counts_twice(kind, settings):
    settings = settings | ({"dropout": 0.0} if kind in OTHERS else {})
    network, batch = network_and_batch(kind, [30] * 64, **settings)
    wanted = (batch.target[:, 0] / batch.reference[:, 0]).log()
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        loss = (network(batch)[:, 0] - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # a constant is not enough
    assert min(losses[-5:]) < 0.5 * (wanted - wanted.median()).abs().mean()


@pytest.mark.parametrize(("kind", "settings"), ALL.items())
def test_half_precision_is_close(kind, settings):
    network, batch = network_and_batch(kind, (40, 25), **settings)
    stir(network)
    network.eval()
    out = network(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = network(batch)
    torch.testing.assert_close(rounded.float(), out, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("kind", list(ON_HITS))
def test_neighbours_matter(kind):
    network, batch = network_and_batch(kind, (40,), **ON_HITS[kind])
    stir(network)
    hits = batch.hits
    state = network._through(network.enter(hits.x), hits)
    one = int(hits.adjacency.degree.argmax()) if hits.adjacency.n_edges else 0
    hits.x[one] += 1.0
    changed = (network._through(network.enter(hits.x), hits) - state).abs().amax(dim=1) > 1e-7
    assert changed.sum() > 1
    if kind != "gravnet":  # three layers along the edges, no farther
        reached = torch.zeros(40, dtype=torch.bool)
        reached[one] = True
        for _ in range(3):
            reached[hits.adjacency.col[reached[hits.adjacency.row]]] = True
        assert not (changed & ~reached).any()
        assert not reached.all()


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="heads must divide hidden, got 3 and 16"):
        MODELS["gat"].config_class(hidden=16, heads=3)
    with pytest.raises(ValueError, match="multiples of 8, got 12"):
        MODELS["googlenet3d"].config_class(blocks=((8,), (12,)))
    with pytest.raises(ValueError, match="at least one window"):
        MODELS["googlenet3d"].config_class(windows={})
    with pytest.raises(ValueError, match="must be positive"):
        MODELS["cnn3d"].config_class(windows={"all": {"shape": (3, 3, 0), "size": 1.0}})
    with pytest.raises(ValueError, match="'none'"):
        MODELS["gravnet"].config_class(edges="cells")


def test_batches_without_voxels_are_refused():
    network, _ = network_and_batch("cnn3d", (5,), **OTHERS["cnn3d"])
    _, batch = network_and_batch("dnn", (5,), **OTHERS["dnn"])
    with pytest.raises(UsageError, match="holds no voxels"):
        network(batch)
