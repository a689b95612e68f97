from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from hgcal_gnn.batching.fitted_transforms import BoxCox, LogRange, Standardise
from hgcal_gnn.batching.layer_shares import LayerShares
from hgcal_gnn.batching.transform_base import TRANSFORMS, register
from hgcal_gnn.batching.transform_files import (
    OnColumns,
    TransformSequence,
    from_config,
    load_transform,
    save_transform,
)
from hgcal_gnn.batching.transforms import Log, Logit, Power, ScaleByIncident
from hgcal_gnn.errors import InputError, OutputError, UsageError


def chain():
    steps = [
        OnColumns([0, 2], TransformSequence([Log(0.1), Power(0.9)])),
        OnColumns([1], LogRange(1.0)),
        ScaleByIncident(0.5),
        BoxCox(),
        Standardise(),
    ]
    return TransformSequence(steps)


@pytest.fixture
def data():
    torch.manual_seed(1)
    return torch.rand(50, 3) + 3, torch.rand(50) + 1


def test_saved_and_loaded_it_does_the_same(tmp_path, data):
    fitted = chain().fit(*data)
    save_transform(fitted, tmp_path / "transforms.safetensors")
    loaded = load_transform(tmp_path / "transforms.safetensors")
    assert loaded.config() == fitted.config()
    assert torch.equal(loaded(*data), fitted(*data))
    assert torch.equal(loaded.inverse(*data), fitted.inverse(*data))


def test_the_file_is_the_same_every_time(tmp_path, data):
    for name in "ab":
        save_transform(chain().fit(*data), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with safe_open(tmp_path / "a", framework="pt") as file:
        assert list(file.metadata()) == ["hgcal_gnn"]
    with pytest.raises(OutputError, match="exists already"):
        save_transform(chain(), tmp_path / "a")


def test_fitted_numbers_travel_with_a_model(data):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.transform = chain()
            self.layer = nn.Linear(3, 2)

    trained, fresh = Model(), Model()
    trained.transform.fit(*data)
    fresh.load_state_dict(trained.state_dict())
    assert torch.equal(fresh.transform(*data), trained.transform(*data))


@pytest.mark.parametrize(
    "transform",
    [Log(2.0), Power(0.5), Logit(1e-4), ScaleByIncident(3.0), LogRange(1.0, 9.0), LayerShares([1, 1, 4], 2.0), chain()],
)
def test_configuration_through_json(transform):
    again = from_config(json.loads(json.dumps(transform.config())))
    assert type(again) is type(transform)
    assert again.config() == transform.config()


def test_configurations_nobody_knows():
    with pytest.raises(UsageError, match=r"no transform 'logg'; there are box_cox, layer_shares, log, "):
        from_config({"kind": "logg"})
    with pytest.raises(UsageError, match=r"no transform None"):
        from_config({"scale": 1.0})
    with pytest.raises(UsageError, match=r"log cannot be made with .*'offset'"):
        from_config({"kind": "log", "offset": 1.0})


def test_names_are_given_once():
    with pytest.raises(ValueError, match="two transforms are called log"):
        register(Log)
    assert TRANSFORMS["log"] is Log


def metadata(**changes):
    text = {"format": 1, "version": "0", "kind": "transforms", "config": {"kind": "standardise"}} | changes
    return {"hgcal_gnn": json.dumps(text)}


@pytest.mark.parametrize(
    ("tensors", "text", "message"),
    [
        ({"mean": torch.zeros(1)}, metadata(), "do not belong to the transforms"),
        ({"a": torch.zeros(1)}, metadata(format=2), "upgrade with"),
        ({"a": torch.zeros(1)}, metadata(kind="cell graph"), "holds no transforms"),
        ({"a": torch.zeros(1)}, None, "holds no transforms"),
        ({"a": torch.zeros(1)}, {"hgcal_gnn": "{"}, "no readable safetensors file"),
    ],
)
def test_files_of_something_else(tmp_path, tensors, text, message):
    save_file(tensors, tmp_path / "t.safetensors", metadata=text)
    with pytest.raises(InputError, match=message):
        load_transform(tmp_path / "t.safetensors")


def test_damaged_files(tmp_path, data):
    path = tmp_path / "t.safetensors"
    with pytest.raises(InputError, match="no such file"):
        load_transform(path)
    save_transform(chain().fit(*data), path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"t.safetensors: no readable safetensors file"):
        load_transform(path)
