"""Trainings of graph models: the same run folder, checks, messages and commands as those of voxel models."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from hgcal_gnn.config.any_run import check_run
from hgcal_gnn.errors import GeometryMismatchError, InputError, TrainingError, UsageError
from hgcal_gnn.generation.graph.generator import HitGenerator
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.graph_file import save_graph
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.showers.store import open_store, write_showers
from hgcal_gnn.training.generation.load import load_generator
from hgcal_gnn.training.generation.pictures import Pictures
from hgcal_gnn.training.generation.run import run_generation
from hgcal_gnn.training_log import read_rows
from tests.generation.graph.toy import Toy, toys  # noqa: F401

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def settings(piece):
    def made(model=None, data=None, **train):
        content = {
            "seed": 1,
            "data": {**piece.settings["data"], "validation_fraction": 0.4, **(data or {})},
            "model": {"kind": "toy"} | (model or {}),
            "train": {"iterations": 12, "batch_size": 32, "check_every": 4, "device": "cpu", "pictures": 0} | train,
        }
        return check_run(content, "here")

    return made


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Another piece of the HGCAL, as a graph and as a file."""
    graph = build_graph(make_detector("hgcal", eta=(2.2, 2.3), phi=(0.0, 0.1), layers=(1, 3), side=1))[0]
    path = tmp_path_factory.mktemp("elsewhere") / "graph.safetensors"
    save_graph(graph, path)
    return graph, path


def same_runs(one, other):
    mine, theirs = load_file(one.weights), load_file(other.weights)
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)
    rows = [[{**row, "seconds": 0} for row in read_rows(run.log)] for run in (one, other)]
    assert rows[0] == rows[1]


def test_a_run_learns_and_loads(settings, piece, tmp_path):
    """The response is learned; showers of the loaded generator are those of the cells it was trained in."""
    run = run_generation(settings(iterations=40, check_every=20, pictures=1), tmp_path / "run")
    metrics = json.loads(run.metrics.read_text())
    assert metrics["kind"] == "toy"
    assert metrics["outside_of_voxels"] == 0
    assert metrics["n_parameters"] == 2
    assert metrics["ms_per_shower"] > 0
    assert metrics["test"]["response"] == pytest.approx(1, abs=0.4)
    assert run.plot("samples.png").exists()
    generator = load_generator(run.path)
    assert isinstance(generator, HitGenerator)
    showers = generator.sample(Particles.of(piece.store[:20]))
    assert showers.metadata.cells_sha256 == piece.graph.cells_sha256
    assert showers.metadata.source == str(run.path)


TREE = {
    "kind": "tree",
    "branches": [4, 5, 10],
    "widths": [8, 8, 6, 4],
    "hidden": 8,
    "threshold": 3e-5,
    "critic": {"kind": "gcn", "hidden": 8, "n_layers": 1, "regularisation": "spectral_norm"},
}


@pytest.mark.parametrize(
    ("model", "train"), [({}, {}), ({}, {"averaging": 0.9}), (TREE, {"averaging": 0.9, "batch_size": 8})]
)
def test_an_interrupted_training_goes_on(settings, tmp_path, monkeypatch, model, train):
    """Stopped in the second check, then resumed: bit by bit the uninterrupted one."""
    drawn = Pictures.__call__
    calls = []

    def interrupted(self, *arguments):
        calls.append(arguments[2])
        if calls == [0, 1]:
            raise KeyboardInterrupt
        drawn(self, *arguments)

    monkeypatch.setattr(Pictures, "__call__", interrupted)
    expected = run_generation(settings(model, **train), tmp_path / "whole")
    config = settings(model, **train, pictures=1)
    with pytest.raises(KeyboardInterrupt):
        run_generation(config, tmp_path / "run")
    same_runs(run_generation(config, tmp_path / "run", resume=True), expected)


