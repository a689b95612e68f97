"""`hgcal-gnn schema` of files says what the files hold."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from safetensors import safe_open


@pytest.fixture
def told(run):
    """Return what `schema` prints of a file, and its columns by name."""

    def ask(what):
        about = json.loads(run("schema", what).out)
        return about, {column["name"]: column for column in about["columns"]}

    return ask


def test_graph(told, made):
    about, columns = told("graph")
    with safe_open(made / "piece.safetensors", framework="numpy") as file:
        kept = json.loads(file.metadata()["hgcal_gnn"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    assert kept["format"] == about["format_version"]
    assert set(kept) == set(about["metadata"])
    stated = set(columns) - {"...", "parent_row"}  # of pieces cut from a graph
    assert stated <= set(arrays)
    for name in stated:
        assert str(arrays[name].dtype) in columns[name]["type"], name


def test_showers(told, photons):
    about, columns = told("showers")
    schema = pa.ipc.open_file(photons).schema
    metadata = {key.decode(): value.decode() for key, value in schema.metadata.items()}
    assert set(metadata) == set(about["metadata"])
    assert int(metadata["version"]) == about["format_version"]
    needed = {name for name, column in columns.items() if not column["optional"]}
    assert needed <= set(schema.names) <= set(columns)
    assert columns["energy"]["unit"] == "GeV"
    assert columns["energy"]["type"] == "list<float32>"


def test_model(told, untrained_generator):
    about, _ = told("model")
    with safe_open(untrained_generator / "model.safetensors", framework="numpy") as file:
        kept = json.loads(file.metadata()["hgcal_gnn"])
    assert kept["format"] == about["format_version"]
    assert set(about["metadata"]) - {"..."} <= set(kept)


def test_table(told):
    about, columns = told("table")
    assert about["format_version"] >= 1
    assert {"cell_id", "layer", "x", "y", "z"} <= set(columns)
