"""evaluate with samples that something is wrong with: refused at the start, or reported as far as they allow."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgcal_gnn.geometry.graph_file import load_graph
from hgcal_gnn.showers.store import open_store, write_showers
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample

N_SHOWERS = 120
FEW = (
    "--observables", "response", "n_hits", "layer_8_centre_x", "layer_8_fraction", "layer_9_fraction",
    "--skip", "correlation", "physics_distance", "classifier", "energies", "eta", "reconstruction", "referee",
    "--quick",
)  # fmt: skip


@pytest.fixture(scope="module")
def samples(made, tmp_path_factory):
    """A reference, and samples each with something wrong; some written although the library would refuse to."""
    folder = tmp_path_factory.mktemp("wrong")
    cells = load_graph(made / "piece.safetensors").cells
    beam = Beam("photon", parse_spectrum("10..100"), eta=2.0, phi=1.57)
    for seed, name in enumerate(("reference_1", "good")):
        write_sample(cells, beam, N_SHOWERS, folder / f"{name}.arrow", seed=seed)
    good = open_store(folder / "good.arrow")[:]
    unknown = np.full(N_SHOWERS, np.nan, np.float32)
    first = np.arange(len(good.cell)) == 0
    wrong = {
        "nan_hit": good.replace(energy=np.where(first, np.float32(np.nan), good.energy)),
        "infinite_hit": good.replace(energy=np.where(first, np.float32(np.inf), good.energy)),
        "negative_hit": good.replace(energy=np.where(first, np.float32(-1e-3), good.energy)),
        "no_showers": good[:0],
        "no_energies": good.replace(incident_energy=unknown),
        "no_hits": good.where(np.zeros(len(good.cell), bool)),
        "zero_hits": good.replace(energy=np.zeros_like(good.energy)),
        "layer_missing": good.where(cells.layer[good.cell] != 8),
        "one_shower": good[:1],
        "outliers": good.replace(energy=np.where(first, np.float32(1e6), good.energy)),
        "no_directions": good.replace(direction_x=unknown, direction_y=unknown, direction_z=unknown),
    }
    for name, showers in wrong.items():
        write_showers(showers, folder / f"{name}.arrow")
    content = (folder / "good.arrow").read_bytes()
    (folder / "cut.arrow").write_bytes(content[: len(content) // 2])
    (folder / "nothing.arrow").write_bytes(b"")
    (folder / "showers.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (folder / "a_folder.arrow").mkdir()
    return folder


@pytest.fixture
def evaluate(run, made, samples):
    """Evaluate samples by name against reference_1."""

    def call(*names, more=FEW):
        files = [samples / (name if "." in name else f"{name}.arrow") for name in names]
        return run(
            "evaluate", "--reference", samples / "reference_1.arrow", "--generated", *files, *more,
            "--graph", made / "piece.safetensors", "-o", "report",
        )  # fmt: skip

    return call


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("nan_hit", 1, "NaN, infinite or negative, first in showers 0 (counted from 0)"),
        ("infinite_hit", 1, "NaN, infinite or negative"),
        ("negative_hit", 1, "NaN, infinite or negative"),
        ("no_showers", 1, "holds no showers"),
        ("cut", 1, "truncated or damaged"),
        ("nothing", 1, "the file is empty"),
        ("a_folder", 1, "is a folder"),
        ("showers.h5", 2, "hgcal-gnn convert"),
    ],
)
def test_refused_before_anything_is_computed(evaluate, tmp_path, name, code, message):
    shown = evaluate("good", name)
    assert shown.code == code, shown.err
    assert name in shown.err
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert not (tmp_path / "report").exists()


def test_reported_as_far_as_they_allow(evaluate, tmp_path):
    names = (
        "good", "no_energies", "no_hits", "zero_hits", "layer_missing", "one_shower", "outliers", "no_directions",
    )  # fmt: skip
    shown = evaluate(*names)
    assert shown.code == 0, shown.err
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())["samples"]
    assert set(found) == set(names)
    power = {name: {key: one["separation_power"] for key, one in found[name]["distances"].items()} for name in names}
    for name in names:
        assert (power[name]["n_hits"]["value"] is None) == (name == "one_shower"), name
    assert power["good"]["response"]["significance"] < 5
    assert "have no incident energy" in power["no_energies"]["response"]["not_available"]
    assert found["layer_missing"]["most_different"][0].startswith("layer_8_")
    assert f"{N_SHOWERS} showers" in found["no_hits"]["remarks"][0]
    assert power["no_hits"]["n_hits"]["value"] == pytest.approx(1.0, abs=0.01)
