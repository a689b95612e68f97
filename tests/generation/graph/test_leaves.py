"""From leaves to hits: the right cells, no energy lost, as many hits as drawn; planes, quantiles, totals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.critics.axis_frame import from_axis
from hgcal_gnn.generation.graph.calorimeter import Calorimeter
from hgcal_gnn.generation.graph.hits import Hits
from hgcal_gnn.generation.graph.leaves import Leaves, scaled
from hgcal_gnn.generation.graph.matching import sliced_distance
from hgcal_gnn.generation.graph.planes import Planes
from hgcal_gnn.generation.graph.quantile_map import QuantileMap
from hgcal_gnn.generation.graph.totals import Totals
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material


@pytest.fixture(scope="module")
def calorimeter():
    cells = make_detector("hgcal", eta=(1.9, 2.1), phi=(1.45, 1.7), layers=(3, 6), side=1)
    return Calorimeter.of(build_graph(cells)[0], load_material("hgcal"))


@pytest.fixture(scope="module")
def planes(calorimeter):
    return Planes.of(calorimeter)


def particles(n, eta=2.0, phi=1.57, energy=10.0) -> Condition:
    direction = torch.tensor([np.cos(phi), np.sin(phi), np.sinh(eta)], dtype=torch.float32) / np.cosh(eta)
    return Condition(torch.full((n,), energy), direction.repeat(n, 1), torch.zeros(n, 3), torch.zeros(n).long())


def leaves(log_mips, across, plane) -> Leaves:
    return Leaves(*(torch.tensor(part, dtype=torch.float32)[None] for part in (log_mips, across, plane)))


def test_points_lie_in_their_planes(planes):
    """And as far from the axis as asked, in its own frame."""
    condition = particles(1)
    across = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [0.0, -3.0], [1.0, 1.0]]])
    plane = torch.tensor([[0, 1, 2, 3]])
    points = planes.points(condition, plane, across)
    np.testing.assert_allclose(points[0, :, 2], planes.depth[0], rtol=1e-6)
    back = from_axis(points[0], condition.vertex.double().repeat(4, 1), condition.direction.double().repeat(4, 1))
    torch.testing.assert_close(back[:, :2].float(), across[0], rtol=1e-5, atol=1e-4)


def test_points_of_a_barrel_lie_on_its_cylinders():
    radius = np.array([[180.0, 190.0]])
    barrel = Planes(None, True, np.zeros(1, dtype=np.int64), np.array([1, 2]), np.array([[0, 1]]), radius,
                    np.zeros(1, dtype=np.int64), np.zeros((1, 3)))  # fmt: skip
    direction = torch.nn.functional.normalize(torch.tensor([[1.0, 0.3, 0.2]]), dim=1)
    condition = Condition(torch.ones(1), direction, torch.tensor([[1.0, 2.0, 3.0]]), torch.zeros(1).long())
    across = torch.tensor([[[0.0, 0.0], [4.0, -5.0]]])
    points = barrel.points(condition, torch.tensor([[0, 1]]), across)[0]
    torch.testing.assert_close(points[:, :2].norm(dim=1), torch.tensor([180.0, 190.0]).double())
    back = from_axis(points.float(), condition.vertex.repeat(2, 1), direction.repeat(2, 1))
    torch.testing.assert_close(back[:, :2], across[0], rtol=1e-3, atol=1e-3)
    assert (back[:, 2] > 0).all()


def test_a_hit_comes_back_to_its_cell(calorimeter, planes):
    """Every cell's own centre, seen from the axis, is found again."""
    position = torch.from_numpy(planes.position)
    n = len(position)
    condition = particles(1)
    place = from_axis(position, *(part.double().repeat(n, 1) for part in (condition.vertex, condition.direction)))
    found = planes.cells(condition, torch.from_numpy(planes.of_cell)[None], place[None, :, :2])
    np.testing.assert_array_equal(found[0], np.arange(calorimeter.n_cells))


def test_points_outside_of_all_cells_go_to_the_nearest_one(planes):
    """Of their own layer, however far they are."""
    plane = torch.tensor([[0, 1, 2, 3, 3]])
    far = torch.tensor([[[500.0, 0.0], [0.0, 500.0], [-300.0, 0.0], [1e9, 0.0], [float("nan"), 0.0]]])
    cell = planes.cells(particles(1), plane, far)[0].numpy()
    np.testing.assert_array_equal(planes.of_cell[cell], plane[0])
    point = planes.points(particles(1), plane, far)[0, 0].numpy()
    rows = np.flatnonzero(planes.of_cell == 0)
    distance = np.linalg.norm(planes.position[rows] - point, axis=1)
    assert cell[0] == rows[distance.argmin()]


