"""evaluate, as a user types it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgcal_gnn.geometry.graph_file import load_graph
from hgcal_gnn.showers.store import open_store, write_showers
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample


@pytest.fixture(scope="module")
def samples(made, tmp_path_factory):
    """120 photons, 120 others, and those with 10 % more energy."""
    folder = tmp_path_factory.mktemp("samples")
    beam = Beam("photon", parse_spectrum("50"), eta=2.0, phi=1.57)
    cells = load_graph(made / "piece.safetensors").cells
    for seed, name in enumerate(("reference_1", "same")):
        write_sample(cells, beam, 120, folder / f"{name}.arrow", seed=seed)
    showers = open_store(folder / "same.arrow")[:]
    write_showers(showers.replace(energy=showers.energy * np.float32(1.1)), folder / "more.arrow")
    return folder


def test_report(run, made, samples, tmp_path):
    shown = run(
        "evaluate", "--reference", samples / "reference_1.arrow", "--generated", samples / "same.arrow",
        samples / "more.arrow", "--names", "good", "bad", "--graph", made / "piece.safetensors", "-o", "report",
        "--observables", "energy", "--skip", "physics_distance", "classifier", "--quick",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    assert "1. good" in shown.out
    folder = tmp_path / "report"
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.md", "metrics.json", "plots"}
    content = json.loads((folder / "metrics.json").read_text())
    assert [entry["sample"] for entry in content["ranking"]] == ["good", "bad"]
    assert content["samples"]["bad"]["distances"]["response"]["separation_power"]["significance"] > 5
    assert content["samples"]["good"]["classifier"] == {"not_available": "left out (--skip, or --quick)"}
    assert (folder / "plots" / "observable_response.png").read_bytes().startswith(b"\x89PNG")
    again = run(
        "evaluate", "--reference", samples / "same.arrow", "--generated", samples / "more.arrow", "-o", "report"
    )
    assert again.code == 1
    assert "--overwrite" in again.err


def test_few_showers_make_a_report_that_says_so(run, made, photons, tmp_path):
    shown = run(
        "evaluate", "--reference", photons, "--generated", photons, "--names", "again", "--graph",
        made / "piece.safetensors", "-o", "report", "--observables", "energy", "--json",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    found = json.loads(shown.out)["samples"]["again"]
    assert found["distances"]["response"]["separation_power"]["value"] is None
    for part in ("classifier", "classifier_hits", "classifier_cells", "energies", "eta", "reconstruction", "referee"):
        assert "40 of at least 100 showers" in found[part]["not_available"]
    assert "not available" in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--generated", "missing.arrow"), 1, "missing.arrow: no such file"),
        (("--generated", "{photons}", "--names", "a", "b"), 2, "2 names for 1 generated"),
        (("--generated", "{photons}", "{photons}"), 2, "a name of its own"),
        (("--generated", "{photons}", "--skip", "plots"), 2, "no parts plots"),
        (("--generated", "{photons}", "--same-model", "gan"), 2, "give NAME=SAMPLE"),
        (("--generated", "{photons}", "--same-model", "gan=a,b"), 2, "no generated samples a, b"),
        (("--generated", "{photons}", "--regressor", "nowhere"), 1, "nowhere"),
        (("--generated", "{photons}", "--graph", "{toy}"), 1, "another geometry"),
        (("--generated", "{photons}", "--max-showers", "0"), 2, "at least 1"),
    ],
)
def test_wrong_requests(run, made, photons, arguments, code, message):
    names = {"photons": photons, "toy": made / "toy.safetensors"}
    words = [word.format(**names) for word in arguments]
    graph = () if "--graph" in words else ("--graph", made / "piece.safetensors")
    shown = run("evaluate", "--reference", photons, *words, *graph, "-o", "report")
    assert shown.code == code, shown.err
    assert message in shown.err
