"""Settings: read, changed, checked as a whole, written."""

from __future__ import annotations

import math

import pytest
import yaml

from hgcal_gnn.config.read import check_config, read_config, write_config
from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.regression.models import ALL, MODELS, kind_of

PHOTONS = {"simulate": {"energy": 50, "number": 10}}
MORE_PHOTONS = {"simulate": {"energy": 50, "number": 99}}  # the first 10 of them the same
STORE = {"showers": "photons.arrow"}
LEAST = {"data": {"detector": "hgcal", "train": PHOTONS}, "model": {"kind": "sum"}}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "run.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def checked(**changes):
    """The least settings with some of them changed."""
    return check_config(RunConfig, {**LEAST, **changes}, "here")


def with_simulation(**settings):
    return checked(data={"detector": "hgcal", "train": {"simulate": {"number": 5, **settings}}})


def test_settings_come_back_as_they_were_written(write, tmp_path):
    config = read_config(RunConfig, write({**LEAST, "train": {"schedule": "cosine", "weights": {"eta": 3}}}))
    write_config(config, tmp_path / "copy.yaml")
    assert read_config(RunConfig, tmp_path / "copy.yaml") == config
    assert "learning_rate: 0.001" in (tmp_path / "copy.yaml").read_text()  # defaults are written too


def test_overrides_change_single_settings(write):
    overrides = ["train.epochs=7", "data.train.simulate.energy=log:5..800", "train.weights.eta=2", "seed=3"]
    config = read_config(RunConfig, write(LEAST), [*overrides, "data.window={side: 1}", "train.learning_rate=1e-4"])
    assert (config.train.epochs, config.seed, config.train.weights.eta) == (7, 3, 2.0)
    assert config.data.train.simulate.beam().spectrum.kind == "log-flat"
    assert config.data.window.side == 1
    assert config.train.learning_rate == 1e-4  # what YAML takes for text


def test_parts_of_a_file_can_be_shared(write):
    """YAML's merge key takes over a mapping, and what stands beside it wins."""
    text = """
    data:
      detector: hgcal
      train: {simulate: &photons {energy: 50, number: 10, seed: 1}}
      test: {simulate: {<<: *photons, seed: 2}}
    model: {kind: sum}
    """
    data = read_config(RunConfig, write(text)).data
    assert (data.test.simulate.energy, data.test.simulate.seed) == ("50", 2)


@pytest.mark.parametrize("given", ["32", '"32"', "64", "bf16-mixed"])
def test_precision_may_look_like_a_number(write, given):
    assert read_config(RunConfig, write(LEAST), [f"train.precision={given}"]).train.precision == given.strip('"')


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "write it as"),
        ("=3", "write it as"),
        ("seed.x=3", "seed is a single value"),
        ("train.epochs=[", "no YAML"),
        ("data.window={side: 1, side: -1}", "no YAML: given twice: side"),
    ],
)
def test_overrides_that_make_no_sense(write, override, message):
    with pytest.raises(UsageError, match=message):
        read_config(RunConfig, write({**LEAST, "seed": 1}), [override])


