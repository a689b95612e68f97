"""What is refused before a generator is trained, and what it may be asked for without a known kind of particle."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hgcal_gnn.config.any_run import check_run
from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.generation.image_batch import ImageBatch
from hgcal_gnn.generation.players import Stage
from hgcal_gnn.generation.request import Asked, check_request
from hgcal_gnn.generation.weights import TrainedOn
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.showers.store import open_store, write_showers
from hgcal_gnn.training.data import Sample
from hgcal_gnn.training.generation import run as generation_run
from hgcal_gnn.training.generation.checks import check_images, check_stages
from hgcal_gnn.training.generation.run import describe_particles, run_generation

PIECE = {"eta": [1.9, 2.0], "phi": [0.0, 0.1], "layers": [1, 2], "side": 1}


def images(highest):
    image = torch.zeros(4, 6)
    image[2, 3] = highest
    return ImageBatch(image, None)


def settings(**model):
    content = {"data": {"detector": "ild-ecal", "train": {"showers": "a.arrow"}}, "model": {"kind": "bib_ae"} | model}
    return check_run(content, "here")


@pytest.mark.parametrize(
    ("model", "highest", "error", "expected"),
    [
        ({"threshold": 0.5}, 0.5, UsageError, "model.threshold 0.5 GeV would empty all"),
        ({}, 0.0, InputError, "none of 4 showers has energy in the voxels"),
        ({"angle": True}, 1.0, InputError, "not all showers have a direction"),
    ],
)
def test_showers_without_anything_to_learn(model, highest, error, expected):
    with pytest.raises(error, match=f"(?s).*{expected}"):
        check_images(settings(**model), images(highest), TrainedOn((22,), (1.0, 2.0)), "a.arrow")


def test_usual_showers_pass():
    check_images(settings(threshold=0.1), images(0.5), TrainedOn((22,), (1.0, 2.0)), "a.arrow")


def sample(*energies):
    energy = np.array(energies, dtype=np.float32)
    return SimpleNamespace(energy=energy, rows=np.arange(len(energy)), store=SimpleNamespace(path="a.arrow"))


def test_stages_need_showers():
    """A bound belongs to the stages on both sides of it; at 2 GeV nothing lies above 4 GeV."""
    low, high = (Stage(name, [], 1, energy=limits) for name, limits in (("low", (0.0, 4.0)), ("high", (4.0, np.inf))))
    check_stages([low, high], SimpleNamespace(train=sample(4.0), validation=sample(4.0)))
    for train, validation, purpose in ((sample(2.0), sample(8.0), "train on"), (sample(8.0), sample(2.0), "validate")):
        with pytest.raises(UsageError, match=f"from 4 to inf GeV to {purpose} .stage high.; these have 2 to 2"):
            check_stages([high], SimpleNamespace(train=train, validation=validation))


def test_a_generator_of_unknown_particles_takes_unknown_particles():
    asked = Asked({0}, {"energy": 1.0}, {"energy": 2.0}, {"energy": 0, "direction": 3, "kind of particle": 3}, 3)
    check_request(asked, TrainedOn((0,), (1.0, 2.0)))
    with pytest.raises(InputError, match="3 of 3 particles have no kind of particle"):
        check_request(asked, TrainedOn((22,), (1.0, 2.0)))


@pytest.mark.parametrize("unknown", ["direction", "vertex"])
def test_vectors_that_some_showers_lack_are_not_known(tmp_path, unknown):
    """A mean over the others, or zeros, would be made up."""
    n = 4
    given = {"direction_z": np.ones(n), "direction_x": np.zeros(n), "direction_y": np.zeros(n)}
    given |= {f"vertex_{axis}": np.arange(n) for axis in "xyz"}
    given[f"{unknown}_y"] = np.array([0.0, np.nan, 0.0, 0.0])
    columns = {"offsets": np.arange(n + 1), "cell": np.zeros(n), "energy": np.ones(n), "incident_energy": np.ones(n)}
    write_showers(Showers.from_columns(columns | given), tmp_path / "a.arrow")
    found = describe_particles(Sample(open_store(tmp_path / "a.arrow"), np.arange(n)), settings())
    known = {"direction": (0.0, 0.0, 1.0), "vertex": (1.5, 1.5, 1.5)}
    for name, expected in known.items():
        assert getattr(found, name) == (None if name == unknown else expected)


@pytest.mark.parametrize(
    ("geometry", "model", "expected"),
    [
        (
            {"detector": "hgcal", "window": PIECE},
            "wgan_gp",
            r"hgcal form no regular arrays.*ild-ecal.*data\.grid",
        ),
        ({"detector": "calochallenge-1-photons"}, "gan", "gan"),
    ],
)
def test_cells_that_a_model_cannot_make_are_told_before_the_simulation(
    tmp_path, monkeypatch, geometry, model, expected
):
    """It may take hours; nothing is left behind."""
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(generation_run, "open_data", None)
    sample = {"simulate": {"particle": "photon", "energy": 10, "number": 10**6}}
    config = check_run({"data": {**geometry, "train": sample}, "model": {"kind": model}}, "here")
    with pytest.raises(UsageError, match=expected):
        run_generation(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
