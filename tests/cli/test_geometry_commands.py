"""make-geometry, build-graph, inspect, export-graph as a user runs them: right and wrong."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest

from hgcal_gnn.geometry.graph_file import load_graph

HEADER = "cell_id,layer,x,y,z\n"
ROWS = [f"{i},{1 + i // 4},{i % 4}.0,0.0,{300 + i // 4}.0\n" for i in range(8)]


@pytest.fixture
def table(tmp_path):
    """Two layers of four cells in a row."""
    path = tmp_path / "cells.csv"
    path.write_text(HEADER + "".join(ROWS))
    return path


def test_from_detector_to_picture(run, tmp_path):
    made = run("make-geometry", "hgcal", "--layers", "37..39", "--phi", "1.4..1.8", "--side", 1, "-o", "cells.parquet")
    assert made.code == 0, made.err
    built = run("build-graph", "cells.parquet", "-o", "graph.safetensors")
    assert built.code == 0, built.err
    assert "border tiles linked" in built.out
    graph = load_graph(tmp_path / "graph.safetensors")
    assert f"{graph.n_edges} directed edges" in built.out
    shown = run("inspect", "graph.safetensors", "--plot", "layer.png", "--layer", 38)
    assert shown.code == 0, shown.err
    assert "nothing looks wrong" in shown.out
    assert (tmp_path / "layer.png").read_bytes().startswith(b"\x89PNG")
    close = run("inspect", "graph.safetensors", "--plot", "close.png", "--layer", 38, "--window=-10..10,130..145")
    assert close.code == 0, close.err


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".root"])
def test_every_format_gives_the_same_graph(run, tmp_path, suffix):
    run("make-geometry", "ild-ecal", "--layers", "1..3", "-o", f"cells{suffix}")
    built = run("build-graph", f"cells{suffix}", "-o", "graph.safetensors")
    assert built.code == 0, built.err
    graph = load_graph(tmp_path / "graph.safetensors")
    assert graph.n_cells == 2700
    assert graph.n_edges == 2 * (3 * 2 * 30 * 29 + 2 * 900)


def test_inspect_json_has_the_documented_keys(run, table):
    assert run("build-graph", table, "-o", "graph.safetensors").code == 0
    summary = json.loads(run("inspect", "graph.safetensors", "--json").out)
    assert set(summary) == {
        "detector", "cells_sha256", "n_cells", "subdetectors", "layers", "n_edges", "edge_types",
        "degree_histogram", "isolated", "components", "largest_component", "rules", "findings",
    }  # fmt: skip
    assert summary["n_edges"] == 2 * (2 * 3 + 4)
    of_table = json.loads(run("inspect", table, "--json").out)
    assert of_table["cells_sha256"] == summary["cells_sha256"]


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".graphml"])
def test_export(run, table, tmp_path, suffix):
    run("build-graph", table, "-o", "graph.safetensors")
    assert run("export-graph", "graph.safetensors", "-o", f"graph{suffix}").code == 0
    path = tmp_path / f"graph{suffix}"
    if suffix == ".npz":
        assert len(np.load(path)["col"]) == 20
    elif suffix == ".pt":
        import torch

        assert len(torch.load(path, weights_only=True)["col"]) == 20
    else:
        import networkx as nx

        assert nx.read_graphml(path).number_of_edges() == 10


def test_foreign_names_and_units(run, tmp_path):
    rows = [line.replace(".0", "0.0") for line in ROWS]
    (tmp_path / "foreign.csv").write_text("number,plane,px,py,pz\n" + "".join(rows))
    names = [f"--column={ours}={theirs}" for ours, theirs in
             {"cell_id": "number", "layer": "plane", "x": "px", "y": "py", "z": "pz"}.items()]  # fmt: skip
    built = run("build-graph", "foreign.csv", "-o", "graph.safetensors", "--length-unit", "mm", *names)
    assert built.code == 0, built.err
    assert load_graph(tmp_path / "graph.safetensors").cells.x.max() == 3.0


def wrong_table(tmp_path, kind):
    text = HEADER + "".join(ROWS)
    path = tmp_path / "cells.csv"
    match kind:
        case "missing column":
            text = text.replace("layer", "plane")
        case "nan":
            text = text.replace("5,2,1.0", "5,2,nan")
        case "duplicate":
            text = text.replace("5,2,1.0", "4,2,1.0")
        case "empty":
            text = ""
        case "header only":
            text = HEADER
        case "delimiter":
            text = text.replace(",", ";")
        case "lone cell":
            text += "9,7,0.0,0.0,310.0\n"
        case "mixed units":
            text = HEADER + "".join(f"{i},1,{i % 10}.0,{i // 10}.0,300.0\n" for i in range(90))
            text += "".join(f"{i},1,{i % 10}0.0,{i // 10}0.0,3000.0\n" for i in range(90, 100))
        case "truncated":
            path = tmp_path / "cells.csv.gz"
            path.write_bytes(gzip.compress(text.encode() * 50)[:60])
            return path
        case "parquet":
            path = tmp_path / "cells.parquet"
            text = "PAR1 this is no table"
        case "root":
            path = tmp_path / "cells.root"
            text = "root this is no file"
        case "suffix":
            path = tmp_path / "cells.xlsx"
        case "folder":
            path.mkdir()
            return path
        case "nowhere":
            return tmp_path / "nowhere.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing column", "missing column layer"),
        ("nan", "column x has 1 values that are NaN"),
        ("duplicate", "1 repeated ids, for instance 4"),
        ("empty", "empty"),
        ("header only", "no rows"),
        ("delimiter", ";"),
        ("lone cell", "single cell"),
        ("mixed units", "unit"),
        ("truncated", "cells.csv.gz"),
        ("parquet", "cells.parquet"),
        ("root", "cells.root"),
        ("suffix", ".xlsx"),
        ("folder", "folder"),
        ("nowhere", "no such file"),
    ],
)
def test_bad_tables_give_one_clear_message_and_write_nothing(run, tmp_path, kind, message):
    path = wrong_table(tmp_path, kind)
    before = {file.name for file in tmp_path.iterdir()}
    outcome = run("build-graph", path, "-o", "graph.safetensors")
    assert outcome.code in (1, 2), outcome
    assert outcome.err.startswith("Error: ")
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert "not foreseen" not in outcome.err
    assert {file.name for file in tmp_path.iterdir()} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_no_permission(run, table):
    table.chmod(0)
    assert "no permission" in run("build-graph", table, "-o", "graph.safetensors").err


def test_usage_errors_exit_with_2(run, table):
    for arguments in (
        ("build-graph", table),
        ("build-graph", table, "-o", "g.safetensors", "--border-distance", "far"),
        ("build-graph", table, "-o", "g.safetensors", "--column", "cell_id"),
        ("build-graph", table, "-o", "g.safetensors", "--neighbours", "exported"),
        ("make-geometry", "hgcal2", "-o", "x.csv"),
        ("make-geometry", "hgcal"),
        ("make-geometry", "lcd", "-o", "x.csv", "--eta", "one"),
        ("inspect", table, "--plot", "x.png"),
        ("export-graph", table, "-o", "x.docx"),
        ("nonsense",),
    ):
        outcome = run(*arguments)
        expected = 1 if arguments[0] == "export-graph" else 2
        assert outcome.code == expected, (arguments, outcome)
        assert outcome.err


def test_nothing_is_overwritten_without_asking(run, table):
    assert run("build-graph", table, "-o", "graph.safetensors").code == 0
    again = run("build-graph", table, "-o", "graph.safetensors")
    assert again.code == 1
    assert "--overwrite" in again.err
    assert run("build-graph", table, "-o", "graph.safetensors", "--overwrite").code == 0


def test_full_disk_leaves_nothing_behind(table, tmp_path):
    """A limit on the size of files makes the write fail half way, as a full disk does."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512)); sys.argv[0] = 'hgcal-gnn';"
        "from hgcal_gnn.cli import main; main()"
    )
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", code, "build-graph", str(table), "-o", "graph.safetensors"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "could not be written" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["cells.csv"]


def test_debug_shows_the_traceback(run, tmp_path):
    outcome = run("inspect", tmp_path / "nothing.csv", "--debug")
    assert "Traceback" in outcome.err
    assert outcome.code == 1


def test_help_version_list_and_doctor(run):
    assert run("--version").out.startswith("hgcal-gnn 0.")
    assert "build-graph" in run("--help").out
    listed = run("make-geometry", "--list").out
    for name in ("hgcal", "clic", "lcd", "ild-ecal", "ild-ahcal", "calogan", "calochallenge-1-photons"):
        assert re.search(rf"^{name}\s", listed, re.MULTILINE)
    findings = json.loads(run("doctor", "--json").out)
    assert {"versions", "machine", "threads", "allocator", "caches"} == set(findings)


def test_help_stays_light():
    """Help must answer at once, so it may not load NumPy, numba or torch."""
    code = (
        "import sys; from hgcal_gnn.cli import app; from hgcal_gnn.cli.errors import run_app; run_app(app, ['--help']);"
        "heavy = {'numpy', 'numba', 'torch', 'scipy', 'pyarrow', 'matplotlib'} & set(sys.modules); print(heavy);"
        "sys.exit(bool(heavy))"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout, time.perf_counter() - started)