def test_everything_wrong_is_said_at_once(write):
    wrong = {
        "seed": -1,
        "data": {"detector": "hgcl", "train": PHOTONS, "widow": 3},
        "model": {"kind": "gcn", "hiden": 3},
        "train": {"loss": "mse", "epochs": "many"},
    }
    with pytest.raises(UsageError) as error:
        read_config(RunConfig, write(wrong))
    lines = str(error.value).splitlines()
    assert lines[0].endswith("run.yaml: 6 settings are wrong:")
    told = {line.split(":")[0].strip(): line for line in lines[1:]}
    assert told.keys() == {"seed", "data.detector", "data.widow", "model.hiden", "train.loss", "train.epochs"}
    assert "did you mean window?" in told["data.widow"]
    assert "did you mean hidden?" in told["model.hiden"]
    assert "known: " in told["model.hiden"]
    assert "'relative', 'log_l1', 'log_mse', 'huber' or 'nll'" in told["train.loss"]
    assert "'hgcl' is none of hgcal, " in told["data.detector"]
    assert "'many'" in told["train.epochs"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": LEAST["data"]}, "model: missing"),
        ({**LEAST, "model": {"hidden": 3}}, r"model.kind: missing; one of sum, "),
        ({**LEAST, "model": {"kind": "gnn"}}, r"model.kind: 'gnn' is none of 'sum', "),
        ({**LEAST, "train": 5}, "train: 5 is a single value, a group of settings is needed"),
        ({"data": {"detector": "hgcal", "train": {}}, "model": LEAST["model"]}, "data.train: give either showers"),
        ({**LEAST, "data": {"train": PHOTONS}}, "data: give either detector or graph"),
        ({**LEAST, "data": {"graph": "g", "window": {}, "train": PHOTONS}}, "window cuts a built-in detector"),
        ({**LEAST, "data": {**LEAST["data"], "test": MORE_PHOTONS}}, "data: test holds the showers of train"),
        ({**LEAST, "data": {"graph": "g", "train": STORE, "test": {**STORE, "number": 9}}}, "test holds the showers"),
        ({**LEAST, "data": {**LEAST["data"], "window": {"side": 2}}}, "data.window.side: 2 is none of -1 or 1"),
        ({**LEAST, "data": {**LEAST["data"], "window": {"eta": [2, 1]}}}, "data.window: eta must be .lowest, highest"),
        ({**LEAST, "data": {**LEAST["data"], "validation_fraction": 1.5}}, "1.5 should be less than 1"),
        ({**LEAST, "data": {"detector": "hgcal", "train": {**PHOTONS, "number": 3}}}, "simulate.number"),
    ],
)
def test_one_wrong_setting(content, message):
    with pytest.raises(UsageError, match=message):
        check_config(RunConfig, content, "here")


@pytest.mark.parametrize(
    ("model", "train", "message"),
    [
        ({"kind": "gcn"}, {"loss": "nll"}, "go together"),
        ({"kind": "gcn", "uncertainty": True}, {}, "go together"),
        ({"kind": "gcn"}, {"loss": "log_l1"}, "energies above 0"),
        ({"kind": "gcn"}, {"devices": 3}, "multiple of the 3 devices"),
        ({"kind": "gcn", "targets": ["phi", "energy"]}, {}, r"model.targets: \[phi, energy\]: energy comes first"),
        ({"kind": "gcn", "targets": ["energy", "eta", "eta"]}, {}, "nothing twice"),
        ({"kind": "gcn", "targets": []}, {}, "energy comes first"),
        ({"kind": "gcn", "features": ["size", "colour"]}, {}, "model.features: no hit features size, colour; "),
        ({"kind": "bdt", "l2": math.inf}, {}, "model.l2: inf should be a finite number"),
    ],
)
def test_settings_that_do_not_fit_together(model, train, message):
    with pytest.raises(UsageError, match=message):
        checked(model=model, train=train)


@pytest.mark.parametrize(
    ("given", "limits"), [(2, (2.0, 2.0)), ("1.6..2.9", (1.6, 2.9)), ([1.5, 3], (1.5, 3.0)), ("2.5", (2.5, 2.5))]
)
def test_intervals(given, limits):
    assert with_simulation(energy=50, eta=given).data.train.simulate.eta == limits


@pytest.mark.parametrize(
    ("given", "values"), [(50, (50.0,)), ([5, 50], (5.0, 50.0)), ("10..500", (10.0, 500.0)), (0.5, (0.5,))]
)
def test_spectra(given, values):
    beam = with_simulation(energy=given).data.train.simulate.beam()
    assert beam.spectrum.values == values
    assert (beam.eta, beam.phi) == (2.0, (-math.pi, math.pi))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give either energy or pt"),
        ({"energy": 5, "pt": 5}, "give either energy or pt"),
        ({"energy": "5..1"}, "lower and a higher limit"),
        ({"energy": 50, "particle": "quark"}, "cannot be simulated"),
        ({"energy": 50, "eta": "a..b"}, "simulate.eta: .*1.6..2.9"),
    ],
)
def test_beams_that_cannot_be(settings, message):
    with pytest.raises(UsageError, match=message):
        with_simulation(**settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("- a", "no settings in it"),
        ("seed: 1\nseed: 2", "given twice: seed at line 1"),
        ("", "empty"),
    ],
)
def test_files_that_hold_no_settings(write, text, message):
    with pytest.raises(InputError, match=message):
        read_config(RunConfig, write(text))


@pytest.mark.parametrize("kind", MODELS)
def test_every_model_needs_no_more_than_its_kind(kind):
    config = checked(model={"kind": kind}).model
    assert kind_of(config) == kind
    assert type(config) is MODELS[kind].config_class


def test_no_model_is_lost():
    assert len(MODELS) == len(ALL)
