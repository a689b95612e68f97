"""convert, simulate, inspect, merge, split as a user runs them: right, wrong, interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import uproot

from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.graph_file import load_graph, save_graph
from hgcal_gnn.showers.store import open_store
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree


def graph(made, name="toy"):
    return ("--graph", made / f"{name}.safetensors")


def test_convert_several_files(run, made, tmp_path):
    done = run("convert", made / "in*.root", *graph(made), "-o", "showers.arrow", "--report", "report.json")
    assert done.code == 0, done.err
    assert "2 of 2 files: 8 events, 8 showers, 12 hits" in done.out
    assert "event without hits: 2 (kept)" in done.out
    store = open_store(tmp_path / "showers.arrow")
    assert store.n_hits.tolist() == [3, 1, 0, 2] * 2
    assert store.column("incident_energy").tolist() == [10, 20, 30, 40] * 2
    report = json.loads((tmp_path / "report.json").read_text())
    assert {"output", "complete", "files", "total"} == set(report)
    assert report["total"]["hits"] == 12
    again = run("convert", made / "in1.root", *graph(made), "-o", "showers.arrow")
    assert (again.code, "add --overwrite" in again.err) == (1, True)
    as_json = run("convert", made / "in1.root", *graph(made), "-o", "showers.arrow", "--overwrite", "--json")
    assert json.loads(as_json.out)["total"]["showers"] == 4


def test_rules_and_threshold(run, made, tmp_path):
    # hits hold 1/1024, 2/1024, ... GeV
    done = run(
        "convert", made / "in1.root", *graph(made), "-o", "a.arrow", "--threshold", 3.5 / 1024, "--empty", "drop"
    )
    assert done.code == 0, done.err
    assert "hit below the threshold: 3 (dropped)" in done.out
    assert open_store(tmp_path / "a.arrow").n_hits.tolist() == [1, 2]
    cells = toy_cells()
    save_graph(build_graph(cells.select(cells.layer < 5))[0], tmp_path / "part.safetensors")
    wrong = run("convert", made / "in1.root", "--graph", "part.safetensors", "-o", "b.arrow")
    assert wrong.code == 1
    assert "cell id not in the geometry" in wrong.err
    assert "--unknown-cells drop" in wrong.err
    assert not Path("b.arrow").exists()
    assert not Path("b.arrow.parts").exists()
    dropped = run(
        "convert", made / "in1.root", "--graph", "part.safetensors", "-o", "b.arrow", "--unknown-cells", "drop"
    )
    assert dropped.code == 0, dropped.err
    assert re.search(r"cell id not in the geometry: \d \(dropped\)", dropped.out)


def test_branch_names(run, made, tmp_path):
    branches = hgcal_branches(toy_cells())
    branches["myHit_E"] = branches.pop("simHit_E") * 1000
    write_tree(tmp_path / "foreign.root", branches)
    options = ("--preset", "hgcal", "--branch", "hits.energy=myHit_E", "--branch", "energy_unit=MeV")
    missing = run("convert", "foreign.root", *graph(made), "-o", "a.arrow")
    assert missing.code == 1
    assert "simHit_E" in missing.err
    done = run("convert", "foreign.root", *graph(made), "-o", "a.arrow", *options)
    assert done.code == 0, done.err
    np.testing.assert_allclose(open_store(tmp_path / "a.arrow")[0].energy, [1 / 1024, 2 / 1024, 3 / 1024])
    names = tmp_path / "names.yaml"
    names.write_text("hits: {cell_id: simHit_detId, energy: myHit_E}\nparticles: {energy: genPart_E}\n")
    assert run("convert", "foreign.root", *graph(made), "-o", "b.arrow", "--branches", names).code == 0
    assert "say which with --preset" in run("convert", "foreign.root", *graph(made), "-o", "c.arrow", *options[2:]).err


@pytest.mark.parametrize("jobs", [(), ("--jobs", 2)])
def test_one_bad_file_among_good_ones(run, made, tmp_path, jobs):
    (tmp_path / "bad.root").write_bytes((made / "in1.root").read_bytes()[:800])
    inputs = (made / "in1.root", "bad.root", made / "in2.root")
    failed = run("convert", *inputs, *graph(made), "-o", "all.arrow", "--report", "report.json", *jobs)
    assert failed.code == 1
    assert "1 of 3 files could not be converted: bad.root" in failed.err
    assert failed.err.count("truncated") == 1
    assert "--skip-bad-files" in failed.err
    report = json.loads((tmp_path / "report.json").read_text())
    assert [file["status"] for file in report["files"]] == ["converted", "failed", "converted"]
    done = run("convert", *inputs, *graph(made), "-o", "all.arrow", "--skip-bad-files", *jobs)
    assert done.code == 0, done.err
    assert "2 of 3 files (2 from an earlier run)" in done.out
    assert len(open_store(tmp_path / "all.arrow")) == 8
    assert not (tmp_path / "all.arrow.parts").exists()


def test_to_root_and_back_without_naming_the_geometry_file(run, photons, made, tmp_path):
    there = run("convert", photons, *graph(made, "piece"), "-o", "photons.root")
    assert there.code == 0, there.err
    with uproot.open(tmp_path / "photons.root") as file:
        assert file["tree"].num_entries == 40
    back = run("convert", "photons.root", *graph(made, "piece"), "-o", "back.arrow")
    assert back.code == 0, back.err
    assert open_store(tmp_path / "back.arrow")[:].equals(open_store(photons)[:])
    copied = run("convert", photons, *graph(made, "piece"), "-o", "copy.arrow")
    assert copied.code == 0, copied.err
    kept = open_store(tmp_path / "copy.arrow").metadata
    assert kept.seed == 0
    assert "beam" in kept.extra


def test_geometry_of_a_store_is_found_by_name(run, tmp_path):
    """A store of a built-in detector needs neither --graph nor --detector afterwards."""
    made = run("simulate", "--detector", "ild-ecal", "-n", 3, "-o", "photons.arrow", "--energy", 5)
    assert made.code == 0, made.err
    assert "graph of ild-ecal: " in made.err
    to_voxels = run("convert", "photons.arrow", "-o", "photons.h5", "--layout", "getting_high")
    assert to_voxels.code == 0, to_voxels.err
    with h5py.File(tmp_path / "photons.h5") as file:
        assert file["30x30/layers"].shape == (3, 30, 30, 30)
        visible = file["30x30/layers"][...].sum(axis=(1, 2, 3))
    np.testing.assert_allclose(visible * 1e-3, open_store(tmp_path / "photons.arrow")[:].visible, rtol=1e-5)
    clouds = run("convert", "photons.arrow", "-o", "clouds.h5", "--layout", "showerdata")
    assert clouds.code == 0, clouds.err
    back = run("convert", "clouds.h5", "--detector", "ild-ecal", "-o", "back.arrow")
    assert back.code == 0, back.err
    np.testing.assert_array_equal(
        open_store(tmp_path / "back.arrow")[:].cell, open_store(tmp_path / "photons.arrow")[:].cell
    )
    shown = run("inspect", "photons.arrow", "--event", 1, "--plot", "event.png")
    assert shown.code == 0, shown.err


def test_geometry_from_hits(run, tmp_path):
    cells = toy_cells()
    branches = hgcal_branches(cells, rows=[list(range(40)), [], [3, 4], [7]])
    for axis in "xyz":
        branches[f"simHit_{axis}"] = [[float(getattr(cells, axis)[row]) for row in rows]
                                      for rows in ([*range(40)], [], [3, 4], [7])]  # fmt: skip
    branches["simHit_layer"] = [[int(cells.layer[row]) for row in rows] for rows in ([*range(40)], [], [3, 4], [7])]
    write_tree(tmp_path / "hits.root", branches)
    done = run("geometry-from-hits", "hits.root", "-o", "cells.csv")
    assert done.code == 0, done.err
    assert "cells.csv: 40 cells that were hit" in done.out
    assert run("build-graph", "cells.csv", "-o", "graph.safetensors").code == 0
    assert run("convert", "hits.root", "--graph", "graph.safetensors", "-o", "a.arrow").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("in1.root", "-o", "a.arrow"), 2, "which geometry?"),
        (("in1.root", "--detector", "lcd", "--graph", "g.safetensors", "-o", "a.arrow"), 2, "not both"),
        (("in1.root", "--detector", "nope", "-o", "a.arrow"), 2, "no built-in detector 'nope'"),
        (("in1.root", "--graph", "cells.csv", "-o", "a.arrow"), 2, "build-graph cells.csv"),
        (("none*.root", "--graph", "toy", "-o", "a.arrow"), 1, "no file matches"),
        (("in1.root", "--graph", "toy", "-o", "a.txt"), 2, "no kind of shower file"),
        (("in1.root", "--graph", "toy", "-o", "a.h5"), 2, "--layout"),
        (("in1.root", "--graph", "toy", "-o", "nowhere/a.arrow"), 1, "does not exist"),
        (("in1.root", "--graph", "toy", "-o", "a.arrow", "--tree", "nope"), 1, "trees in the file: tree"),
        (("in1.root", "--graph", "toy", "-o", "a.arrow", "--origin", "x"), 2, "--origin 12.5,-3"),
        (("in1.root", "--graph", "toy", "-o", "a.arrow", "--jobs", "0"), 2, "Invalid value for"),
        (("empty.root", "--graph", "toy", "-o", "a.arrow"), 1, "the file is empty"),
        (("in1.root", "--graph", "toy", "-o", "a.arrow", "--preset", "nope"), 2, "no preset 'nope'"),
        (("in1.root", "--graph", "toy", "-o", "a.arrow", "--preset", "cmssw-reco"), 1, "rechit_detid"),
    ],
)
def test_wrong_conversions(run, made, tmp_path, arguments, code, message):
    (tmp_path / "empty.root").touch()
    names = {"in1.root": made / "in1.root", "toy": made / "toy.safetensors"}
    failed = run("convert", *(names.get(argument, argument) for argument in arguments))
    assert message in failed.err
    assert failed.code == code
    assert "not foreseen" not in failed.err
    assert not list(tmp_path.glob("a.*"))


def test_simulate(run, made, tmp_path):
    options = (
        "--material",
        "hgcal",
        "--phi",
        1.57,
        "--particle",
        "pion",
        "--energy",
        "log:5..50",
        "-n",
        12,
        "--seed",
        3,
    )
    done = run("simulate", *graph(made, "piece"), *options, "-o", "pions.arrow", "--vertex-sigma", "0,0,4.2")
    assert done.code == 0, done.err
    assert "12 pion showers of log:5..50 GeV in hgcal, seed 3" in done.out
    store = open_store(tmp_path / "pions.arrow", cells_sha256=load_graph(made / "piece.safetensors").cells_sha256)
    showers = store[:]
    assert (len(showers), set(showers.pdg_id.tolist())) == (12, {211})
    assert 5 <= showers.incident_energy.min() <= showers.incident_energy.max() <= 50
    assert np.ptp(showers.vertex_z) > 1
    assert store.metadata.seed == 3
    again = ("--vertex-sigma", "0,0,4.2", "--threads", 1)
    run("simulate", *graph(made, "piece"), *options, "-o", "again.arrow", *again)
    assert (tmp_path / "again.arrow").read_bytes() == (tmp_path / "pions.arrow").read_bytes()
    to_root = run("simulate", *graph(made, "piece"), *options, "-o", "pions.root", *again)
    assert to_root.code == 0, to_root.err
    with uproot.open(tmp_path / "pions.root") as file:
        counts = file["tree"]["nsimHit"].array().to_list()
    assert counts == showers.n_hits.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--particle", "kaon"), "is not one of"),
        (("--energy", "ten"), "none of: 50 | 5,50,500"),
        (("--energy", "5", "--pt", "5"), "not both"),
        (("--vertex", "1,2"), "three numbers"),
        (("--eta", "two"), "write an interval"),
        (("-o", "a.h5"), ".arrow or .root"),
        (("-n", "0"), "Invalid value for"),
        (("--material", "nope"), "no material is known for detector 'nope'"),
    ],
)
def test_wrong_simulations(run, made, tmp_path, arguments, message):
    failed = run("simulate", *graph(made, "piece"), "-n", 2, "-o", "a.arrow", *arguments)
    assert message in failed.err
    assert failed.code == 2
    assert not list(tmp_path.glob("a.*"))


def test_material_files(run, made, tmp_path):
    path = tmp_path / "mine.yaml"
    for text, message in (
        ("a: [", "not YAML"),
        ("a: 1", "no entry 'detectors'"),
        ("detectors: {x: {}}", "not complete"),
    ):
        path.write_text(text)
        failed = run("simulate", *graph(made, "piece"), "-n", 2, "-o", "a.arrow", "--material", path)
        assert (failed.code, message in failed.err) == (1, True), failed.err
    path.write_text(
        "sensors: [{name: silicon, is_silicon: 1, mip: 0.08, width: 0.005}, {name: tile, mip: 0.5, width: 0.03}]\n"
        "detectors: {my-hgcal: {front_cm: 320, sections: [{layers: 47, loss_mev: 20, x0_total: 90,"
        " interaction_total: 9, response: {silicon: 0.7, tile: 0.4}}]}}\n"
    )
    done = run("simulate", *graph(made, "piece"), "-n", 2, "-o", "a.arrow", "--material", path, "--phi", 1.57)
    assert done.code == 0, done.err
    assert open_store(tmp_path / "a.arrow").metadata.extra["material"].startswith("my-hgcal ")


def test_showers_that_miss_are_told(run, made):
    missed = run("simulate", *graph(made, "piece"), "-n", 4, "-o", "a.arrow", "--phi", -1.5, "--energy", 5)
    assert missed.code == 0
    assert "warning: 4 of 4 showers left no hit" in missed.err


def test_merge_and_split(run, photons, made, tmp_path):
    assert run("convert", photons, *graph(made, "piece"), "-o", "copy.arrow").code == 0
    merged = run("merge", photons, "copy.arrow", "-o", "all.arrow")
    assert merged.code == 0, merged.err
    assert "80 showers of 2 stores" in merged.out
    split = run("split", "all.arrow", "--fractions", 0.8, 0.1, 0.1, "--seed", 1, "-o", "parts/")
    assert split.code == 0, split.err
    sizes = {name: len(open_store(tmp_path / "parts" / f"{name}.arrow")) for name in ("train", "validation", "test")}
    assert sizes == {"train": 64, "validation": 8, "test": 8}
    assert run("split", "-o", "two", "--fractions=0.5", 0.5, "all.arrow").code == 0
    assert {path.name for path in (tmp_path / "two").iterdir()} == {"train.arrow", "test.arrow"}
    assert run("split", "all.arrow", "--fractions", *[0.25] * 4, "-o", "four").code == 0
    named = run("split", "all.arrow", "--fractions", 0.9, 0.1, "--names", "a,b", "-o", "named")
    assert named.code == 0
    assert {path.name for path in (tmp_path / "named").iterdir()} == {"a.arrow", "b.arrow"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("merge", "photons", "photons", "-o", "a.arrow"), "given twice"),
        (("merge", "photons", "toy.arrow", "-o", "a.arrow"), "another geometry"),
        (("merge", "photons", "nope.arrow", "-o", "a.arrow"), "no such file"),
        (("merge", "photons", "-o", "a.root"), "stores are called NAME.arrow"),
        (("split", "photons", "--fractions", "0.8", "0.1", "-o", "a.parts"), "add up to 1"),
        (("split", "photons", "--fractions", "0.5", "0.5", "--names", "a", "-o", "a.parts"), "1 names for 2 fractions"),
        (("split", "photons", "--fractions", "0.5", "0.5", "-o", "toy.arrow"), "is a file"),
        (("split", "nope.arrow", "--fractions", "0.5", "0.5", "-o", "a.parts"), "no such file"),
        (("split", "photons", "-o", "a.parts"), "Missing option"),
    ],
)
def test_wrong_merges_and_splits(run, photons, made, tmp_path, arguments, message):
    assert run("convert", made / "in1.root", *graph(made), "-o", "toy.arrow").code == 0
    failed = run(*(photons if argument == "photons" else argument for argument in arguments))
    assert message in failed.err
    assert failed.code in (1, 2)
    assert not list(tmp_path.glob("a.*"))


@pytest.mark.slow
def test_ctrl_c_ends_workers_quietly(made, tmp_path):
    """Ctrl-C reaches the whole process group: one message, no traceback, nothing half done."""
    for number in range(12):
        write_tree(tmp_path / f"big{number}.root", hgcal_branches(toy_cells()))
    command = ["convert", "big*.root", "--graph", str(made / "toy.safetensors"), "-o", "a.arrow", "--jobs", "2"]
    running = subprocess.Popen(
        [sys.executable, "-c", "from hgcal_gnn.cli import main; main()", *command],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    parts = tmp_path / "a.arrow.parts"
    deadline = time.monotonic() + 60
    while not (parts / "manifest.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)  # workers are starting
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Interrupted; " in said
    assert "Traceback" not in said
    assert not parts.exists() or list(parts.glob("part-*.json"))


def test_real_files(run, shared_data, tmp_path):
    table = run("geometry-from-hits", shared_data / "cms_hgcal_muons_ntuple.root", "-o", "cells.parquet")
    assert "62182 cells that were hit" in table.out
    assert run("build-graph", "cells.parquet", "-o", "graph.safetensors").code == 0
    inputs = (shared_data / "cms_hgcal_muons_ntuple.root", "--graph", "graph.safetensors", "-o", "muons.arrow")
    several = run("convert", *inputs)
    assert several.code == 1
    assert several.err.count("by-side") == 1  # said once
    done = run("convert", *inputs, "--particles", "by-side")
    assert "2 events, 4 showers, 63036 hits" in done.out
    summary = json.loads(run("inspect", "muons.arrow", "--json").out)
    assert {part["pdg_id"] for part in summary["particles"]} == {13, -13}
    drawn = run("inspect", "muons.arrow", "--graph", "graph.safetensors", "--plot", "muons.png")
    assert drawn.code == 0, drawn.err
    lcd = run("convert", shared_data / "lcd_photon_pi0_50_showers.h5", "--detector", "lcd", "-o", "lcd.arrow")
    assert "50 showers, 73286 hits" in lcd.out
    wrong = run("convert", shared_data / "lcd_photon_pi0_50_showers.h5", "--detector", "ild-ecal", "-o", "x.arrow")
    assert "is this the right detector?" in wrong.err
    assert sorted(tmp_path.glob("x.*")) == []
