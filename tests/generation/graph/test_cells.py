"""The generator in cells: what is asked for is met in any cells, and the likelihoods are those on paper."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from scipy.special import erf

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.graph.base import GraphSizes
from hgcal_gnn.generation.graph.calorimeter import Calorimeter
from hgcal_gnn.generation.graph.cells import Cells, CellsConfig
from hgcal_gnn.generation.graph.cells_flow import (
    carried,
    carried_closely,
    gaussian_velocity,
    on_the_way,
    width_on_the_way,
)
from hgcal_gnn.generation.graph.cells_layers import LayerSums, blurred, blurred_root, counted, pulled_in, pushed_out
from hgcal_gnn.generation.graph.cells_places import Density, click_losses
from hgcal_gnn.generation.graph.cells_shares import HEXAGON, _in_torch, log_shares
from hgcal_gnn.generation.graph.ground import Ground, Seen
from hgcal_gnn.generation.graph.hits import HitBatch, HitMaker
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.nn.adjacency import Adjacency
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate

SMALL = CellsConfig(
    layer_width=16, layer_blocks=1, place_width=8, place_rounds=1, hit_width=8, message=4, context=4, distil=0.25
)
N_LAYERS = 47


def calorimeter_of(phi: tuple[float, float], eta: tuple[float, float] = (1.7, 2.3)) -> Calorimeter:
    graph, _ = build_graph(make_detector("hgcal", eta=eta, phi=phi, layers=(1, 12), side=1))
    return Calorimeter.of(graph, load_material("hgcal"))


@pytest.fixture(scope="module")
def calorimeter():
    return calorimeter_of((1.4, 1.75))


@pytest.fixture(scope="module")
def showers(calorimeter):
    beam = Beam("photon", parse_spectrum("10..50"), eta=2.0, phi=1.57)
    return simulate(calorimeter.graph.cells, beam, 24, seed=1)


@pytest.fixture(scope="module")
def batch(calorimeter, showers) -> HitBatch:
    return HitMaker(calorimeter, (22,))(showers).to_torch()


@pytest.fixture
def model(calorimeter, batch):
    torch.manual_seed(0)
    made = Cells(SMALL, GraphSizes((22,), (10.0, 50.0)), calorimeter)
    made.fit(batch)
    return made.eval()


def at(n: int, eta: float = 2.0, phi: float = 1.57) -> Condition:
    direction = torch.tensor([math.cos(phi), math.sin(phi), math.sinh(eta)]) / math.cosh(eta)
    return Condition(torch.full((n,), 30.0), direction.repeat(n, 1), torch.zeros(n, 3), torch.zeros(n).long())


def asked(n: int, seed: int = 0) -> LayerSums:
    """Hits and energies in the first twelve layers, in the last of them none."""
    random = np.random.default_rng(seed)
    hits, mips = np.zeros((n, N_LAYERS), np.float32), np.zeros((n, N_LAYERS), np.float32)
    hits[:, :11] = random.integers(0, 40, (n, 11))
    mips[:, :11] = hits[:, :11] * random.uniform(2, 10, (n, 11))
    centre = random.normal(0, 0.3, (n, N_LAYERS, 2)).astype(np.float32) * (hits > 0)[..., None]
    return LayerSums(*map(torch.from_numpy, (hits, mips, centre)))


@pytest.mark.parametrize("steps", [None, 2])
def test_layers_hold_what_was_asked_for(model, calorimeter, steps):
    wanted, condition = asked(16), at(16)
    with torch.no_grad():
        hits = model.fill(wanted, condition, torch.Generator().manual_seed(1), steps, exactly=True)
    ground = Ground.of(calorimeter)
    seen = ground.seen(hits.cell, hits.ptr, condition)
    found = model._sums(seen, hits.energy / seen.unit, 16)
    torch.testing.assert_close(found.n_hits, wanted.n_hits)
    torch.testing.assert_close(found.mips, wanted.mips, rtol=1e-4, atol=1e-4)
    assert (hits.energy > 0).all()
    assert all(len(torch.unique(part)) == len(part) for part in hits.cell.split(hits.n_hits.tolist()))
    assert (hits.cell.diff()[hits.shower.diff() == 0] > 0).all()  # ascending: as readers of the store expect
    assert int(hits.cell.max()) < calorimeter.n_cells


def test_thresholds_hold_by_construction(calorimeter, batch):
    torch.manual_seed(0)
    threshold = 3e-5
    model = Cells(SMALL.model_copy(update={"threshold": threshold}), GraphSizes((22,), (10.0, 50.0)), calorimeter)
    model.fit(batch)
    wanted = asked(16)
    with torch.no_grad():
        hits = model.fill(wanted, at(16), torch.Generator().manual_seed(1), exactly=True)
        poor = wanted._replace(mips=0.01 * wanted.mips)  # less than the thresholds alone
        faint = model.fill(poor, at(16), torch.Generator().manual_seed(1), exactly=True)
    assert hits.energy.min() > threshold
    assert faint.energy.min() > threshold
    torch.testing.assert_close(faint.n_hits, hits.n_hits)


def test_a_layer_cannot_have_more_hits_than_cells(model, calorimeter):
    wanted = asked(2)
    n_cells = int((calorimeter.numbers.layer == 3).sum())
    wanted.n_hits[:, 2] = n_cells + 5
    with torch.no_grad():
        hits = model.fill(wanted, at(2), torch.Generator().manual_seed(1), exactly=True)
    per_layer = torch.bincount(
        hits.shower * N_LAYERS + torch.from_numpy(calorimeter.numbers.layer[hits.cell].astype(np.int64)) - 1,
        minlength=2 * N_LAYERS,
    ).reshape(2, -1)
    assert per_layer[:, 2].tolist() == [n_cells, n_cells]
    torch.testing.assert_close(per_layer[:, 3:].float(), wanted.n_hits[:, 3:])


def test_seed_and_threads(model):
    some = [model.generate(at(8), torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert torch.equal(some[0].cell, some[1].cell)
    assert torch.equal(some[0].energy, some[1].energy)
    assert some[0].cell.shape != some[2].cell.shape or not torch.equal(some[0].cell, some[2].cell)


def test_one_evaluation_is_asked_of_the_pupil(model, batch):
    """It begins as its teacher; without it, zero steps are refused."""
    with pytest.raises(UsageError, match=r"not learned to make energies in one evaluation"):
        model.generate(at(2), torch.Generator().manual_seed(1), steps=0)
    pupil = copy.deepcopy(model)
    with torch.no_grad():
        pupil.distil_losses(batch)
    for name, weight in pupil.generating.flow.state_dict().items():
        assert torch.equal(pupil.generating.one_step.state_dict()[name], weight)
    zero, usual, flow = (pupil.generate(at(8), torch.Generator().manual_seed(1), steps) for steps in (0, None, 1))
    assert torch.equal(zero.energy, usual.energy)
    assert not torch.equal(zero.energy, flow.energy)
    assert torch.equal(zero.cell, usual.cell)


def density(clicks: float, sigma: float, middle: tuple[float, float] = (0.0, 0.0)) -> Density:
    """One shower, one layer, one Gaussian."""
    one = torch.zeros(1, 1, 1)
    place = torch.tensor(middle).reshape(1, 1, 1, 2)
    return Density(one, one, one + sigma, place, torch.full((1, 1), math.log(clicks)), torch.zeros(1, 1, 0))


def seen_cells(u: list[float], area: float) -> Seen:
    place, zero = torch.tensor(u), torch.zeros(len(u), dtype=torch.long)
    edges = Adjacency(torch.zeros(len(u) + 1, dtype=torch.long), zero[:0], zero[:0].byte())
    ptr = torch.tensor([0, len(u)])
    return Seen(zero, zero, zero, place, 0 * place, torch.full_like(place, area), place * 0 + 1, ptr, edges)


def test_likelihood_of_hit_cells_by_hand():
    """Three cells with chances 1 - exp(-mu) each, two of them hit; all other cells stay empty."""
    found, seen = density(4.0, 1.5), seen_cells([0.0, 2.0], 1.0)
    shares = found.of_cells(seen)
    share = shares[0].exp()
    sums = LayerSums(torch.tensor([[2.0]]), torch.tensor([[5.0]]), torch.zeros(1, 1, 2))
    loss = click_losses(found, shares, seen, sums, torch.tensor([4.0, 1.0]))
    mu = 4.0 * share
    by_hand = -(torch.log(1 - torch.exp(-mu)).sum() - (4.0 - mu.sum()))  # hits, and no click in any other cell
    torch.testing.assert_close(2 * loss["places"], by_hand)
    torch.testing.assert_close(loss["shares"], -(4 * share[0].log() + share[1].log()) / 5)


@pytest.mark.parametrize(("sigma", "u"), [(0.4, 0.0), (0.4, 0.9), (1.5, 1.2), (6.0, 5.0)])
def test_share_of_a_cell_is_the_integral_of_the_density(sigma, u):
    """A square of the same area is integrated exactly; a hexagon differs by little where the density is smooth."""
    area = 1.2
    half, root = area**0.5 / 2, sigma * 2**0.5
    exact = 0.5 * (erf((u + half) / root) - erf((u - half) / root)) * erf(half / root)
    share = density(1.0, sigma).of_cells(seen_cells([u], area))[0].exp()
    assert float(share) == pytest.approx(exact, rel=0.12 if sigma < 1 else 0.01)


@pytest.mark.parametrize("place", [0.0, 0.3, 2.9, 6.0])
def test_no_likelihood_is_above_one(place):
    """However many clicks a narrow density puts into the only cell that is hit."""
    seen = seen_cells([place], 1.2)
    sums = LayerSums(torch.ones(1, 1), torch.ones(1, 1), torch.zeros(1, 1, 2))
    for clicks in (1.0, 1e3):
        found = density(clicks, 0.2, (place, 0.0))
        loss = click_losses(found, found.of_cells(seen), seen, sums, torch.ones(1))
        assert float(loss["places"]) >= 0
        assert float(loss["shares"]) >= 0


def test_small_hexagons_fill_the_large_one():
    """Second moment of a hexagon of area 1 along an axis: 5 / (36 sqrt(3)); the small ones lack their own."""
    assert HEXAGON.mean(dim=0).abs().max() < 1e-6
    own = 5 / (36 * math.sqrt(3))
    torch.testing.assert_close(HEXAGON.square().mean(dim=0) + own / 19, torch.full((2,), own), rtol=0.06, atol=0)


def test_shares_follow_the_middle():
    torch.testing.assert_close(
        density(1.0, 0.8, (2.0, 0.0)).of_cells(seen_cells([2.0], 1.0))[0],
        density(1.0, 0.8).of_cells(seen_cells([0.0], 1.0))[0],
    )


def test_clicks_counted_in_other_cells():
    """Few clicks each hit a cell of their own, whatever its size; many crowd into few large cells."""
    few, many = density(0.5, 10.0), density(500.0, 2.0)
    assert float(few.hits_in(torch.full((1, 1), 0.5))) == pytest.approx(0.5, rel=0.01)
    small, large = (float(many.hits_in(torch.full((1, 1), area))) for area in (0.5, 1.0))
    # n = (2 pi sigma^2 / A) (ln m + gamma + E1(m)), m the clicks expected in the middle cell
    for area, found in ((0.5, small), (1.0, large)):
        middle = 500 * area / (2 * math.pi * 4)
        assert found == pytest.approx(2 * math.pi * 4 / area * (math.log(middle) + 0.5772), rel=0.02)
    assert small > 1.5 * large


def test_flow_along_straight_lines_is_exact():
    data, noise = torch.randn(5, 3), torch.randn(5, 3)
    point, velocity = on_the_way(data, noise, torch.full((5,), 0.25))
    torch.testing.assert_close(point, 0.75 * noise + 0.25 * data)

    def rest(x, time):
        return velocity - gaussian_velocity(x, torch.full((len(x),), time))

    torch.testing.assert_close(carried(noise, rest, 100), data, atol=1e-3, rtol=1e-3)
    errors = [float((carried(noise, rest, steps) - data).abs().max()) for steps in (10, 20)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25)  # the midpoint rule has an error of second order
    data, noise, velocity = data.double(), noise.double(), velocity.double()
    errors = [float((carried_closely(noise, rest, steps) - data).abs().max()) for steps in (8, 16)]
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.4)
    assert errors[1] < 1e-4


def test_standard_normal_data_need_no_steps():
    """Noise is as good as such data: where the network adds nothing every number of steps leaves it as it is."""
    noise = torch.randn(7, 3)
    for steps in (None, 1, 5):
        torch.testing.assert_close(carried(noise, lambda x, _: torch.zeros_like(x), steps), noise)
        torch.testing.assert_close(carried_closely(noise, lambda x, _: torch.zeros_like(x), steps or 2), noise)
    times = torch.linspace(0, 1, 9)
    width = torch.tensor([width_on_the_way(float(time)) for time in times])
    slope = gaussian_velocity(torch.ones(9), times)  # of a point that stays where it is in units of the width
    torch.testing.assert_close(slope * width.square(), 2 * times - 1)


def test_shares_are_the_same_compiled_and_in_torch():
    """Cells near and far, Gaussians narrow and wide, beside the cell and on it."""
    random = torch.Generator().manual_seed(0)
    places = (torch.rand(60, generator=random) * 12 - 2).tolist()
    for sigma in (0.2, 0.9, 1.4, 20.0):
        many, seen = density(3.0, sigma, (0.7, -0.2)), seen_cells(places, 1.2)
        for compiled, in_torch in zip(log_shares(many, seen), _in_torch(many, seen), strict=True):
            torch.testing.assert_close(compiled, in_torch, atol=6e-3, rtol=0)


def test_centres_are_pulled_in_and_pushed_out():
    point = torch.tensor([[3.0, 4.0], [0.0, 0.0], [-0.1, 0.0], [90.0, 0.0]])
    pulled = pulled_in(point)
    assert float(pulled[0].norm()) == pytest.approx(5**0.65)
    torch.testing.assert_close(pushed_out(pulled)[:3], point[:3])
    torch.testing.assert_close(pushed_out(pulled)[3], torch.tensor([50.0, 0.0]))  # nothing lies farther away


def test_centres_are_blurred_by_what_hits_scatter():
    """One layer with hits of 3 and 1 MIP at -1 and 3 cm: sum of m^2 r^2 / 2 is 9 / 2 + 9 / 2, over 4 MIP squared."""
    seen = seen_cells([-1.0, 3.0], 1.2)
    sums = LayerSums(torch.tensor([[2.0]]), torch.tensor([[4.0]]), torch.zeros(1, 1, 2))
    torch.manual_seed(0)
    noise = torch.cat([blurred(sums, torch.tensor([3.0, 1.0]), seen).centre for _ in range(4000)])
    assert float(noise.std()) == pytest.approx(3 * 3 / 4, rel=0.03)
    assert abs(float(noise.mean())) < 0.1
    assert (blurred(sums._replace(mips=0 * sums.mips), torch.zeros(2), seen).centre == 0).all()


def test_layers_are_told_the_size_of_cells_they_know(model, batch):
    """Beyond the sizes seen in training, networks are told the nearest of them."""
    layers, (_, _, tokens) = model.generating.layers, model._look(batch)
    layers.seen_areas.fit(torch.stack([0.5 * tokens.area[0], tokens.area[0]]))
    told = {
        factor: layers._told(tokens._replace(area=factor * tokens.area), batch.condition)
        for factor in (0.3, 0.5, 0.7, 1.0, 2.0)
    }
    torch.testing.assert_close(told[0.3], told[0.5])
    torch.testing.assert_close(told[1.0], told[2.0])
    torch.testing.assert_close(told[1.0][..., 1] - told[0.7][..., 1], torch.full(tokens.area.shape, -math.log(0.7) / 2))


def test_hits_are_seen_along_the_flight(calorimeter):
    """A cell on the axis lies at 0; one beside it in phi at its distance."""
    ground, condition = Ground.of(calorimeter), at(1)
    lines, side = ground.along(condition)
    layer = 5
    way = ground.position[side[0], layer] / lines[0, 2]
    distance = np.hypot(*(calorimeter.numbers.place[:, :2] - way * lines[0, :2]).T)
    here = np.flatnonzero((calorimeter.numbers.layer == layer + 1) & (distance < 2.0))
    seen = ground.seen(torch.from_numpy(here), torch.tensor([0, len(here)]), condition)
    offset = calorimeter.numbers.place[here, :2] - way * lines[0, :2]
    radial = offset @ np.array([math.cos(1.57), math.sin(1.57)])
    np.testing.assert_allclose(seen.u, radial * math.tanh(2.0), atol=2e-4)  # cos(theta) = tanh(eta)
    np.testing.assert_allclose(seen.v, offset @ np.array([-math.sin(1.57), math.cos(1.57)]), atol=2e-4)
    assert set(seen.layer.tolist()) == {layer}


def test_units_of_sensors(calorimeter):
    """E_MIP as published for usual silicon; in units of it 120 um see 5 % more, since their Landau is wider."""
    kind, unit = calorimeter.sensors.kind, Ground.of(calorimeter).unit.numpy()
    ratio = unit / calorimeter.numbers.mip
    sensors = dict(zip(*np.unique(kind, return_index=True), strict=True))
    thin, usual = (float(ratio[sensors[number]]) for number in (0, 1))
    assert usual == pytest.approx(1, abs=0.002)
    assert thin == pytest.approx((1 + 4.05 * 0.0759) / (1 + 4.05 * 0.061), abs=0.002)


def test_runs_in_another_window(model):
    other = calorimeter_of((0.2, 0.55))
    moved = model.moved_to(other)
    with torch.no_grad():
        hits = moved.generate(at(8, phi=0.37), torch.Generator().manual_seed(1))
    assert int(hits.cell.max()) < other.n_cells
    assert moved.calorimeter is other
    assert model.calorimeter is not other
    assert all(mine is theirs for mine, theirs in zip(model.parameters(), moved.parameters(), strict=True))


def test_fewer_hits_where_cells_are_larger(model):
    """The same clicks in cells of 1.26 and of 0.56 cm^2: the smaller ones are hit more often, the energy stays."""
    dense = calorimeter_of((1.4, 1.75), eta=(2.3, 2.9))
    condition, wanted = at(200, eta=2.75), asked(1)
    wanted = LayerSums(*(part.repeat(200, *[1] * (part.ndim - 1)) for part in wanted))
    assert Ground.of(dense).tokens(condition).area[:, :11].mean() < 0.8
    with torch.no_grad():
        hits = model.moved_to(dense).fill(wanted, condition, torch.Generator().manual_seed(1))
    seen = Ground.of(dense).seen(hits.cell, hits.ptr, condition)
    found = model._sums(seen, hits.energy / seen.unit, 200)
    assert found.n_hits.sum() > 1.1 * wanted.n_hits.sum()
    torch.testing.assert_close(found.mips, wanted.mips, rtol=1e-3, atol=1e-3)


def test_other_detectors_are_refused():
    graph, _ = build_graph(make_detector("lcd"))
    with pytest.raises(UsageError, match="single planes across z"):
        Cells.check(Calorimeter.of(graph, load_material("lcd")))


def test_directions_are_needed(model, batch):
    energy, direction, vertex, kind = batch.condition
    unknown = Condition(energy, torch.full_like(direction, torch.nan), vertex, kind)
    with pytest.raises(InputError, match="direction"):
        model.fit(HitBatch(batch.hits, unknown))


def test_gradients_reach_every_network(model, batch):
    (main, pupil) = model.stages(10)
    for stage in (main, pupil):
        for player in stage.players:
            loss = player.losses(batch)["loss"]
            loss.backward()
            missing = [name for name, weight in player.trains.named_parameters() if weight.grad is None]
            assert not missing
            assert all(torch.isfinite(weight.grad).all() for weight in player.trains.parameters())
            model.zero_grad()
    assert main.iterations == 10
    assert pupil.iterations == 2


def test_edges_of_the_ablation(calorimeter, batch):
    """The cell graph, eight nearest hits (more where others find one), or nothing."""
    ground, hits = Ground.of(calorimeter), batch.hits
    cells, nearest, none = (
        ground.seen(hits.cell, hits.ptr, batch.condition, edges).adjacency for edges in ("cells", "nearest", "none")
    )
    assert none.n_edges == 0
    assert none.n_nodes == cells.n_nodes == nearest.n_nodes == len(hits.cell)
    assert int(nearest.degree.min()) >= 8
    graph = calorimeter.graph
    row = int(cells.degree.argmax())
    there = set(hits.cell[cells.col[cells.rowptr[row] : cells.rowptr[row + 1]]].tolist())
    cell = int(hits.cell[row])
    assert there <= set(graph.col[graph.rowptr[cell] : graph.rowptr[cell + 1]].tolist())
    assert (hits.shower[cells.row] == hits.shower[cells.col]).all()


def test_counts_add_up_after_rounding():
    random = torch.Generator().manual_seed(1)
    many = 12 * torch.rand(200, 30, generator=random)
    many[:, 20:] *= 0.04  # nearly always below a half
    wanted = 1.1 * many[:, :20].sum(dim=1)
    found = counted(many, wanted)
    assert torch.equal(found, found.round())
    assert float((found.sum(dim=1) / wanted).mean()) == pytest.approx(1, abs=0.004)
    assert found[:, 20:].sum() == 0
    torch.testing.assert_close(counted(torch.zeros(1, 3), torch.ones(1)), torch.zeros(1, 3))


def test_blurred_counts_find_back():
    """Empty layers stay empty; others move by few hits, not by a bias."""
    nothing = blurred_root(torch.zeros(200_000)).clamp(min=0).square().round()
    assert (nothing > 0).sum() <= 1
    for count in (1.0, 7.0, 150.0):
        back = blurred_root(torch.full((20_000,), count)).clamp(min=0).square().round()
        assert float(back.mean()) == pytest.approx(count, abs=0.12)
        assert float((back - count).abs().max()) <= 2
