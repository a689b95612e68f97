"""inspect on shower stores: numbers, findings, pictures, and files that are none."""

from __future__ import annotations

import json

import pytest

from hgcal_gnn.geometry.graph_file import load_graph
from hgcal_gnn.showers.store import open_store
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree

SUMMARY_KEYS = {
    "n_showers", "n_hits", "columns", "particles", "hits_per_shower", "incident_energy", "visible_energy", "hit_energy",
    "eta", "vertex_z", "metadata", "findings",
}  # fmt: skip  # fmt: skip


def graph(made, name="toy"):
    return ("--graph", made / f"{name}.safetensors")


def test_inspect_a_store(run, photons, made, tmp_path):
    shown = run("inspect", photons)
    assert shown.code == 0, shown.err
    assert "40 showers" in shown.out
    assert "particles: 40 photon (22)" in shown.out
    assert "nothing looks wrong" in shown.out
    summary = json.loads(run("inspect", photons, "--json").out)
    assert set(summary) == SUMMARY_KEYS
    showers = open_store(photons)[:]
    assert summary["visible_energy"]["mean"] == pytest.approx(showers.visible.mean())
    assert summary["incident_energy"]["max"] == pytest.approx(float(showers.incident_energy.max()))
    assert summary["metadata"]["seed"] == 0
    pictures = run("inspect", photons, *graph(made, "piece"), "--plot", "profiles.png", "--reference", photons)
    assert pictures.code == 0, pictures.err
    assert (tmp_path / "profiles.png").read_bytes().startswith(b"\x89PNG")


def test_inspect_one_shower(run, photons, made, tmp_path):
    shower = open_store(photons)[7]
    found = json.loads(run("inspect", photons, "--event", 7, "--json", *graph(made, "piece")).out)
    assert found["event_id"] == 7
    assert found["hits"] == len(shower.cell)
    assert sum(layer["hits"] for layer in found["layers"]) == found["hits"]
    assert sum(layer["energy"] for layer in found["layers"]) == pytest.approx(found["visible_energy"])
    options = ("--event", 7, "--plot", "event.png", "--html", "event.html", *graph(made, "piece"))
    drawn = run("inspect", photons, *options)
    assert drawn.code == 0, drawn.err
    assert "shower 7: photon of" in drawn.out
    assert {"event.png", "event.html"} <= {path.name for path in tmp_path.iterdir()}


def test_findings_of_a_store(run, made, tmp_path):
    branches = hgcal_branches(toy_cells(), rows=[[0, 0, 7], [33], [], [2, 39]])
    branches["genPart_E"] = branches["genPart_E"] * 1e-6
    write_tree(tmp_path / "in.root", branches)
    assert run("convert", "in.root", *graph(made), "-o", "a.arrow").code == 0
    findings = json.loads(run("inspect", "a.arrow", "--json").out)["findings"]
    said = "; ".join(finding["message"] for finding in findings)
    assert said == (
        "1 of 4 showers have no hits; 1 hits share their cell with another of their shower (convert --merge-hits adds "
        "up); 3 of 4 showers deposit more than their incident energy: is the unit right?"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("photons", "--event", "40"), "holds showers 0 to 39"),
        (("photons", "--html", "a.html"), "say which with --event"),
        (("photons", "--layer", "3"), "--layer belongs to a layer of a geometry"),
        (("photons", "--reference", "photons"), "under the profiles of --plot"),
        (("photons", "--plot", "a.png", "--graph", "toy"), "made with another geometry"),
        (("photons", "--plot", "a.png"), "not with the whole built-in detector"),
        (("toy", "--event", "1"), "--event belongs to a shower store"),
        (("in1.root",), "holds showers (Ntuples of simulated HGCAL hits"),
        (("broken.arrow",), "truncated or damaged"),
        (("broken.h5",), "not readable as HDF5"),
    ],
)
def test_wrong_inspections(run, photons, made, tmp_path, monkeypatch, arguments, message):
    if message.startswith("not with"):  # the whole HGCAL takes too long to build: a stand-in of the same name
        from hgcal_gnn.geometry import detector_graph

        small = load_graph(made / "toy.safetensors")
        monkeypatch.setattr(detector_graph, "detector_graph", lambda name: (small, tmp_path / name))
    for name in ("broken.arrow", "broken.h5"):
        (tmp_path / name).write_bytes(photons.read_bytes()[:5000])
    names = {"photons": photons, "toy": made / "toy.safetensors", "in1.root": made / "in1.root"}
    failed = run("inspect", *(names.get(argument, argument) for argument in arguments))
    assert message in failed.err
    assert failed.code in (1, 2)
    assert failed.out == ""
    assert not list(tmp_path.glob("a.*"))
