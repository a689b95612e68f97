"""generate and benchmark with graph models: other geometries, steps, files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgcal_gnn.config.any_run import check_run
from hgcal_gnn.geometry.graph_file import load_graph
from hgcal_gnn.showers.convert import convert
from hgcal_gnn.showers.convert.hdf5_source import Hdf5Options
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.training.generation.run import run_generation
from tests.generation.graph.toy import toys  # noqa: F401

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def trained(made, photons, tmp_path):
    """Return the folder of a trained toy."""

    def train(kind):
        content = {
            "data": {"graph": str(made / "piece.safetensors"), "train": {"showers": str(photons)}, "empty": "drop"},
            "model": {"kind": kind},
            "train": {"iterations": 2, "batch_size": 8, "check_every": 2, "device": "cpu", "pictures": 0},
        }
        return run_generation(check_run(content, "here"), tmp_path / kind).path

    return train


def test_files_hold_the_same_showers(run, made, trained, tmp_path):
    folder = trained("toy")
    for ending in ("arrow", "root", "h5"):
        assert run("generate", folder, "-n", 30, "-o", f"a.{ending}").code == 0
    cells = load_graph(made / "piece.safetensors").cells
    whole = open_store(tmp_path / "a.arrow").read(slice(None))
    assert whole.metadata.cells_sha256 == cells.sha256
    for ending in ("root", "h5"):
        convert([tmp_path / f"a.{ending}"], tmp_path / f"{ending}.arrow", cells, hdf5=Hdf5Options(pdg_id=22))
        again = open_store(tmp_path / f"{ending}.arrow").read(slice(None))
        np.testing.assert_array_equal(again.n_hits, whole.n_hits)
        np.testing.assert_allclose(again.visible, whole.visible, rtol=1e-5)


def test_another_geometry(run, made, trained, tmp_path):
    """The output is of the cells asked for; a model that cannot says so before anything is written."""
    stays, moves = trained("toy"), trained("moving")
    other = made / "toy.safetensors"
    command = ("-n", 20, "--graph", other, "--material", "hgcal", "-o")
    assert run("generate", moves, *command, "a.arrow").code == 0
    assert run("generate", moves, *command, "b.arrow", "--steps", 3).code == 0
    sha = load_graph(other).cells.sha256
    one, three = (open_store(tmp_path / f"{name}.arrow").read(slice(None)) for name in "ab")
    assert one.metadata.cells_sha256 == three.metadata.cells_sha256 == sha
    assert three.metadata.extra["steps"] == "3"
    np.testing.assert_allclose(three.energy, 3 * one.energy, rtol=1e-6)
    refused = run("generate", stays, *command, "c.arrow")
    assert refused.code == 2
    assert "models that move to other geometries" in refused.err
    assert not (tmp_path / "c.arrow").exists()
    assert (
        "give --graph or --detector, not both" in run("generate", moves, *command, "d.arrow", "--detector", "lcd").err
    )
    assert "--material belongs to" in run("generate", moves, "-n", 2, "-o", "d.arrow", "--material", "hgcal").err


def test_voxel_models_stay_where_they_are_and_have_no_steps(run, untrained_generator, made):
    command = ("generate", untrained_generator, "-n", 5, "-o", "a.arrow")
    assert "calo_shower_gan does not sample in steps" in run(*command, "--steps", 5).err
    refused = run(*command, "--graph", made / "piece.safetensors")
    assert refused.code == 2
    assert "generates in the voxels it was trained in" in refused.err


def test_hits_are_timed(run, trained):
    outcome = run(
        "benchmark", trained("toy"), "--batch-sizes", 2, "--calls", 3, "--warm-up", 1, "--energy", 20, "--json"
    )
    assert outcome.code == 0, outcome.err
    names = json.dumps(json.loads(outcome.out))
    assert "generator toy" in names