def test_a_loss_that_is_not_finite_keeps_the_hits(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(Toy, "losses", lambda self, _: {"loss": self.generating.weight.sum() * float("nan")})
    with pytest.raises(TrainingError, match="became NaN or infinite in iteration 1"):
        run_generation(settings(), tmp_path / "run")
    kept = load_file(tmp_path / "run" / "nan_batch.safetensors")
    assert kept["hits.ptr"].shape == (33,)
    assert len(kept["hits.energy"]) == len(kept["hits.cell"]) == kept["hits.ptr"][-1] > 0
    assert len(kept["energy"]) == 32


def test_energies_that_are_not_finite_stop_the_training(settings, tmp_path, monkeypatch):
    generate = Toy.generate

    def broken(self, condition, random=None, steps=None):
        hits = generate(self, condition, random, steps)
        hits.energy[3] = float("inf")
        return hits

    monkeypatch.setattr(Toy, "generate", broken)
    with pytest.raises(TrainingError, match=r"infinite: in 1 of \d+ showers of check 1. There was no check before"):
        run_generation(settings(), tmp_path / "run")


def test_what_cannot_be_learned_is_refused(settings, piece, tmp_path):
    """A threshold above all hits, showers without vertices, showers without energy."""
    with pytest.raises(UsageError, match=r"model.threshold 1000 GeV would empty all cells: the highest energy in"):
        run_generation(settings({"threshold": 1000.0}), tmp_path / "run")
    whole = piece.store[:]
    unknown = np.full(len(whole), np.nan, np.float32)
    dark = {"energy": np.zeros(len(whole.cell), np.float32)}
    for name, columns, expected in (("no", {"vertex_x": unknown}, "not all showers have a vertex"),
                                    ("dark", dark, "has a hit with energy")):  # fmt: skip
        write_showers(whole.replace(**columns), tmp_path / f"{name}.arrow")
        with pytest.raises(InputError, match=expected):
            run_generation(settings(data={"train": {"showers": str(tmp_path / f"{name}.arrow")}}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("data", "named"), [({"grid": {"eta": 2.0}}, "data.grid"), ({"by_layer": True}, "data.by")])
def test_voxels_are_no_matter_of_graph_models(settings, data, named):
    with pytest.raises(UsageError, match=f"{named}.* lays voxels, and toy generates hits in any cell"):
        settings(data=data)
    if "grid" in data:
        settings({"kind": "gan"}, data=data)


def test_other_geometries(settings, elsewhere, tmp_path):
    """A model that can moves there with its weights, all others say which can; and so it is with steps."""
    stays, moves = (run_generation(settings({"kind": kind}), tmp_path / kind).path for kind in ("toy", "moving"))
    geometry = elsewhere[0], load_material("hgcal")
    with pytest.raises(UsageError, match=r"toy generates in the cells it was trained in .*geometries: .*moving"):
        load_generator(stays, geometry=geometry)
    with pytest.raises(UsageError, match=r"toy does not sample in steps, leave --steps out; models that do: .*moving"):
        load_generator(stays, steps=3)
    there = load_generator(moves, geometry=geometry)
    assert there.cells_sha256 == elsewhere[0].cells_sha256
    particle = Particles.of(open_store(settings().data.train.showers)[:9])
    showers = there.sample(particle)
    assert showers.metadata.cells_sha256 == elsewhere[0].cells_sha256
    assert showers.cell.max() < elsewhere[0].n_cells
    twice = load_generator(moves, geometry=geometry, steps=2).sample(particle)
    np.testing.assert_allclose(twice.energy, 2 * showers.energy, rtol=1e-6)


def test_cells_that_have_changed_are_told(settings, piece, elsewhere, tmp_path):
    """The graph file of the settings holds others now; with the right one by hand it goes on."""
    run = run_generation(settings(), tmp_path / "run")
    text = run.config.read_text()
    run.config.write_text(text.replace(piece.settings["data"]["graph"], str(elsewhere[1])))
    with pytest.raises(GeometryMismatchError, match=r"its settings lead to other cells now .* --graph FILE"):
        load_generator(run.path)
    assert load_generator(run.path, geometry=(piece.graph, load_material("hgcal"))).cells_sha256
