"""Showers as hits, and back: merged, above the threshold, in cells that exist."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgcal_gnn.errors import GeometryMismatchError, InputError
from hgcal_gnn.generation.generator import Generator
from hgcal_gnn.generation.graph.base import GraphSizes
from hgcal_gnn.generation.graph.calorimeter import Calorimeter
from hgcal_gnn.generation.graph.generator import HitGenerator
from hgcal_gnn.generation.graph.hits import HitMaker, Hits
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.weights import GeneratorWeights, KnownCells, TrainedOn
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import Showers
from tests.generation.graph.toy import N_HITS, Toy, ToyConfig

TRAINED_ON = TrainedOn((22,), (1.0, 100.0), vertex=(0.0, 0.0, 7.0))


@pytest.fixture(scope="module")
def calorimeter():
    cells = make_detector("hgcal", eta=(1.95, 2.05), phi=(1.5, 1.6), layers=(1, 4), side=1)
    return Calorimeter.of(build_graph(cells)[0], load_material("hgcal"))


def showers(cell, energy, offsets, **metadata):
    n = len(offsets) - 1
    columns = {"offsets": offsets, "cell": cell, "energy": energy, "incident_energy": np.full(n, 10.0)}
    columns |= {f"direction_{axis}": np.full(n, float(axis == "z")) for axis in "xyz"}
    columns |= {f"vertex_{axis}": np.zeros(n) for axis in "xyz"}
    return Showers.from_columns({**columns, "pdg_id": np.full(n, 22)}, metadata=ShowerMetadata(**metadata))


def test_deposits_of_a_cell_are_one_hit(calorimeter):
    """And the threshold applies to their sum; a shower that is left without hits stays."""
    some = showers([7, 3, 7, 3, 5, 1], [3.0, 1.0, 3.0, 1.0, 5.0, 0.0], [0, 4, 6])
    batch = HitMaker(calorimeter, (22,))(some).to_torch()
    assert len(batch) == 2
    assert batch.hits.cell.tolist() == [3, 7, 5]  # the one without energy is none
    assert batch.hits.energy.tolist() == [2.0, 6.0, 5.0]
    assert batch.hits.ptr.tolist() == [0, 2, 3]
    assert batch.hits.shower.tolist() == [0, 0, 1]
    cut = HitMaker(calorimeter, (22,), threshold=5.0)(some).to_torch()
    assert cut.hits.cell.tolist() == [7]
    assert cut.hits.ptr.tolist() == [0, 1, 1]
    assert len(cut) == 2


def test_all_tensors_of_a_batch_have_names(calorimeter):
    batch = HitMaker(calorimeter, (22,))(showers([1], [1.0], [0, 1])).to_torch()
    expected = {"hits.energy", "hits.cell", "hits.ptr", "energy", "direction", "vertex", "kind"}
    assert set(batch.tensors()) == set(batch.to("cpu").tensors()) == expected


def test_hits_of_several_calls_are_joined():
    parts = [
        Hits(torch.tensor([1.0, 2.0]), torch.tensor([4, 6]), torch.tensor([0, 2, 2])),
        Hits(torch.tensor([3.0]), torch.tensor([5]), torch.tensor([0, 1])),
    ]
    joined = Hits.joined(parts)
    assert joined.ptr.tolist() == [0, 2, 2, 3]
    assert joined.cell.tolist() == [4, 6, 5]
    assert Hits.joined([]).n_showers == 0


def test_showers_of_another_geometry_are_refused(calorimeter):
    maker = HitMaker(calorimeter, (22,))
    maker.check(ShowerMetadata(calorimeter.cells_sha256))
    with pytest.raises(GeometryMismatchError, match=r"a\.arrow: made with another geometry"):
        maker.check(ShowerMetadata("0" * 64), source="a.arrow")


def generator(calorimeter, threshold=0.0, **options) -> HitGenerator:
    torch.manual_seed(0)
    return HitGenerator(Toy(ToyConfig(threshold=threshold), GraphSizes(), calorimeter), TRAINED_ON, **options)


def particles(n):
    return Particles.of(showers([], [], np.zeros(n + 1, dtype=int)))


def test_generated_showers_are_sorted_and_merged(calorimeter):
    made = generator(calorimeter).make(particles(50))
    found = generator(calorimeter).sample(particles(50))
    assert isinstance(generator(calorimeter), Generator)
    assert found.metadata.cells_sha256 == calorimeter.cells_sha256
    assert found.equals(found.merged())
    assert (found.n_hits < N_HITS).all()
    np.testing.assert_allclose(found.visible.sum(), float(made.energy.sum()), rtol=1e-6)
    threshold = float(np.median(found.energy))
    cut = generator(calorimeter, threshold).sample(particles(50))
    assert cut.equals(found.where(found.energy > np.float32(threshold)))


def test_parts_of_a_sample_are_those_of_the_whole(calorimeter):
    made = generator(calorimeter, batch_size=8)
    whole = made.sample(particles(20), seed=3)
    parts = [made.sample(particles(8), seed=3), made.sample(particles(12), seed=3, first=8)]
    assert np.array_equal(whole.energy, np.concatenate([part.energy for part in parts]))
    assert not np.array_equal(whole.energy, made.sample(particles(20), seed=4).energy)


def test_energies_that_are_not_finite_are_seen(calorimeter):
    made = Hits(*(part.clone() for part in generator(calorimeter).make(particles(3))))
    made.energy[N_HITS + 2] = float("nan")
    assert generator(calorimeter).is_finite(made).tolist() == [True, False, True]
    with pytest.raises(InputError, match="energy"):
        generator(calorimeter).to_showers(made, particles(3))


def test_cells_that_do_not_exist_are_refused(calorimeter):
    made = Hits(*(part.clone() for part in generator(calorimeter).make(particles(1))))
    made.cell[0] = calorimeter.n_cells
    with pytest.raises(InputError, match="cell"):
        generator(calorimeter).to_showers(made, particles(1))


def test_an_unknown_vertex_is_that_of_the_training(calorimeter, monkeypatch):
    """The particle keeps its own: unknown."""
    seen = []
    generate = Toy.generate

    def looking(self, condition, *arguments):
        seen.append(condition.vertex)
        return generate(self, condition, *arguments)

    monkeypatch.setattr(Toy, "generate", looking)
    found = generator(calorimeter).sample(particles(2).without(["vertex"]))
    assert seen[0].tolist() == [[0.0, 0.0, 7.0]] * 2
    assert np.isnan(found.vertex_z).all()


def test_weights_know_their_cells(tmp_path):
    arrays = {"weight": np.ones(3, dtype=np.float32)}
    cells = KnownCells("hgcal", "a" * 64, 12)
    GeneratorWeights(arrays, cells, TRAINED_ON).save(tmp_path / "model.safetensors")
    found = GeneratorWeights.load(tmp_path / "model.safetensors")
    assert found.cells == cells
    assert found.trained_on == TRAINED_ON or vars(found.trained_on) == vars(TRAINED_ON)
    np.testing.assert_array_equal(found.arrays["weight"], arrays["weight"])


def test_the_calorimeter_finds_cells(calorimeter):
    """The finder's layers are those of the stack; critics see every cell."""
    from hgcal_gnn.simulation.deposit import find_cell

    numbers = calorimeter.numbers
    rows = np.flatnonzero(numbers.layer == 2)[:20]
    plane = int(calorimeter.stack.cells[calorimeter.stack.layer == 2][0])
    found = [find_cell(calorimeter.finder, plane, *numbers.place[row, :2].astype(float)) for row in rows]
    assert found == rows.tolist()
    assert len(calorimeter.critic_cells) == calorimeter.n_cells
