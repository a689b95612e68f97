"""The tree generator as a whole: hits as drawn, the same for the same seed, around any line of flight."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.graph.base import GraphSizes
from hgcal_gnn.generation.graph.calorimeter import Calorimeter
from hgcal_gnn.generation.graph.generator import HitGenerator
from hgcal_gnn.generation.graph.hits import HitMaker
from hgcal_gnn.generation.graph.tree import TreeConfig, TreeModel
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.weights import TrainedOn
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate

SMALL = {"branches": [4, 6, 10], "widths": [16, 12, 8, 6], "hidden": 16, "threshold": 3e-5}
CRITICS = ("message_passing", "gcn", "deep_sets")
TRAINED_ON = TrainedOn((22,), (2.0, 10.0))


def calorimeter_at(phi, layers=(1, 10)):
    cells = make_detector("hgcal", eta=(1.9, 2.1), phi=(phi - 0.08, phi + 0.08), layers=layers, side=1)
    return Calorimeter.of(build_graph(cells)[0], load_material("hgcal"))


@pytest.fixture(scope="module")
def calorimeter():
    return calorimeter_at(1.57)


@pytest.fixture(scope="module")
def photons(calorimeter):
    beam = Beam("photon", parse_spectrum("2..10"), eta=2.0, phi=1.57)
    return simulate(calorimeter.graph.cells, beam, 200, seed=1)


def made(calorimeter, photons, **settings) -> TreeModel:
    torch.manual_seed(1)
    model = TreeModel(TreeConfig.model_validate(SMALL | settings), GraphSizes(energy=(2.0, 10.0)), calorimeter)
    model.fit(batch(calorimeter, photons))
    return model


def batch(calorimeter, photons):
    return HitMaker(calorimeter, (22,), SMALL["threshold"])(photons).to_torch()


def test_showers_are_as_drawn(calorimeter, photons):
    """As many hits, as much energy, each above the threshold, in cells of the calorimeter."""
    model = made(calorimeter, photons)
    some = batch(calorimeter, photons)
    n_hits, visible = model.totals(some.condition, torch.Generator().manual_seed(5))
    model.eval()
    hits = model.generate(some.condition, torch.Generator().manual_seed(5))
    assert torch.equal(hits.n_hits.float(), n_hits)
    sums = torch.zeros(len(some)).index_add(0, hits.shower, hits.energy)
    enough = visible > 1.01 * hits.n_hits * SMALL["threshold"]
    torch.testing.assert_close(sums[enough], visible[enough], rtol=1e-4, atol=0)
    assert enough.float().mean() > 0.8
    showers = HitGenerator(model, TRAINED_ON).sample(Particles.of(photons), seed=1)
    assert showers.energy.min() > SMALL["threshold"]
    assert showers.cell.max() < calorimeter.n_cells


def test_seeds_and_parts(calorimeter, photons):
    generator = HitGenerator(made(calorimeter, photons), TRAINED_ON, batch_size=64)
    particles = Particles.of(photons)
    one, same, other = (generator.sample(particles, seed=seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)
    assert generator.sample(particles[64:], seed=1, first=64).equals(one[64:])


def test_all_of_the_tree_learns(calorimeter, photons):
    """Every weight of the tree learns of them; a shower without hits among them is no obstacle."""
    model, some = made(calorimeter, photons), batch(calorimeter, photons.where(photons.shower != 3))
    losses = model.generator_losses(some)
    assert all(torch.isfinite(value) for value in losses.values())
    losses["loss"].backward()
    silent = [name for name, weight in model.tree.named_parameters() if not weight.grad.abs().sum() > 0]
    assert silent == []


@pytest.mark.parametrize("kind", CRITICS)
def test_places_hear_of_the_critic(calorimeter, photons, kind):
    """Without the other loss: gradients of the score reach energies, places across the axis, and layers."""
    model = made(calorimeter, photons, matching=0.0, critic={"kind": kind, "hidden": 8, "n_layers": 1})
    grown = {}

    def keep(numbers):
        grown["leaves"] = numbers
        numbers.retain_grad()
        return numbers

    maps = model.maps.forward
    model.maps.forward = lambda normal: keep(maps(normal))  # type: ignore[method-assign]
    model.generator_losses(batch(calorimeter, photons))["loss"].backward()
    gradient = grown["leaves"].grad.abs().sum(dim=(0, 1))
    assert gradient.shape == (4,)
    assert (gradient > 0).all()


@pytest.mark.parametrize("kind", CRITICS)
def test_half_precision_is_close(calorimeter, photons, kind):
    """Networks in bfloat16: the losses stay, and places are no coarser than the cells."""
    model, some = made(calorimeter, photons, critic={"kind": kind, "hidden": 8}), batch(calorimeter, photons)
    found = []
    for half in (False, True):
        torch.manual_seed(3)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            losses = model.generator_losses(some) | {"critic": model.critic_losses(some)["loss"]}
            losses["totals"] = model.totals_losses(some)["loss"]
        losses["loss"].backward()
        found.append(torch.stack([value.detach().float() for value in losses.values()]))
    torch.testing.assert_close(found[1], found[0], rtol=0.1, atol=0.05)


@pytest.mark.parametrize("regularisation", ["gradient_penalty", "spectral_norm"])
def test_critics_learn(calorimeter, photons, regularisation):
    """Both ways to keep a critic smooth; nothing of the generator gets a gradient."""
    model = made(
        calorimeter, photons, critic={"kind": "gcn", "hidden": 8, "n_layers": 1, "regularisation": regularisation}
    )
    losses = model.critic_losses(batch(calorimeter, photons))
    losses["loss"].backward()
    assert all(weight.grad is None for weight in model.generating.parameters())
    assert sum(weight.grad.abs().sum() for weight in model.critic.parameters() if weight.grad is not None) > 0


def test_showers_follow_the_particle(calorimeter, photons):
    """A few steps are enough for hits and energy to grow with the incident energy."""
    model = made(calorimeter, photons)
    some = batch(calorimeter, photons)
    optimiser = torch.optim.Adam(model.totals.parameters(), 1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        model.totals_losses(some)["loss"].backward()
        optimiser.step()
    generator = HitGenerator(model, TRAINED_ON)
    beams = [Beam("photon", parse_spectrum(energy), eta=2.0, phi=1.57) for energy in ("3", "9")]
    low, high = (generator.sample(Particles.of_beam(beam, 100)) for beam in beams)
    assert high.visible.mean() / low.visible.mean() == pytest.approx(3, rel=0.2)
    assert high.n_hits.mean() > 1.3 * low.n_hits.mean()


def test_showers_turn_with_the_particle(calorimeter, photons):
    """In another geometry: around another line of flight, as far from it as here."""
    model = made(calorimeter, photons).eval()
    there = model.moved_to(calorimeter_at(0.52))
    beams = [Beam("photon", parse_spectrum("8"), eta=2.0, phi=phi) for phi in (1.57, 0.52)]
    radii = []
    for some, beam in zip((model, there), beams, strict=True):
        showers = HitGenerator(some, TRAINED_ON).sample(Particles.of_beam(beam, 200))
        cells = some.calorimeter.graph.cells
        place, direction = cells.positions[showers.cell], Particles.of(showers).direction[showers.shower]
        along = (place * direction).sum(axis=1)
        radii.append(np.average(np.sqrt((place**2).sum(axis=1) - along**2), weights=showers.energy))
        assert showers.metadata.cells_sha256 == cells.sha256
    assert radii[1] == pytest.approx(radii[0], rel=0.1)
    with pytest.raises(UsageError, match="hgcal has no layer 5"):
        model.moved_to(calorimeter_at(0.52, layers=(1, 4)))


def test_too_few_leaves_are_told(calorimeter, photons):
    model = TreeModel(TreeConfig(branches=(2, 2), widths=(4, 4, 4)), GraphSizes(), calorimeter)
    with pytest.raises(UsageError, match=r"model.branches .2, 2. make 4 leaves, and showers have up to \d+ hits"):
        model.fit(batch(calorimeter, photons))


def test_widths_fit_the_branches():
    with pytest.raises(ValueError, match="needed for the root and each of 2 levels"):
        TreeConfig(branches=(2, 2), widths=(4, 4))


def test_rings_around_one_centre_are_refused():
    graph = build_graph(make_detector("calochallenge-1-photons"))[0]
    with pytest.raises(UsageError, match=r"cells have the centre of a neighbour, like rings"):
        TreeModel.check(Calorimeter.of(graph, load_material("calochallenge-1-photons")))
