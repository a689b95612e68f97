"""Graph models with their networks in onnxruntime make the showers that they make in PyTorch, from the same noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgcal_gnn.export.cells import hit_tensors
from hgcal_gnn.export.generators import WHOLE, export_generator, use_onnx
from hgcal_gnn.export.onnx_file import Session
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.graph.base import GraphSizes
from hgcal_gnn.generation.graph.calorimeter import Calorimeter
from hgcal_gnn.generation.graph.cells_energies import Told, flowed
from hgcal_gnn.generation.graph.generator import HitGenerator
from hgcal_gnn.generation.graph.hits import HitMaker
from hgcal_gnn.generation.models import MODELS
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.weights import TrainedOn
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate

TREE = {"branches": [4, 6, 10], "widths": [16, 12, 8, 6], "hidden": 16, "threshold": 3e-5}
CELLS = {
    "layer_width": 16, "layer_blocks": 1, "place_width": 16, "place_rounds": 2, "components": 4, "context": 8,
    "hit_width": 8, "message": 8,
}  # fmt: skip
BEAM = Beam("photon", parse_spectrum("2..10"), eta=2.0, phi=1.57)


@pytest.fixture(scope="module")
def calorimeter():
    cells = make_detector("hgcal", eta=(1.9, 2.1), phi=(1.49, 1.65), layers=(1, 10), side=1)
    return Calorimeter.of(build_graph(cells)[0], load_material("hgcal"))


def generator(kind, settings, calorimeter, steps=None):
    photons = simulate(calorimeter.graph.cells, BEAM, 100, seed=1)
    batch = HitMaker(calorimeter, (22,), settings.get("threshold", 0.0))(photons).to_torch()
    torch.manual_seed(1)
    config = MODELS[kind].config_class.model_validate(settings)
    model = MODELS[kind](config, GraphSizes(energy=(2.0, 10.0)), calorimeter)
    model.fit(batch)
    return HitGenerator(model, TrainedOn((22,), (2.0, 10.0)), batch_size=5, steps=steps)


def both(made, files, n, seed):
    """Hits by PyTorch and by onnxruntime."""
    particles = Particles.of_beam(BEAM, n, seed=seed)
    eager = made.engine
    expected = made.make(particles, seed=seed)
    use_onnx(made, files)
    found = made.make(particles, seed=seed)
    made.engine = eager
    return expected, found


def close(found, expected):
    """The same cells and energies, a few aside: rounding may move a number of hits, or a leaf into the next cell."""
    showers = [zip(made.cell.split(made.n_hits.tolist()), made.energy.split(made.n_hits.tolist()), strict=True)
               for made in (found, expected)]  # fmt: skip
    same = [torch.equal(cell, other) and torch.allclose(energy, wanted, rtol=1e-4)
            for (cell, energy), (other, wanted) in zip(*showers, strict=True)]  # fmt: skip
    return np.mean(same)


def test_a_tree(calorimeter):
    made = generator("tree", TREE, calorimeter)
    files = export_generator(made)
    for n, seed in ((12, 3), (1, 4)):
        expected, found = both(made, files, n, seed)
        assert expected.n_hits.min() > 1
        assert close(found, expected) > 0.9
    assert Session(files[WHOLE]).about["layers"] == list(range(1, 11))


def test_cells(calorimeter):
    """The networks one by one, to rounding; what comes out in the end."""
    made = generator("cells", CELLS, calorimeter, steps=1)
    files = export_generator(made)
    assert set(files) == {"layers", "places", "energies"}
    for n, seed in ((12, 3), (1, 10)):
        expected, found = both(made, files, n, seed)
        assert len(expected.cell) > 3 * n
        assert close(found, expected) > 0.7
    model, parts = made.model, made.model.generating
    condition = made._told(Condition.of(Particles.of_beam(BEAM, 7), (22,)))
    with torch.inference_mode():
        tokens = model.ground.tokens(condition)
        sums = parts.layers.sample(tokens, condition, torch.Generator().manual_seed(1), model.config.layer_steps)
        density = model._density(sums, tokens, condition)
        seen = model.ground.seen(expected.cell, expected.ptr, condition.rows(slice(1)))
        one = type(density)(*(part[:1] for part in density))
        told = Told.of(one, one.of_cells(seen), type(sums)(*(part[:1] for part in sums)), seen)
        start = torch.randn(len(told.numbers), generator=torch.Generator().manual_seed(2))
        wanted = {
            "layers": sums, "places": density, "energies": [told.mips(flowed(parts.flow, told, start, 1))]
        }  # fmt: skip
    fresh = torch.randn(7, parts.layers.flow.n, generator=torch.Generator().manual_seed(1))
    given = {
        "layers": tokens._asdict() | condition._asdict() | {"noise": fresh},
        "places": sums._asdict() | tokens._asdict() | condition._asdict(),
        "energies": hit_tensors(told, start),
    }
    for name, content in files.items():
        for values, expected_values in zip(Session(content)(given[name]), wanted[name], strict=True):
            np.testing.assert_allclose(values, expected_values, rtol=1e-5, atol=2e-5, err_msg=name)
