"""Layers that start again in CE-H, and layers with the sign of z."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.tables import read_table
from hgcal_gnn.geometry.tables.layer_numbers import count_through, unsigned_layers

from .table_files import saved


def ceh_table(cee_last: int, ceh_layers: list[int], *, detector: int = 9) -> str:
    """Four cells in each of some CE-E layers and CE-H layers (z from 320 and 400 cm)."""
    rows = ["globalid,detectorid,layerid,x,y,z"]
    for code, layers, z in ((8, [1, cee_last], 320), (detector, ceh_layers, 400)):
        rows += [
            f"{(code << 28) + (layer << 20) + i},{code},{layer},{80 + i % 2},{i // 2},{z + layer}"
            for layer in layers
            for i in range(4)
        ]
    return "\n".join(rows)


@pytest.mark.parametrize("cee_layers", [26, 28])
def test_ceh_layers_are_counted_on(tmp_path, caplog, cee_layers):
    caplog.set_level(logging.INFO, logger="hgcal_gnn")
    table = read_table(saved(tmp_path / "t.csv", ceh_table(cee_layers, [1, 21])))
    assert sorted(set(table.layer.tolist())) == [1, cee_layers, cee_layers + 1, cee_layers + 21]
    assert f"{cee_layers} layers of CE-E are added" in caplog.text


def test_layers_that_run_through_stay(tmp_path):
    table = read_table(saved(tmp_path / "t.csv", ceh_table(26, [27, 47])))
    assert sorted(set(table.layer.tolist())) == [1, 26, 27, 47]


def test_window_without_the_last_cee_layer_needs_the_number(tmp_path):
    path = saved(tmp_path / "t.csv", ceh_table(20, [3, 4]))
    with pytest.raises(InputError, match=r"CE-H start again at 3, but those of CE-E end at 20, .*--cee-layers"):
        read_table(path)
    assert sorted(set(read_table(path, cee_layers=28).layer.tolist())) == [1, 20, 31, 32]


def test_ceh_alone_is_counted_on_only_when_told(caplog):
    layer, z = np.array([9, 10, 11]), np.array([400.0, 410.0, 420.0])
    detector = np.array([9, 9, 10])
    assert count_through(layer, detector, z, None, "f").tolist() == [9, 10, 11]
    assert "--cee-layers" in caplog.text
    assert count_through(layer, detector, z, 26, "f").tolist() == [35, 36, 37]
    assert count_through(layer + 26, detector, z, 26, "f").tolist() == [35, 36, 37]


def test_other_detectors_keep_their_layers():
    layer = np.array([1, 2, 1, 2])
    assert count_through(layer, np.array([3, 3, 9, 9]), np.array([1.0, 2.0, 3.0, 4.0]), None, "f") is layer
    assert count_through(layer, None, np.array([1.0, 2.0, 3.0, 4.0]), None, "f") is layer


def test_signed_layers_lose_the_sign_of_z():
    z = np.array([-320.0, 320.0, -330.0])
    assert unsigned_layers(np.array([-1, 1, -2]), z, "f").tolist() == [1, 1, 2]
    other_meaning = np.array([-1, -1, 2])  # negative at both ends
    assert unsigned_layers(other_meaning, z, "f") is other_meaning