def test_layers_that_are_missing_are_named(calorimeter):
    with pytest.raises(
        UsageError, match=r"hgcal has no layer 7 .side \+1., 8 .side \+1.; hits are placed in layers 3 to 8"
    ):
        Planes.of(calorimeter, range(3, 9))
    assert Planes.of(calorimeter, [4, 5]).n == 2


def test_leaves_of_a_cell_are_one_hit(calorimeter, planes):
    """Two leaves at one place, one elsewhere: two hits, and all of the energy."""
    cells = calorimeter.critic_cells
    made = leaves([0.0, 2.0, 1.0], [[0.0, 0.0], [0.0, 0.0], [6.0, 0.0]], [0.2, -0.3, 2.0])
    hits, place = made.lit(planes, cells.unit, particles(1), torch.tensor([2.0]))
    assert hits.ptr.tolist() == [0, 2]
    unit = cells.unit[hits.cell]
    expected = torch.tensor([1.0 + np.e**2, np.e]) if hits.energy[0] > hits.energy[1] else None
    assert expected is not None  # cells ascend with the layer
    torch.testing.assert_close(hits.energy / unit, expected.float())
    torch.testing.assert_close(place[0, 2], (0.2 - 0.3 * torch.tensor(2.0).exp()) / (1 + torch.tensor(2.0).exp()))


@pytest.mark.parametrize("n_hits", [1, 2, 17, 60])
def test_as_many_hits_as_drawn(calorimeter, planes, n_hits):
    """Exactly, as long as the leaves lie in so many cells; the leaves of highest energy are taken."""
    torch.manual_seed(0)
    numbers = torch.randn(5, 200, 4) * torch.tensor([1.0, 3.0, 3.0, 1.0]) + torch.tensor([0.0, 0.0, 0.0, 1.5])
    made, cells = Leaves.of(numbers), calorimeter.critic_cells
    hits = made.lit(planes, cells.unit, particles(5), torch.full((5,), float(n_hits))).hits
    assert hits.n_hits.tolist() == [n_hits] * 5
    assert hits.energy.min() > 0
    whole = made.lit(planes, cells.unit, particles(5), torch.full((5,), 1000.0)).hits
    for rows in (hits, whole):
        key = rows.shower * len(cells) + rows.cell
        assert (key.diff() > 0).all()
    mips = (whole.energy / cells.unit[whole.cell]).double()
    torch.testing.assert_close(mips.sum(), made.log_mips.double().exp().sum(), rtol=1e-5, atol=0)  # none is lost


def test_leaves_step_aside_where_cells_are_few(calorimeter, planes):
    """All in one place, yet as many hits as drawn, in the same layer and near; the same for the same seed."""
    assert planes.pitch == pytest.approx(0.8, abs=0.5)
    made = leaves([1.0] * 30, [[0.0, 0.0]] * 30, [2.0] * 30)
    found = [
        made.lit(
            planes,
            calorimeter.critic_cells.unit,
            particles(1),
            torch.tensor([12.0]),
            torch.Generator().manual_seed(seed),
        ).hits
        for seed in (1, 1, 2)
    ]
    for hits in found:
        assert hits.n_hits.tolist() == [12]
        cell = hits.cell.numpy()
        assert set(planes.of_cell[cell]) == {2}
        centre = planes.cells(particles(1), torch.tensor([[2]]), torch.zeros(1, 1, 2))[0, 0]
        away = np.linalg.norm(planes.position[cell] - planes.position[centre], axis=1)
        assert away.max() < 20 * planes.pitch
    assert torch.equal(found[0].cell, found[1].cell)
    assert not torch.equal(found[0].cell, found[2].cell)


def test_gradients_reach_the_leaves_that_are_taken(calorimeter, planes):
    numbers = torch.randn(2, 30, 4).requires_grad_(True)
    lit = Leaves.of(numbers).lit(planes, calorimeter.critic_cells.unit, particles(2), torch.tensor([5.0, 5.0]))
    (lit.hits.energy.sum() + lit.place.sum()).backward()
    touched = (numbers.grad != 0).any(dim=2).sum(dim=1)
    assert (touched >= 5).all()
    assert (touched < 30).all()


