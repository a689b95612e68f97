"""Studies: what all methods share, what each changes, what could not be compared."""

from __future__ import annotations

import pytest
import yaml

from hgcal_gnn.config.study import read_study
from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.voxel.calo_shower_gan import CaloShowerGAN

PHOTONS = {"simulate": {"energy": 50, "number": 100, "seed": 1}}
TEST = {"simulate": {"energy": 50, "number": 100, "seed": 2}}
STUDY = {
    "title": "Photons",
    "seeds": [0, 1],
    "data": {"detector": "hgcal", "train": PHOTONS, "test": TEST},
    "train": {"epochs": 5, "schedule": "cosine", "weights": {"eta": 2.0}},
    "methods": {
        "sum": {"model": {"kind": "sum"}, "seeds": [0]},
        "gcn": {"model": {"kind": "gcn"}, "train": {"epochs": 7, "weights": {"phi": 3.0}}},
    },
}
SUM = STUDY["methods"]["sum"]


@pytest.fixture
def read(tmp_path):
    """Read a study with other methods, or other common settings."""

    def read(methods=None, overrides=(), **changes):
        path = tmp_path / "study.yaml"
        content = {**STUDY, **changes, **({"methods": methods} if methods else {})}
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return read_study(path, overrides)

    return read


def test_each_method_is_trained_with_each_seed(read):
    study, runs = read()
    assert study.title == "Photons"
    assert [(run.method, run.name, run.config.seed) for run in runs] == [
        ("sum", "sum-0", 0),
        ("gcn", "gcn-0", 0),
        ("gcn", "gcn-1", 1),
    ]


def test_a_method_changes_single_settings_and_keeps_the_others(read):
    _, runs = read()
    common, own = runs[0].config.train, runs[1].config.train
    assert (common.epochs, own.epochs) == (5, 7)
    assert (common.schedule, own.schedule) == ("cosine", "cosine")
    assert (own.weights.eta, own.weights.phi) == (2.0, 3.0)


def test_overrides_reach_common_settings_and_methods(read):
    _, runs = read(overrides=["train.epochs=1", "methods.gcn.train.epochs=2", "data.train.simulate.number=9"])
    assert [run.config.train.epochs for run in runs] == [1, 2, 2]
    assert {run.config.data.train.simulate.number for run in runs} == {9}


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"gcn": {"model": {"kind": "gcn", "hiden": 3}}}, r"study.yaml, method gcn: model.hiden: unknown key"),
        ({"gcn": {"model": {"kind": "gnn"}}}, "method gcn: model.kind: 'gnn' is none of"),
        ({"gcn": {"modl": {}}}, r"methods.gcn.modl: unknown key \(did you mean model\?\)"),
        ({"../gcn": SUM}, "methods name folders"),
        ({"a": SUM, "b": SUM}, "the methods a and b have the same settings"),
        ({"a": SUM, "b": {**SUM, "train": {"device": "cpu"}}}, "the methods a and b have the same settings"),
        (
            {"a": SUM, "b": {**SUM, "data": {"test": {"simulate": {"seed": 3}}}}},
            "a and b would be tested on different showers",
        ),
        ({"a": SUM, "b": {**SUM, "data": {"window": {"side": 1}}}}, "a and b would be tested on different showers"),
        ({"a": {**SUM, "seeds": [1, 1]}}, r"methods.a.seeds: \[1, 1\]: a number stands there twice"),
        ({"a": {**SUM, "seeds": []}}, "methods.a.seeds: "),
    ],
)
def test_methods_that_cannot_be(read, methods, message):
    with pytest.raises(UsageError, match=message):
        read(methods)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [0, 0]}, "seeds: .* twice"),
        ({"title": None}, "title: None should be a valid string"),
        ({"epochs": 3}, "epochs: unknown key"),
        ({"data": {"detector": "hgcal"}}, "method sum: data.train: missing"),
    ],
)
def test_studies_that_cannot_be(read, changes, message):
    with pytest.raises(UsageError, match=message):
        read(**changes)


def test_a_test_sample_out_of_the_training_sample_must_be_shared(read):
    """Without data.test the training sample decides what is tested; with it, methods may train on other samples."""
    more = {"simulate": {"energy": 50, "number": 200, "seed": 1}}
    methods = {"a": SUM, "b": {**SUM, "data": {"train": more}}}
    assert len(read(methods)[1]) == 2
    with pytest.raises(UsageError, match="tested on different showers"):
        read(methods, data={"detector": "hgcal", "train": PHOTONS})


def test_a_study_takes_over_what_it_does_not_give(read, tmp_path):
    """Whole settings: the data of the other study are gone, its methods stay."""
    read()
    data = {"graph": "mine.safetensors", "train": {"showers": "a.arrow"}, "test": {"showers": "b.arrow"}}
    (tmp_path / "studies").mkdir()
    path = tmp_path / "studies" / "mine.yaml"
    path.write_text(yaml.safe_dump({"base": "../study.yaml", "title": "Mine", "data": data}))
    study, runs = read_study(path, ["methods.gcn.train.epochs=2"])
    assert study.title == "Mine"
    assert [run.name for run in runs] == ["sum-0", "gcn-0", "gcn-1"]
    assert runs[0].config.data.detector is None
    assert [run.config.train.epochs for run in runs] == [5, 2, 2]
    third = tmp_path / "third.yaml"
    third.write_text(yaml.safe_dump({"base": "studies/mine.yaml", "title": "Third"}))
    with pytest.raises(UsageError, match=r"has a base of its own \(../study.yaml\)"):
        read_study(third)


GAN = {"kind": "calo_shower_gan"}


def test_steps_are_for_models_that_have_some(read, monkeypatch):
    common = {"seeds": [0], "train": {"iterations": 5}}
    with pytest.raises(UsageError, match="method gan: steps: it does not sample in steps"):
        read({"gan": {"model": GAN, "steps": [1, 2]}}, **common)
    with pytest.raises(UsageError, match="method sum: steps: it does not sample in steps"):
        read({"sum": {**SUM, "steps": [1]}})
    monkeypatch.setattr(CaloShowerGAN, "has_steps", True)
    assert read({"gan": {"model": GAN, "steps": [1, 2]}}, **common)[1][0].steps == (1, 2)
    with pytest.raises(UsageError, match=r"methods.gan.steps: \[2, 2\]: a number stands there twice"):
        read({"gan": {"model": GAN, "steps": [2, 2]}}, **common)


def test_a_regressor_looks_at_generators_only(read):
    gan = {"gan": {"model": GAN}}
    assert read(gan, train={}, regressor="runs/sum-0")[0].regressor.name == "sum-0"
    with pytest.raises(UsageError, match="regressor: looks at the showers of generators, sum is none"):
        read(regressor="runs/sum-0")
