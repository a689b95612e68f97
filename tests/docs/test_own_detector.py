"""The page on one's own detector runs as it stands."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from pathlib import Path

from hgcal_gnn.cli import app
from hgcal_gnn.cli.errors import run_app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own_detector.md"
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path / "cache"))
    for block in BLOCK.finditer(PAGE.read_text("utf-8")):
        if named := re.search(r"title=\"(.+)\"", block["kind"]):
            Path(named[1]).write_text(block["body"], encoding="utf-8")
        if block["kind"]:
            continue  # a file, or what was printed
        for line in block["body"].replace("\\\n", " ").splitlines():
            program, *arguments = shlex.split(line)
            if program == "python":
                runpy.run_path(arguments[0])
            else:
                assert run_app(app, arguments) == 0, capsys.readouterr().err
    found = json.loads(Path("runs/layers/metrics.json").read_text())
    assert "resolution" in json.dumps(found)
    assert "55512 directed edges" in capsys.readouterr().out