def test_energies_are_scaled_above_the_floor():
    """The sum is the one asked for, the faintest hit stays above the threshold, nothing is negative."""
    hits = Hits(torch.tensor([1.0, 2.0, 5.0, 0.5]), torch.tensor([0, 1, 2, 3]), torch.tensor([0, 3, 3, 4]))
    visible = torch.tensor([4.0, 7.0, 9.0])
    found = scaled(hits, visible, 0.25)
    assert found.energy[:3].sum() == pytest.approx(4.0)
    assert found.energy[3] == pytest.approx(9.0)
    assert found.energy.min() > 0.25
    assert found.energy.argsort().tolist() == hits.energy.argsort().tolist() or found.energy[3] > found.energy[2]
    torch.testing.assert_close(scaled(hits, visible, 0.0).energy[:3], hits.energy[:3] / 2)
    poor = scaled(hits, torch.tensor([0.1, 0.0, 1.0]), 0.25)
    assert poor.energy[:3].min() > 0.25
    assert poor.energy[:3].sum() == pytest.approx(0.75, rel=1e-3)


def test_quantiles_map_to_the_sample_and_back():
    torch.manual_seed(0)
    sample = torch.stack([torch.randn(20_000).exp(), torch.randint(0, 5, (20_000,)) + torch.rand(20_000)], dim=1)
    maps = QuantileMap(2)
    maps.fit(sample)
    made = maps(torch.randn(20_000, 2))
    for column in range(2):
        np.testing.assert_allclose(made[:, column].quantile(torch.tensor([0.1, 0.5, 0.9])),
                                   sample[:, column].quantile(torch.tensor([0.1, 0.5, 0.9])), rtol=0.06)  # fmt: skip
    normal = torch.linspace(-3.5, 3.5, 50)[:, None].repeat(1, 2)
    torch.testing.assert_close(maps.inverse(maps(normal)), normal, rtol=1e-3, atol=1e-3)
    assert (maps(normal).diff(dim=0) > 0).all()
    assert maps(torch.tensor([[9.0, 9.0]]))[0, 0] > sample[:, 0].max()  # beyond: in a straight line


def test_sliced_distance_of_shifted_samples():
    """Of two columns shifted by (3, 4) the mean along all directions is at least that along the worst, at most 5."""
    torch.manual_seed(0)
    real = torch.randn(3000, 2)
    assert sliced_distance(real, real) == 0
    shifted = real + torch.tensor([3.0, 4.0])
    assert 2.5 < sliced_distance(real, shifted, 500) < 5
    assert sliced_distance(real, real[:1500]) < 0.1
    half = torch.cat([real, shifted])
    weight = torch.cat([torch.ones(3000), torch.zeros(3000)])
    assert sliced_distance(real, half, weights=(torch.ones(3000), weight)) < 0.01
    assert sliced_distance(real, half) > 1


def test_totals_learn_means_and_widths():
    """Hits and energies that depend on the energy, with known widths and a correlation: within a few per cent."""
    torch.manual_seed(0)
    energy = torch.rand(6000) * 90 + 10
    condition = Condition(
        energy, torch.tensor([[0.0, 0.0, 1.0]]).repeat(6000, 1), torch.zeros(6000, 3), torch.zeros(6000).long()
    )
    noise = torch.randn(2, 6000)
    n_hits = (8 * energy.sqrt() * (1 + 0.1 * noise[0])).round()
    visible = energy * 0.01 * (1 + 0.05 * (0.6 * noise[0] + 0.8 * noise[1]))
    totals = Totals(1)
    totals.fit(condition, n_hits, visible)
    optimiser = torch.optim.Adam(totals.parameters(), 3e-3)
    for _ in range(400):
        rows = torch.randint(0, 6000, (256,))
        loss = totals.loss(condition.rows(rows), n_hits[rows], visible[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    some = condition.rows(slice(0, 6000))
    with torch.no_grad():
        made, energies = totals(some, torch.Generator().manual_seed(1))
    of_sample, of_made = (torch.stack([hits / (8 * energy.sqrt()), sums / (0.01 * energy)]).double()
                          for hits, sums in ((n_hits, visible), (made, energies)))  # fmt: skip
    np.testing.assert_allclose(of_made.mean(dim=1), of_sample.mean(dim=1), rtol=0.02)
    np.testing.assert_allclose(of_made.std(dim=1), of_sample.std(dim=1), rtol=0.15)
    np.testing.assert_allclose(torch.corrcoef(of_made)[0, 1], torch.corrcoef(of_sample)[0, 1], atol=0.12)
    np.testing.assert_allclose(made.mean(), n_hits.mean(), rtol=0.02)
    np.testing.assert_allclose(made.std(), n_hits.std(), rtol=0.03)
    assert (made == made.round()).all()
    assert made.min() >= 1
