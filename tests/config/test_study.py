"""Studies: what all methods share, what each changes, what could not be compared."""

from __future__ import annotations

import pytest
import yaml

from hgcal_gnn.config.study import read_study
from hgcal_gnn.errors import UsageError

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
        ({"a": {**SUM, "seeds": [1, 1]}}, r"methods.a.seeds: \[1, 1\]: a seed stands there twice"),
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
